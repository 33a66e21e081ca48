# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Render all files of a server and hand them over at once; see plugins/modules/config_set.py for the documentation."""

from __future__ import annotations

import hashlib
import typing as t
from pathlib import Path

from ansible import constants

from ..plugin_utils._action import Failure, HostAction, plain
from ..plugin_utils._render import render


def _run() -> str:
    """Return what all tasks of one run of Ansible have in common: it makes a folder for itself."""
    return hashlib.sha256(str(constants.DEFAULT_LOCAL_TMP).encode()).hexdigest()[:16]


class ActionModule(HostAction):
    """Renders on the controller, works on the host."""

    MODULE = "pyhost.web.config_set"
    _supports_diff = True

    def work(self, args: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return what the module returns, or fail with every problem of the input at once."""
        search_path = [
            str(path) for folder in map(Path, self._task.get_search_path()) for path in (folder / "templates", folder)
        ]
        # What several roles print alike.
        search_path.append(str(Path(__file__).parents[2] / "playbooks" / "templates"))
        rendered = render(plain(args), search_path)
        if rendered.problems:
            raise Failure("\n".join(rendered.problems))
        return self.execute({**rendered.options, "run": _run()}, variables)
