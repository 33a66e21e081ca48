# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is told where somebody could not become root; what Ansible makes of it is seen in the scenario transaction."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.pyhost.web.plugins.plugin_utils._action import folders, refusal


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
        assert told.startswith(f"jim cannot become root on this host ({why}), and pyhost.web has to be root there; ")


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


def test_where_relative_paths_begin() -> None:
    assert folders({"inventory_dir": "/a", "playbook_dir": "/b"}) == [Path("/a"), Path("/b")]
    assert folders({"inventory_dir": None, "playbook_dir": "/b"}) == [Path("/b")]
