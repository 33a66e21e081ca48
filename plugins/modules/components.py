#!/usr/bin/python
# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: components
short_description: List the components that a host has
version_added: 1.0.0
author:
  - pyhost.web contributors (@pyhost)
description:
  - Lists the roles that have set up something on the host, including those whose last run was interrupted.
  - The playbook C(site) runs only roles that are listed or have something to do.
  - Changes nothing.
extends_documentation_fragment: pyhost.web._attributes
attributes:
  check_mode:
    details: Does the same.
    support: full
  diff_mode:
    details: Nothing changes.
    support: N/A
"""

EXAMPLES = r"""
- name: Find installed components
  pyhost.web.components:
  register: there
"""

RETURN = r"""
components:
  description: Names of roles.
  type: list
  elements: str
  returned: success
  sample: [app, backend_uwsgi, frontend_nginx]
seconds:
  description: Duration in seconds.
  type: float
  returned: success
  sample: 0.4
"""

import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import _entry
from ..module_utils._layout import MANIFESTS


def _work(_module: AnsibleModule) -> dict[str, t.Any]:
    # A journal without a manifest is what the first run of a role leaves when it is interrupted.
    records = (path for pattern in ("*.json", "*.journal") for path in Path(MANIFESTS).glob(pattern))
    return {"changed": False, "components": sorted({path.stem for path in records if path.name[0] != "."})}


def main() -> None:
    """Entry point."""
    _entry.run("components", {}, _work)


if __name__ == "__main__":
    main()
