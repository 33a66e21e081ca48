# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What leaves the module: no secret, and nothing that Ansible cannot read."""

from __future__ import annotations

import contextlib
import json
import typing as t

import pytest
from ansible_collections.pyhost.web.plugins.module_utils import _entry
from ansible_collections.pyhost.web.plugins.module_utils._release.tree import TreeError
from ansible_collections.pyhost.web.plugins.modules import releases


class Ended(Exception):
    """The module has answered."""


class Module:
    """Stands in for Ansible's."""

    answer: t.ClassVar[dict[str, t.Any]] = {}
    check_mode = False

    def __init__(self, argument_spec: dict[str, t.Any], supports_check_mode: bool) -> None:
        app = {"name": "shop", "env": {"KEY": "secret-key", "N": 12345}}
        self.params = {"apps": [app], "build_env": {"TOKEN": "of-the-build"}, "uploads": {}}
        self.no_log_values: set[str] = set()

    def fail_json(self, **answer: t.Any) -> None:
        """Notes the answer."""
        Module.answer = answer
        raise Ended

    exit_json = fail_json


FAILURES = {
    "a name that is not UTF-8": (TreeError("/srv/\udcff is no file"), "/srv/\\xff is no file"),
    "secrets": (ValueError("no secret-key and of-the-build, 12345"), ": no ******** and ********, ********. Please"),
    "a full disk": (OSError(28, "No space left on device", "/dev/full"), "/dev/full: No space left on device"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_failures(monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    problem, words = FAILURES[case]

    def run(_module: t.Any) -> t.NoReturn:
        raise problem

    monkeypatch.setattr(_entry, "AnsibleModule", Module)
    monkeypatch.setattr(releases, "BUS", "/")
    monkeypatch.setattr(releases, "alone", lambda *_arguments: contextlib.nullcontext())
    monkeypatch.setattr(releases, "_Run", run)
    with pytest.raises(Ended):
        releases.main()
    assert words in Module.answer["msg"]
    assert Module.answer["invocation"] == {"module_args": {"apps": ["shop"]}}
    json.dumps(Module.answer, ensure_ascii=False).encode("utf-8")
