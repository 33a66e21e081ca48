# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every command ends, whatever it does and whatever it leaves behind."""

from __future__ import annotations

import os
import time

import pytest
from ansible_collections.pyhost.web.plugins.module_utils import _command
from ansible_collections.pyhost.web.plugins.module_utils._command import LATE, NOT_STARTED, run


def _shell(script: str, limit: float = 20) -> tuple[int, str, str]:
    return run(["sh", "-c", script], limit)


def test_status_and_both_outputs() -> None:
    assert _shell("echo out; echo err >&2; exit 3") == (3, "out\n", "err\n")
    assert run(["printenv", "LC_ALL"])[1] == "C.UTF-8\n"


def test_what_cannot_be_started() -> None:
    assert run(["/nowhere/program"]) == (NOT_STARTED, "", "/nowhere/program: No such file or directory")


def test_bytes_that_are_no_text() -> None:
    assert _shell(r"printf '\377'")[1].encode("utf-8", "surrogateescape") == b"\xff"


def test_nothing_can_be_typed() -> None:
    assert run(["cat"]) == (0, "", "")


@pytest.mark.parametrize(
    "script",
    [
        "sleep 60",
        "while :; do echo word; done",
        "sleep 60 & wait",
        "exec >&- 2>&-; sleep 60",
    ],
)
def test_one_that_does_not_end_is_ended(script: str) -> None:
    begin = time.monotonic()
    status, _output, complaints = _shell(script, 0.3)
    assert (status, complaints) == (LATE, "stopped after 0.3 s")
    assert time.monotonic() - begin < 5


def test_one_that_ignores_the_first_signal_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_command, "TO_END", 0.3)
    begin = time.monotonic()
    assert _shell("trap '' TERM; while :; do sleep 0.1; done", 0.3)[0] == LATE
    assert time.monotonic() - begin < 5


def test_a_process_that_it_left_may_write_forever() -> None:
    begin = time.monotonic()
    script = "echo begun; setsid sh -c 'n=0; while [ $n -lt 60 ]; do echo more; sleep 0.1; n=$((n+1)); done' & exit 7"
    status, output, _complaints = _shell(script, 30)
    assert status == 7 and output.startswith("begun\n")
    assert time.monotonic() - begin < 4


def test_only_the_end_of_much_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_command, "LARGEST", 1000)
    output = _shell("seq 100000")[1]
    assert (len(output), output[0], output[-7:]) == (1001, "…", "100000\n")


def test_what_is_kept_as_a_whole_has_no_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_command, "LARGEST", 5)
    assert _shell("echo word")[1] == "word\n"


def test_handles_are_passed_on() -> None:
    read, write = os.pipe()
    try:
        assert run(["sh", "-c", f"echo word >/proc/self/fd/{write}"], pass_fds=(write,))[0] == 0
        assert os.read(read, 100) == b"word\n"
    finally:
        os.close(read)
        os.close(write)
