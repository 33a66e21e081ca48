# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action of the module C(accounts): where a role first needs root, and says so in its own words."""

from __future__ import annotations

from ..plugin_utils._action import HostAction


class ActionModule(HostAction):
    """Runs the module."""

    MODULE = "pyhost.web.accounts"
