# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Hand a host the part of the model that its status needs; see plugins/modules/status.py for the documentation."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils._status import wanted


class ActionModule(ActionBase):
    """Takes the secrets out on the controller, works on the host."""

    _supports_check_mode = True
    _supports_async = False
    _supports_diff = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return what the module returns."""
        super().run(tmp, task_vars)
        args: dict[str, t.Any] = dict(self._task.args)
        models, host = args.pop("hosts", None), str((task_vars or {}).get("inventory_hostname"))
        if not isinstance(models, t.Mapping) or host not in models:
            raise AnsibleActionFail(f"hosts: has no model of {host}; give `hosts` of what pyhost.web.resolve returns")
        args["wanted"] = wanted(models, host)
        result: dict[str, t.Any] = self._execute_module(
            module_name="pyhost.web.status", module_args=args, task_vars=task_vars
        )
        return result
