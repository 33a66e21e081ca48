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
  - Creates the accounts that do not exist yet, with C(systemd-sysusers), each with its own group. They cannot log in.
  - Rejects accounts that an application must not use, before anything changes and all at once. If this module did not
    create an existing account, the application must name it. Such an account must have its own group, must not be able
    to log in and must not belong to the system. A group that exists already is never used.
  - C(/etc/sysusers.d/pyhost-accounts.conf) lists the accounts of all applications that the host has ever had. A deleted
    account is created again with the same IDs, so no other account gets the files that are left.
  - An account that was locked when its application was purged is unlocked when the application comes back.
options:
  apps:
    description: Applications that the host runs.
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
    details: Reports which accounts would be created, and all problems.
    support: full
  diff_mode:
    details: The names of the accounts that are created or unlocked.
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
  description: Accounts that were (in check mode, would be) created or unlocked.
  type: list
  elements: str
  returned: success
  sample: [shop]
files:
  description: The list of accounts, if it changes.
  type: list
  elements: str
  returned: success
  sample: [/etc/sysusers.d/pyhost-accounts.conf]
seconds:
  description: Duration in seconds, measured on the controller.
  type: float
  returned: success
  sample: 0.4
msg:
  description: Every account that cannot be used, with its applications.
  type: str
  returned: failure
  sample: >-
    app audio: user: the group 'audio' (gid 29) exists on this host, and would become the application's. Set `user` to a
    name that no account and no group of this host has.
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
