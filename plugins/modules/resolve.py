#!/usr/bin/python
# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: resolve
short_description: Resolve the inventory into the model of every host
version_added: 1.0.0
author:
  - pyhost.web contributors (@pyhost)
description:
  - Reads C(pyhost_apps), C(pyhost_apps__ANYTHING), C(pyhost_app_defaults), C(pyhost_frontend) and the other C(pyhost_)
    variables of all hosts in the inventory and returns what each host runs and publishes.
  - Runs on the controller, connects to no host and needs no facts, so a front end knows its back ends also under
    C(--limit).
  - Reports all problems of the whole inventory at once, each with the path of the value, what is wrong and what to do.
options:
  preset:
    description:
      - Defaults for keys in C(pyhost_app_defaults) of every host, such as C(backend), and for variables of every host,
        such as C(pyhost_frontend). The inventory overrides them.
    type: dict
    default: {}
  run:
    description:
      - The playbook. With V(deploy) and V(rollback), the models contain only the applications in C(pyhost_only).
        V(rollback) requires it.
      - With V(site) and V(deploy), the files on the controller that the playbook will read are checked too.
      - A variable that is given with C(-e) and that only other playbooks use is an error.
    type: str
    choices: [site, deploy, rollback, status]
    default: site
notes:
  - Run it once for all hosts (C(run_once), as in the playbook C(site)) and register the result.
  - The result contains the applications' secrets. It can be registered, but is not printed.
extends_documentation_fragment: pyhost.web._attributes.controller
attributes:
  check_mode:
    details: Runs the same in check mode.
    support: full
  idempotent:
    details: Never changes anything.
    support: full
"""

EXAMPLES = r"""
- name: Check descriptions of applications
  pyhost.web.resolve:
  run_once: true
  register: __pyhost_model

- name: Show what this host publishes
  ansible.builtin.debug:
    var: __pyhost_model.hosts[inventory_hostname].urls
"""

RETURN = r"""
hosts:
  description: The model of each host, by its inventory name.
  returned: success
  type: dict
  contains:
    apps:
      description: Releases that the host has, items of C(app_apps).
      type: list
      elements: dict
    retired:
      description: Units and files of applications that are not needed any more. They are removed if the host has them.
      type: list
      elements: str
    absent:
      description: Names of applications to remove.
      type: list
      elements: str
    purge:
      description: Names of applications whose data is removed too.
      type: list
      elements: str
    backends:
      description: Applications to run by back end, items of C(backend_uwsgi_apps) and the lists of the other back ends.
      type: dict
    frontend:
      description: The front end of the host. Empty if it has none.
      type: str
    replaced:
      description: Front-end roles whose server the host does not need. If the host has no front end, all of them.
      type: list
      elements: str
    sites:
      description: Sites that the host publishes, items of C(frontend_nginx_sites) or the list of another front end.
      type: list
      elements: dict
    urls:
      description: URLs that visitors can open, with the application of each.
      type: list
      elements: dict
    settings:
      description: The host's other settings, without their prefix.
      type: dict
    warnings:
      description: Warnings about settings that may not do what you expect. The same for all hosts.
      type: list
      elements: str
"""

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    """Refuse to run: the work is the action plugin's."""
    spec = {
        "preset": {"type": "dict", "default": {}},
        "run": {"type": "str", "choices": ["site", "deploy", "rollback", "status"], "default": "site"},
    }
    AnsibleModule(argument_spec=spec, supports_check_mode=True).fail_json(
        msg="pyhost.web.resolve runs on the controller. Call it in a task."
    )


if __name__ == "__main__":
    main()
