# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is told where somebody could not become root; what Ansible makes of it is seen in the scenario transaction."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.pyhost.web.plugins.plugin_utils._action import (
    Failure,
    HostAction,
    failed,
    folders,
    refusal,
    silent,
)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("sudo: a password is required\n", "sudo: a password is required"),
        ("Sorry.\nsudo: jim is not in the sudoers file\n", "sudo: jim is not in the sudoers file"),
        ("/bin/sh: 1: sudo: not found\n", "/bin/sh: 1: sudo: not found"),
        ("su: Authentication failure\n", "su: Authentication failure"),
    ],
)
def test_who_cannot_become_root(said: str, why: str) -> None:
    for where in ("module_stderr", "module_stdout"):
        told = refusal({"failed": True, "msg": "No start of json char found", where: said}, "jim")
        assert told.startswith(
            f"pyhost.web needs root, but jim cannot become root on this host ({why}). Grant jim sudo "
        )


def test_what_it_says_is_one_short_line() -> None:
    told = refusal({"failed": True, "module_stderr": f"sudo: \x1b[31m{'x' * 100_000}\n"}, "jim")
    assert told.startswith("pyhost.web needs root, but jim cannot become root on this host (sudo: \\x1b[31mxxx")
    assert told.isprintable() and len(told) < 600


@pytest.mark.parametrize(
    "result",
    [
        {"changed": False},
        {"failed": True, "msg": "sudo: not installed by apt"},
        {"failed": True, "module_stderr": "Traceback (most recent call last):\n  KeyError: sudo\n"},
    ],
)
def test_other_failures_are_left_alone(result: dict[str, object]) -> None:
    assert refusal(result, "jim") == ""


class _Action(HostAction):
    """Runs a module that says what a host may say."""

    MODULE = "any"

    def __init__(self, said: dict[str, t.Any]) -> None:
        """Take no task and no connection."""
        self.said = said

    def work(self, args: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        return self.execute(args, variables)

    def _execute_module(self, *_words: t.Any, **_options: t.Any) -> dict[str, t.Any]:
        return self.said

    def _get_remote_user(self) -> str:
        return "jim"


def test_what_a_module_says_does_not_steer_the_terminal() -> None:
    said = {"msg": "\x1b[31mred\ud800", "diff": [{"before": "a\r\n\tb\n"}], "count": 7, "nothing": None}
    found = _Action(said).work({}, {})
    assert found == {"msg": "\\x1b[31mred\\ud800", "diff": [{"before": "a\\r\n\tb\n"}], "count": 7, "nothing": None}


MESSAGE = "app shop: setup[0] failed:\nno such table\nno rows"


def test_the_result_repeats_only_the_first_line() -> None:
    error = Failure(MESSAGE)
    assert (error.message, str(error)) == ("app shop: setup[0] failed", MESSAGE)
    whole = {"failed": True, "msg": MESSAGE, "seconds": 9.2, "ansible_facts": {"a": 1}, "exception": MESSAGE, "line": 3}
    brief = {"failed": True, "msg": error.message, "exception": MESSAGE, "line": 3}
    assert failed(whole) == brief


@pytest.mark.parametrize(
    ("given", "interpreter"),
    [
        ({}, "auto_silent"),
        ({"ansible_python_interpreter": "/opt/python"}, "/opt/python"),
        ({"ansible_python_interpreter": "auto"}, "auto"),
    ],
)
def test_only_a_python_that_nobody_has_chosen_is_found_silently(
    given: dict[str, str], interpreter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANSIBLE_PYTHON_INTERPRETER", raising=False)
    assert silent({**given, "other": 1}) == {"ansible_python_interpreter": interpreter, "other": 1}


def test_a_choice_in_the_environment_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSIBLE_PYTHON_INTERPRETER", "auto")
    assert silent({"other": 1}) == {"other": 1}


def test_where_relative_paths_begin() -> None:
    assert folders({"inventory_dir": "/a", "playbook_dir": "/b"}) == [Path("/a"), Path("/b")]
    assert folders({"inventory_dir": None, "playbook_dir": "/b"}) == [Path("/b")]
