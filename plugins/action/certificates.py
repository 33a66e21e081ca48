# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run where there is something to do; see plugins/modules/certificates.py for the documentation."""

from __future__ import annotations

from ..plugin_utils._action import HostAction


class ActionModule(HostAction):
    """Runs the module."""

    MODULE = "pyhost.web.certificates"
    _supports_diff = False
