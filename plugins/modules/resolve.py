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
  - Reads C(pyhost_apps), C(pyhost_apps__ANYTHING), C(pyhost_app_defaults), C(pyhost_frontend) and the other
    C(pyhost_) variables of all hosts in the inventory and returns what each host has to run and to publish.
  - Runs on the controller, connects to no host and needs no facts, so a front end knows its back ends also under
    C(--limit).
  - Fails with every problem of the whole inventory at once, each with the path of the value, what it is and what
    would be right.
options:
  preset:
    description:
      - Keys that lie under every host's C(pyhost_app_defaults), such as C(backend), and variables that lie under its
        own, such as C(pyhost_frontend).
    type: dict
    default: {}
  run:
    description:
      - The playbook. With V(deploy) and V(rollback) the models are about the applications that C(pyhost_only) names,
        which V(rollback) needs.
      - With V(site) and V(deploy), the files of the controller that the playbook will read are looked at, too.
      - Variables that are given with C(-e) to other playbooks than this are an error.
    type: str
    choices: [site, deploy, rollback, status]
    default: site
notes:
  - Run it once for all hosts (C(run_once), as in the playbook C(site)) and register the result.
  - The result holds the applications' secrets. It is registered whole, but not printed.
extends_documentation_fragment: pyhost.web._attributes.controller
attributes:
  check_mode:
    details: Runs the same in check mode.
    support: full
  idempotent:
    details: Changes nothing, ever.
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
      description: Releases that the host holds, items of C(app_apps).
      type: list
      elements: dict
    retired:
      description: Units and files of applications that no way to run them needs any more, if the host has them.
      type: list
      elements: str
    absent:
      description: Names of applications that are to be removed.
      type: list
      elements: str
    purge:
      description: Names of applications whose data is to be removed too.
      type: list
      elements: str
    backends:
      description: Processes by back end, items of C(backend_uwsgi_apps) and its siblings.
      type: dict
    frontend:
      description: The front end of the host, empty where it runs none.
      type: str
    replaced:
      description: Roles whose server the host has no use for, if it has it; all front ends where it runs none.
      type: list
      elements: str
    sites:
      description: Sites that the host publishes, items of C(frontend_nginx_sites) and its siblings.
      type: list
      elements: dict
    urls:
      description: What a visitor can ask, by application.
      type: list
      elements: dict
    settings:
      description: The host's other settings, without their prefix.
      type: dict
    warnings:
      description: What is possible, but perhaps not what somebody expects; the same for all hosts.
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
