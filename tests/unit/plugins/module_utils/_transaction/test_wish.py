# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a web server wrote to its log since a transaction began."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.pyhost.web.plugins.module_utils._mask import STARS, Mask
from ansible_collections.pyhost.web.plugins.module_utils._transaction.wish import LOGGED, SAID, Probe


def test_only_new_lines_are_quoted_and_not_too_many(tmp_path: Path) -> None:
    log = tmp_path / "error.log"
    probe = Probe("http://127.0.0.1/", "1", log=log)
    assert (probe.logged(), probe.said(0)) == (0, "")
    log.write_text("old\n")
    before = probe.logged()
    assert probe.said(before) == ""
    with log.open("a") as file:
        file.write("bind() failed\nstill could not bind()\n")
    assert probe.said(before) == "\nbind() failed\nstill could not bind()"
    log.write_text("old\n" + "x\n" * 100)
    assert probe.said(before) == "\nx" * SAID


def test_no_part_of_a_secret_is_left_where_a_log_is_cut(tmp_path: Path) -> None:
    log = tmp_path / "error.log"
    log.write_text(f"{'x' * 100}hunter22-and-more{'y' * (LOGGED - 5)}")
    said = Mask(["hunter22-and-more"])(Probe("http://127.0.0.1/", "1", log=log).said(0))
    assert said == f"\n…{STARS}{'y' * (LOGGED - 5)}"
    log.write_text("x" * LOGGED)
    assert Probe("http://127.0.0.1/", "1", log=log).said(0) == "\n" + "x" * LOGGED


def test_without_a_log_nothing_is_quoted() -> None:
    assert Probe("http://127.0.0.1/", "1").said(0) == ""
