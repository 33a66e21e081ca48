#!/usr/bin/python
# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: packages
short_description: Install Debian packages without starting their stock services
version_added: 1.0.0
author:
  - pyhost.web contributors (@pyhost)
description:
  - Installs those of the named packages that C(dpkg) does not have. If all are installed, C(apt) does not run at all,
    so a run without changes succeeds while the mirrors are down.
  - While packages are installed, no service is started (C(/usr/sbin/policy-rc.d)); an existing policy is restored
    afterwards, or by the next run if this one was interrupted.
options:
  name:
    description: Names of Debian packages, as C(dpkg-query) knows them (no virtual packages).
    type: list
    elements: str
    required: true
  lock_timeout:
    description: Maximum time in seconds to wait for another C(apt) or C(dpkg).
    type: int
    default: 120
extends_documentation_fragment: [pyhost.web._attributes, pyhost.web._attributes.needed]
attributes:
  check_mode:
    details: Reports what would be installed. Changes nothing.
    support: full
  diff_mode:
    details: The names of the packages that are installed.
    support: full
"""

EXAMPLES = r"""
- name: Install nginx, whose stock service stays down until it is configured
  pyhost.web.packages:
    name: [nginx-light]

- name: Install uWSGI
  pyhost.web.packages:
    name: [uwsgi-core, uwsgi-plugin-python3]
"""

RETURN = r"""
installed:
  description: The packages that were (in check mode, would be) installed because this list named them.
  type: list
  elements: str
  returned: success
  sample: [nginx-light]
seconds:
  description: Duration in seconds.
  type: float
  returned: success
  sample: 4.2
debian:
  description: Debian's release. Empty if it has no number yet.
  type: str
  returned: success
  sample: "13"
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import _entry
from ..module_utils._packages.apt import Host, Packages, apt_run

SPEC = {
    **_entry.NEEDED,
    "name": {"type": "list", "elements": "str", "required": True},
    "lock_timeout": {"type": "int", "default": 120},
}


def _work(module: AnsibleModule) -> dict[str, t.Any]:
    packages = Packages(Host(apt_run), module.params["name"], module.params["lock_timeout"])
    missing = packages.missing()
    if not module.check_mode:
        packages.install(missing)
    return {
        "changed": bool(missing),
        "installed": missing,
        "debian": packages.host.version(),
        "diff": {"before": "", "after": "".join(f"{name}\n" for name in missing)},
        "warnings": packages.warnings,
    }


def main() -> None:
    """Entry point."""
    _entry.run("packages", SPEC, _work)


if __name__ == "__main__":
    main()
