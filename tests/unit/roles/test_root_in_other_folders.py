# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What templates let root do where other accounts may write; docs/security-evidence.md lists all of it."""

from __future__ import annotations

import re
from pathlib import Path

TOP = Path(__file__).parents[3]
TEMPLATES = [path for place in ("roles", "playbooks") for path in (TOP / place).rglob("*.j2")]


def test_a_unit_runs_nothing_as_root_but_what_is_listed() -> None:
    lines = [
        (path.parts[-3], line.partition("=")[2])
        for path in TEMPLATES
        for line in path.read_text().splitlines()
        if re.match(r"Exec[A-Za-z]+=[-@:]*[+!]", line)
    ]
    assert set(lines) == {
        ("frontend_lighttpd", "+/bin/sh /etc/lighttpd/pyhost/keys"),
        ("frontend_lighttpd", "+/bin/rm -rf /run/lighttpd-tls"),
    }


def test_logs_are_rotated_by_the_owner_of_their_folder() -> None:
    """Either the rule names that account, or systemd gives the folder to root."""
    rules = [path for path in TEMPLATES if path.name == "logrotate.j2"]
    assert {path.parts[-3] for path in rules} == {"frontend_lighttpd", "frontend_cherokee"}
    for path in rules:
        name = path.parts[-3].removeprefix("frontend_")
        unit = path.with_name(f"{name}.service.j2")
        is_roots = unit.exists() and f"LogsDirectory={name}\n" in (text := unit.read_text()) and "User=" not in text
        assert is_roots or re.search(r"^    su \S+ \S+$", path.read_text(), re.MULTILINE), path
