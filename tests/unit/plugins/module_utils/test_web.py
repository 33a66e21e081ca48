# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which answers are healthy: one rule, of which only the trial of a release has a copy, as it runs on its own."""

from __future__ import annotations

import pytest
from ansible_collections.pyhost.web.plugins.module_utils._gateway import status_of
from ansible_collections.pyhost.web.plugins.module_utils._release import try_app
from ansible_collections.pyhost.web.plugins.module_utils._web import healthy

CASES = [
    ("nothing", None, False),
    ("nothing", [200], False),
    ("100 Continue", None, True),
    ("200 OK", None, True),
    ("200 OK", [200, 301], True),
    ("204 No Content", [200, 301], False),
    ("404 Not Found", None, True),
    ("499 ", None, True),
    ("500 Internal Server Error", None, False),
    ("503 Service Unavailable", None, False),
    ("503 Service Unavailable", [503], True),
    ("999 ", None, False),
]


@pytest.mark.parametrize(("answer", "wanted", "is_healthy"), CASES)
def test_a_release_that_passed_its_trial_is_healthy_later(
    answer: str, wanted: list[int] | None, is_healthy: bool
) -> None:
    assert healthy(status_of(answer), wanted or ()) is is_healthy
    assert (try_app.complaint(answer, {"path": "/", "status": wanted}) == "") is is_healthy
