# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Steps as text for a shell, and secrets in what they say."""

from __future__ import annotations

import subprocess

import pytest
from ansible_collections.pyhost.web.plugins.module_utils._release.step import (
    BUILD,
    Outcome,
    Step,
    check_sandbox,
    script,
)

HARD = ["plain", "", "two words", "it's \"quoted\"", "$HOME `id` \\n", "two\nlines", "ünïcode", "-n"]


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
    assert (len(said), said[0], said[-3:]) == (40, "63", ["50%", "100%", "last"])


def test_builds_leave_the_memory_of_the_running_application_alone() -> None:
    settings = [*BUILD, *check_sandbox(network=False, jit=False)]
    assert [setting for setting in settings if setting.startswith("RemoveIPC")] == []
