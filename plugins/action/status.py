# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Hand a host the part of the model that its status needs; see plugins/modules/status.py for the documentation."""

from __future__ import annotations

import typing as t

from ..plugin_utils._action import Failure, HostAction
from ..plugin_utils._report.report import wanted
from ..plugin_utils._report.summary import registered


class ActionModule(HostAction):
    """Takes the secrets out on the controller, works on the host."""

    MODULE = "pyhost.web.status"
    _supports_diff = False

    def work(self, args: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return what the module returns."""
        models, host = args.pop("hosts", None), str(variables.get("inventory_hostname"))
        if not isinstance(models, t.Mapping) or host not in models:
            raise Failure(f"hosts: no model of {host}. Pass `hosts` from the result of pyhost.web.resolve.")
        done = args.pop("done", None) or {}
        args["wanted"] = wanted(models, host)
        args.setdefault("url", models[host]["settings"]["probe_url"])
        return {**self.execute(args, variables), "done": registered(done)}
