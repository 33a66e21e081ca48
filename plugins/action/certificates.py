# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run where there is something to do; see plugins/modules/certificates.py for the documentation."""

from __future__ import annotations

import typing as t

from ..plugin_utils._action import HostAction


class ActionModule(HostAction):
    """Runs the module."""

    MODULE = "pyhost.web.certificates"
    _supports_diff = False

    def work(self, args: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return the module's result."""
        return self.execute(args, variables)
