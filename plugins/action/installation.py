# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action of the module C(installation): sends a file that is on the controller, where the host asks for it."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils._folder import FolderError, file_digest, find

MODULE = "pyhost.web.installation"


class ActionModule(ActionBase):
    """Runs the module once where nothing has to be sent, else twice."""

    TRANSFERS_FILES = True
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return the module's result."""
        super().run(tmp, task_vars)
        variables = task_vars or {}
        args: dict[str, t.Any] = dict(self._task.args)
        origin = str(args.get("archive") or args.get("deb") or "")
        path = None
        if origin and "://" not in origin:
            folders = [Path(variables[key]) for key in ("inventory_dir", "playbook_dir") if variables.get(key)]
            try:
                path = find(origin, folders)
                args["digest"] = file_digest(path)
            except (FolderError, OSError) as problem:
                raise AnsibleActionFail(str(problem)) from problem
            checksum = args.get("checksum")
            if checksum and checksum != f"sha256:{args['digest']}":
                raise AnsibleActionFail(f"checksum: {origin} has sha256:{args['digest']}, not {checksum}")
        try:
            result: dict[str, t.Any] = self._execute_module(MODULE, args, task_vars=variables)
            if "needed" in result and path:
                shell = self._connection._shell
                if shell.tmpdir is None:
                    self._make_tmp_path()
                upload = shell.join_path(shell.tmpdir, path.name)
                self._transfer_file(str(path), upload)
                result = self._execute_module(MODULE, {**args, "upload": upload}, task_vars=variables)
            return result
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
