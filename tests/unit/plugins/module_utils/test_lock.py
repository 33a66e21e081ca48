# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lock that keeps runs of other controllers out."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.pyhost.web.plugins.module_utils._errors import PyhostError
from ansible_collections.pyhost.web.plugins.module_utils._lock import alone


def test_a_run_of_another_controller_is_waited_for(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    rejected = pytest.raises(PyhostError, match=f"another run has held {lock} for more than 0 seconds")
    with alone(lock, 5), rejected, alone(lock, 0):
        raise AssertionError("there were two")
    with alone(lock, 0):
        assert lock.exists()


def test_the_clock_may_be_another(tmp_path: Path) -> None:
    lock, waits, times = tmp_path / "lock", [], iter((0.0, 1.0, 2.0, 3.0))
    rejected = pytest.raises(PyhostError, match="for more than 2 seconds")
    with alone(lock, 5), rejected, alone(lock, 2, lambda: next(times), waits.append):
        raise AssertionError("there were two")
    assert waits == [0.5]
