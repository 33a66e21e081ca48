# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What every module does before and after its work."""

from __future__ import annotations

import os
import typing as t

import pytest
from ansible_collections.pyhost.web.plugins.module_utils import _entry
from ansible_collections.pyhost.web.plugins.module_utils._errors import PyhostError
from ansible_collections.pyhost.web.plugins.module_utils._mask import Mask


class Ended(Exception):
    """The module has answered."""


class Module:
    """Stands in for Ansible's."""

    def __init__(self, argument_spec: dict[str, t.Any], supports_check_mode: bool) -> None:
        assert supports_check_mode
        self.params = argument_spec
        self.no_log_values: set[str] = {"1"}
        self.warnings: list[str] = []
        self.answer: dict[str, t.Any] = {}
        Module.last = self

    last: t.ClassVar[Module]

    def warn(self, text: str) -> None:
        """Note a warning."""
        self.warnings.append(text)

    def exit_json(self, **answer: t.Any) -> None:
        """Note the answer."""
        self.answer = answer
        raise Ended

    def fail_json(self, **answer: t.Any) -> None:
        """Note the answer."""
        self.exit_json(failed=True, **answer)


@pytest.fixture(autouse=True)
def _module(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[None]:
    umask = os.umask(0o077)
    monkeypatch.setattr(_entry, "AnsibleModule", Module)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("LC_ALL", "tlh_KX")
    yield
    os.umask(umask)


SECRETS = _entry.Secrets(
    shown=lambda params: {"name": params["name"]},
    values=lambda _params: {"of-ansible"},
    mask=lambda params: Mask([params["key"]]),
)
PARAMS = {"name": "shop", "key": "hush-hush", "done": None}


def run(work: t.Callable[[t.Any], dict[str, t.Any]], **options: t.Any) -> Module:
    """Run a module, and return how it ended."""
    with pytest.raises(Ended):
        _entry.run("sample", PARAMS, work, **options)
    return Module.last


def fails(problem: Exception) -> t.Callable[[t.Any], dict[str, t.Any]]:
    """Return work that fails."""

    def work(_module: t.Any) -> t.NoReturn:
        raise problem

    return work


def test_the_result_is_printable_and_has_no_secret() -> None:
    result = {"changed": True, "words": ["\x1b[31m"], "warnings": ["hush-hush \x07"]}
    module = run(lambda _module: result, secrets=SECRETS)
    invocation = {"module_args": {"name": "shop"}}
    assert module.answer == {"changed": True, "words": ["\\x1b[31m"], "invocation": invocation}
    assert module.warnings == ["******** \\x07"]
    assert module.no_log_values == {"of-ansible"}


def test_work_is_done_in_one_language_and_with_one_umask() -> None:
    def work(_module: t.Any) -> dict[str, t.Any]:
        umask = os.umask(0)
        return {"umask": umask, "language": os.environ["LC_ALL"]}

    module = run(work)
    assert module.answer == {"umask": 0o022, "language": "C.UTF-8"}
    # Without secrets of its own, the module leaves those of Ansible alone.
    assert module.no_log_values == {"1"}


FAILURES: dict[str, tuple[Exception, str]] = {
    "for the user": (PyhostError("no hush-hush\x1b"), "no ********\\x1b"),
    "of the system": (PermissionError(1, "Not permitted", "/hush-hush"), "/********: Not permitted"),
    "of the system without a file": (TimeoutError("too late"), "too late"),
    "unforeseen": (ValueError("hush-hush\nagain"), "unexpected ValueError at test_entry.py:"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_failures_are_one_readable_message(case: str) -> None:
    problem, words = FAILURES[case]
    answer = run(fails(problem), secrets=SECRETS).answer
    assert answer["failed"]
    assert answer["msg"] == words if case != "unforeseen" else answer["msg"].startswith(words)
    assert "hush" not in answer["msg"]
    assert answer["invocation"] == {"module_args": {"name": "shop"}}


def test_details_of_a_failure_are_in_the_result() -> None:
    answer = run(fails(PyhostError("wrong", file="/etc/\x07", line=3, application=None))).answer
    assert answer == {"failed": True, "msg": "wrong", "file": "/etc/\\x07", "line": 3}


def test_only_root_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    answer = run(fails(AssertionError("it ran"))).answer
    assert answer["msg"] == "sample must run as root on the host. Set `become: true`."


def test_what_an_action_finishes_is_not_run_without_it() -> None:
    answer = run(fails(AssertionError("it ran")), action_sets="done").answer
    assert answer["msg"] == "sample needs its action plugin. Call it as pyhost.web.sample in a task."
