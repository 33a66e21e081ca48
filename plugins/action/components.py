# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Find which components of the collection a host has; see plugins/modules/components.py for the documentation."""

from __future__ import annotations

from ..plugin_utils._action import HostAction


class ActionModule(HostAction):
    """Runs the module."""

    MODULE = "pyhost.web.components"
    _supports_diff = False
