# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes, and what they started."""

from __future__ import annotations

import subprocess
import sys
import typing as t

from ansible_collections.pyhost.web.plugins.module_utils._transaction.host import Host, parent_of
from hypothesis import given, settings
from hypothesis import strategies as st

FUZZ = settings(derandomize=True, max_examples=150, deadline=None)


def _no_command(*_words: t.Any) -> tuple[int, str, str]:
    raise AssertionError


HOST = Host(_no_command)


def test_children() -> None:
    script = "import subprocess, sys; print(subprocess.Popen(['cat'], stdin=0).pid, flush=True); sys.stdin.read()"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", script], stdin=pipe, stdout=pipe, text=True) as parent:
        assert parent.stdin and parent.stdout
        child = int(parent.stdout.readline())
        assert HOST.children([parent.pid]) == {parent.pid: {child}}
        parent.stdin.close()
    assert HOST.children([parent.pid]) == {parent.pid: set()}


@FUZZ
@given(st.binary(max_size=15), st.integers(0, 2**22))
def test_a_program_of_any_name(name: bytes, parent: int) -> None:
    assert parent_of(b"7 (%s) S %d 7 7 0 -1\n" % (name, parent)) == parent


def test_a_program_that_says_what_it_is() -> None:
    assert parent_of(b"7 () R 1) S 42 7 7") == 42
