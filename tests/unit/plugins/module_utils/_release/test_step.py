# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Steps as text for a shell, and secrets in what they say."""

from __future__ import annotations

import asyncio
import fnmatch
import subprocess
import sys

import pytest
from ansible_collections.pyhost.web.plugins.module_utils._mask import STARS, Mask
from ansible_collections.pyhost.web.plugins.module_utils._release import step as steps
from ansible_collections.pyhost.web.plugins.module_utils._release.step import (
    BUILD,
    Outcome,
    Step,
    check_sandbox,
    script,
)

HARD = ["plain", "", "two words", 'it\'s "quoted"', "$HOME `id` \\n", "two\nlines", "ünïcode", "-n"]


def run(step: Step) -> subprocess.CompletedProcess[str]:
    """Runs the text of a step as the unit would."""
    return subprocess.run(["/bin/sh"], input=script(step).decode(), capture_output=True, text=True, check=False)


@pytest.mark.parametrize("value", HARD)
def test_environment_arrives_as_it_is(value: str) -> None:
    done = run(Step("shop", "x", "shop", 'printf %s "$VALUE"', {"VALUE": value}))
    assert (done.stdout, done.stderr, done.returncode) == (value, "", 0)


def test_commands_do_not_read_the_script() -> None:
    done = run(Step("shop", "x", "shop", "cat\necho after\nexit 3"))
    assert (done.stdout, done.returncode) == ("after\n", 3)


def test_missing_folder_is_a_failure() -> None:
    done = run(Step("shop", "x", "shop", "echo never", cwd="/nonexistent"))
    assert done.returncode
    assert done.stdout == ""


def test_the_end_of_long_output() -> None:
    said = Outcome(1, "".join(f"{number}\n" for number in range(100)), "50%\r100%\n\nlast").said.splitlines()
    assert (len(said), said[0], said[-3:]) == (30, "73", ["50%", "100%", "last"])


def test_a_long_line_is_shortened() -> None:
    (line,) = Outcome(1, "x" * 256 * 1024, "").said.splitlines()
    assert line == f"{'x' * 1000} [260144 characters omitted] {'x' * 1000}"


def test_no_secret_is_left_where_output_was_cut() -> None:
    secret = "hunter22-and-more"
    outcome = Outcome(1, f"{'x' * 990}{secret}{'x' * 5000}{secret}{'x' * 990}\n", "")
    assert Mask([secret])(outcome.said) == f"{'x' * 990}{STARS} [5014 characters omitted] {STARS}{'x' * 990}"


@pytest.mark.parametrize("secret", ["hunter22-and-more", "\u00e9" * 20])
def test_no_secret_is_left_where_the_output_of_a_step_begins(monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    monkeypatch.setattr(steps, "_TAIL", 21)
    command = [sys.executable, "-X", "utf8", "-c", f"print('x', {secret!r}, end=' end')"]
    outcome = asyncio.run(steps._communicate(command, b""))
    assert outcome.out.startswith("…")
    assert Mask([secret])(outcome.said) == f"…{STARS} end"


LIVES_ON = """
import subprocess, sys
print("said", flush=True)
print(subprocess.Popen(["sleep", "60"]).pid, file=sys.stderr)
"""


@pytest.mark.parametrize("size", [0, 1 << 20], ids=["output", "input"])
def test_a_step_ends_when_it_ends_whoever_has_its_pipes(size: int) -> None:
    """The unit takes its own processes along; those of the running application may have been given its pipes."""
    begun = asyncio.wait_for(steps._communicate(["python3", "-c", LIVES_ON], b"x" * size), 30)
    outcome = asyncio.run(begun)
    subprocess.run(["kill", outcome.err.strip()], check=True)
    assert (outcome.status, outcome.out) == (0, "said\n")


def test_all_that_a_step_said_arrives() -> None:
    outcome = asyncio.run(steps._communicate(["sh", "-c", "cat; seq 200000; echo last >&2; exit 7"], b"first\n"))
    assert (outcome.status, outcome.err) == (7, "last\n")
    assert outcome.out.endswith("\n199999\n200000\n")


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command line of a step, which is not run."""
    found: list[str] = []

    async def note(words: list[str], _text: bytes) -> Outcome:
        found.extend(words)
        return Outcome(0, "", "")

    monkeypatch.setattr(steps, "_communicate", note)
    asyncio.run(steps.Systemd().run(Step("build-x", "setup[0]", "shop", "true", {"TOKEN": "a-secret"})))
    return found


def test_no_unit_of_an_application_has_the_name_of_a_step(command: list[str]) -> None:
    (unit,) = (word.removeprefix("--unit=") for word in command if word.startswith("--unit="))
    assert fnmatch.fnmatch(unit, steps.UNITS)
    for name in ("build", "build-x", "x-build-", "build_1"):
        for other in (f"pyhost-{name}.service", f"pyhost-{name}.socket", f"pyhost-{name}.worker.build@1.service"):
            assert not fnmatch.fnmatch(other, steps.UNITS)


def test_a_step_has_limits_and_tells_no_secret(command: list[str]) -> None:
    settings = [word.removeprefix("--property=") for word in command]
    assert {f"MemoryMax={512 << 20}", f"MemorySwapMax={512 << 20}", "TasksMax=512"} <= {*settings}
    assert "--slice=pyhost.build.slice" in command
    assert "a-secret" not in " ".join(command)


def test_builds_leave_the_memory_of_the_running_application_alone() -> None:
    settings = [*BUILD, *check_sandbox(network=False, jit=False)]
    assert [setting for setting in settings if setting.startswith("RemoveIPC")] == []
