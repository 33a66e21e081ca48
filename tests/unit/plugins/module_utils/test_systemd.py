# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What systemctl prints, whatever that is."""

from __future__ import annotations

import contextlib

from ansible_collections.pyhost.web.plugins.module_utils._errors import PyhostError
from ansible_collections.pyhost.web.plugins.module_utils._status.look import number, parse_show, state
from ansible_collections.pyhost.web.plugins.module_utils._systemd import Systemd
from ansible_collections.pyhost.web.plugins.module_utils._transaction.host import Host
from hypothesis import given, settings
from hypothesis import strategies as st

FUZZ = settings(derandomize=True, max_examples=150, deadline=None)
SHOWN = st.sampled_from(["Id=pyhost-a.service", "ActiveState=active", "NRestarts=\u00b2", "=", "MainPID=1", ""])
LINES = st.lists(SHOWN | st.text(max_size=10), max_size=8).map("\n".join)


@FUZZ
@given(LINES)
def test_any_text_of_systemctl(text: str) -> None:
    for unit in parse_show(text).values():
        assert isinstance(state(unit), str)
        assert all(number(value) is None or number(value) >= 0 for value in unit.values())
    with contextlib.suppress(PyhostError):
        (unit,) = Systemd(Host(lambda *_words: (0, text, "")).run).show(["a.service"]).values()
        assert unit.restarts >= 0 and unit.main >= 0
