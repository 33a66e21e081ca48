# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the actions of modules that work as root on a host have in common."""

from __future__ import annotations

import re
import time
import typing as t
from pathlib import Path

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.collections import is_sequence
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ..module_utils._text import clean, one_line

# What sudo, su and doas say begins with their name; a module that crashed says something else.
REFUSED = re.compile(r"^(?:sudo|su|doas): .*|^.*(?:sudo|su|doas): (?:command )?not found$", re.MULTILINE)


def refusal(result: t.Mapping[str, t.Any], user: str) -> str:
    """Return why `user` could not become root, for people; empty where it could, or nobody said so.

    `result` is what became of a module. Ansible itself only says that it found no JSON.
    """
    said = REFUSED.search(str(result.get("module_stderr", "")) + str(result.get("module_stdout", "")))
    if not said:
        return ""
    return (
        f"pyhost.web needs root, but {user} cannot become root on this host ({one_line(said.group())}). Grant {user}"
        " sudo"
        " rights, pass the password with --ask-become-pass, or connect as another user."
    )


class Failure(AnsibleActionFail):
    """Ends a task. Ansible prints the whole text, and below it the result, which repeats only the first line."""

    def __init__(self, text: str) -> None:
        """Keep the text."""
        super().__init__(text)
        self._text = text

    def __str__(self) -> str:
        """Return the whole text."""
        return self._text

    @property
    def message(self) -> str:
        """Return what the result has as C(msg)."""
        return first_line(self._text)


def first_line(text: str) -> str:
    """Return what is wrong, without the list or the quotation below it."""
    return text.strip().partition("\n")[0].rstrip(":")


def failed(result: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the result of a module that failed as a reader needs it: the whole message is part of the exception."""
    kept = {key: value for key, value in result.items() if key not in ("ansible_facts", "seconds")}
    return {**kept, "msg": first_line(str(result.get("msg", "")))}


def silent(variables: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the variables of a host so that Ansible does not warn that it has found a Python there by itself.

    The modules need nothing but its standard library. A choice of the user is left alone.
    """
    _mode, origin = constants.config.get_config_value_and_origin("INTERPRETER_PYTHON", variables=dict(variables))
    chosen = {} if origin != "default" else {"ansible_python_interpreter": "auto_silent"}
    return {**variables, **chosen}


def plain(value: t.Any) -> t.Any:
    """Return a templated value as plain Python data, without Ansible's lazy parts."""
    if isinstance(value, t.Mapping):
        return {plain(key): plain(member) for key, member in value.items()}
    if is_sequence(value):
        return [plain(member) for member in value]
    return str(value) if isinstance(value, str) else value


def folders(variables: t.Mapping[str, t.Any]) -> list[Path]:
    """Return where relative paths of a user begin: the folders of the inventory and of the playbook."""
    return [Path(variables[key]) for key in ("inventory_dir", "playbook_dir") if variables.get(key)]


class HostAction(ActionBase):
    """Runs its module, and tells how long that took, as seen from the controller (C(seconds)).

    A task with C(needed=false) ends here. C(when) would print a line C(skipping) for it, in every run of most hosts.
    """

    MODULE: str
    _supports_check_mode = True
    _supports_async = False

    def work(self, args: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return the result, for the arguments of the task and the variables of the host."""
        return self.execute(args, variables)

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return the module's result."""
        super().run(tmp, task_vars)
        args = dict(self._task.args)
        if not boolean(args.pop("needed", True)):
            return {"changed": False}
        begin = time.monotonic()
        try:
            result = self.work(args, silent(task_vars or {}))
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return failed(result) if result.get("failed") else {**result, "seconds": round(time.monotonic() - begin, 1)}

    def execute(self, args: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """Run the module once."""
        # Also of a module that crashed: its words may be anybody's.
        result: dict[str, t.Any] = clean(self._execute_module(self.MODULE, args, task_vars=variables))
        why = refusal(result, self._get_remote_user() or "the user of the connection")
        if why:
            raise Failure(why)
        return result

    def upload(self, path: Path, name: str) -> str:
        """Return where a file of the controller is on the host until the task ends."""
        shell = self._connection._shell
        if shell.tmpdir is None:
            self._make_tmp_path()
        there = str(shell.join_path(shell.tmpdir, name))
        self._transfer_file(str(path), there)
        return there
