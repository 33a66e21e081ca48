#!/usr/bin/python
# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: status_report
short_description: Report the state of all hosts as a table, JSON or a web page
version_added: 1.0.0
author:
  - pyhost.web contributors (@pyhost)
description:
  - Compares the results of M(pyhost.web.status) for every host with the model. Prints one table for all of them, or
    writes JSON or one self-contained HTML page with a picture of the topology.
  - Runs on the controller and connects to no host.
options:
  hosts:
    description: The models of all hosts, as M(pyhost.web.resolve) returns them.
    type: dict
    required: true
  results:
    description: Results of M(pyhost.web.status), by host. The report names hosts that were unreachable or failed.
    type: dict
    required: true
  failed:
    description: Hosts on which the run failed, for V(summary).
    type: list
    elements: str
    default: []
  format:
    description:
      - Format of the report. A table, JSON and a summary are printed if O(file) is not set.
      - V(summary) lists what the tasks in C(done) of O(results) changed, in check mode what they would change.
    type: str
    choices: [table, json, html, summary]
    default: table
  file:
    description: File to write on the controller, relative to the current folder. Default for V(html) is
      C(pyhost-status.html). In check mode nothing is written.
    type: path
  strict:
    description: Whether to fail after the report if something is not healthy or differs from the inventory. What
      removed applications left on a host is not a failure.
    type: bool
    default: false
notes:
  - Run it once for all hosts (C(run_once), as in the playbook C(status)).
extends_documentation_fragment: pyhost.web._attributes.controller
attributes:
  check_mode:
    details: Prints the same, but does not write a file.
    support: full
  idempotent:
    details: A file is written each time, as it contains the time.
    support: none
"""

EXAMPLES = r"""
- name: Show the status
  pyhost.web.status_report:
    hosts: "{{ __pyhost_model.hosts }}"
    results: "{{ dict(ansible_play_hosts_all | zip(__pyhost_found)) }}"
  run_once: true
  vars:
    __pyhost_found: "{{ ansible_play_hosts_all | map('extract', hostvars, '__pyhost_status') }}"
"""

RETURN = r"""
file:
  description: File that was written. Empty if the report was printed.
  type: str
  returned: success
  sample: /home/me/pyhost-status.html
healthy:
  description: Whether all hosts answer, all applications are healthy and nothing differs from the inventory.
  type: bool
  returned: success
  sample: true
problems:
  description: Everything that is not healthy or differs from the inventory.
  type: list
  elements: str
  returned: success
  sample: ["web1: nginx.service is failed. `journalctl --unit nginx.service` on the host shows why."]
"""

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    """Refuse to run: the work is the action plugin's."""
    spec = {
        "hosts": {"type": "dict", "required": True},
        "results": {"type": "dict", "required": True},
        "failed": {"type": "list", "elements": "str", "default": []},
        "format": {"type": "str", "choices": ["table", "json", "html", "summary"], "default": "table"},
        "file": {"type": "path"},
        "strict": {"type": "bool", "default": False},
    }
    AnsibleModule(argument_spec=spec, supports_check_mode=True).fail_json(
        msg="pyhost.web.status_report runs on the controller. Call it in a task."
    )


if __name__ == "__main__":
    main()
