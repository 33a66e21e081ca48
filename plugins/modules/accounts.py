#!/usr/bin/python
# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: accounts
short_description: Create the accounts of applications
version_added: 1.0.0
author:
  - pyhost.web contributors (@pyhost)
description:
  - Makes the accounts that do not exist yet, with C(systemd-sysusers), each with its own group. They cannot log in.
  - Rejects, before anything changes and all at once, what an application must not take over. An account that exists
    already and that this module did not make is used only if the application names it, if it has its own group,
    if it cannot log in and if it is not one of the system's. A group that exists already is never used.
  - C(/etc/sysusers.d/pyhost-accounts.conf) lists the accounts of all applications that the host has ever had. An
    account that somebody deletes comes back with its numbers, so no other one gets what has been left behind.
  - An account that was locked when its application was purged is unlocked when the application comes back.
options:
  apps:
    description: The applications that the host runs.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the application.
        type: str
        required: true
      user:
        description: Account that runs it.
        type: str
        required: true
      named:
        description: Whether the application's description names the account, so that it may be shared or exist already.
        type: bool
        default: false
extends_documentation_fragment: pyhost.web._attributes
attributes:
  check_mode:
    details: Reports which accounts would be made, and what stands against it.
    support: full
  diff_mode:
    details: The names of the accounts that are made or unlocked.
    support: full
"""

EXAMPLES = r"""
- name: Create the accounts of three applications, two of which share theirs
  pyhost.web.accounts:
    apps:
      - {name: shop, user: shop}
      - {name: blog, user: web, named: true}
      - {name: wiki, user: web, named: true}
"""

RETURN = r"""
accounts:
  description: The accounts that were (in check mode, would be) made or unlocked.
  type: list
  elements: str
  returned: success
  sample: [shop]
files:
  description: The register, if it is about to say something else.
  type: list
  elements: str
  returned: success
  sample: [/etc/sysusers.d/pyhost-accounts.conf]
seconds:
  description: How long it took, as seen from the controller.
  type: float
  returned: success
  sample: 0.4
msg:
  description: On failure, every account that cannot be had, with its applications.
  type: str
  returned: failure
  sample: >-
    app audio: user: the group 'audio' (gid 29) is on this host already, and would be the application's; set 'user' to a
    name that neither an account nor a group of this host has
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import _entry
from ..module_utils._errors import PyhostError
from ..module_utils._release.accounts import REGISTER, Accounts, users_of

APP = {
    "name": {"type": "str", "required": True},
    "user": {"type": "str", "required": True},
    "named": {"type": "bool", "default": False},
}

SPEC = {"apps": {"type": "list", "elements": "dict", "options": APP, "required": True}}


def _work(module: AnsibleModule) -> dict[str, t.Any]:
    accounts = Accounts()
    users = users_of(module.params["apps"])
    problems = accounts.problems(users)
    if problems:
        raise PyhostError("\n".join(problems))
    names = accounts.provide(users, is_check=module.check_mode)
    return {
        "changed": bool(names),
        "accounts": names,
        "files": [str(REGISTER)] if names else [],
        "diff": {"before": "", "after": "".join(f"{name}\n" for name in names)},
    }


def main() -> None:
    """Entry point."""
    _entry.run("accounts", SPEC, _work)


if __name__ == "__main__":
    main()
