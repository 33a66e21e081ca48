#!/usr/bin/python
# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: status
short_description: Report what a host runs, and what removed applications left on it
version_added: 1.0.0
author:
  - pyhost.web contributors (@pyhost)
description:
  - Reads systemd, the manifests, the releases and the cgroups of all applications at once. Sends the C(health) request
    of every application that the host publishes, through the front end and with its name in the C(Host) header.
  - Lists files, units and accounts of applications that the model of this host does not have.
  - Changes nothing. Needs root, because the manifests belong to root.
options:
  hosts:
    description: The models of all hosts, as M(pyhost.web.resolve) returns them. Only the values that are needed are
      sent to the host, and no secret.
    type: dict
  url:
    description: URL at which the front end of this host answers, as seen from the host. Default is C(pyhost_probe_url)
      of the model.
    type: str
  done:
    description: Results that tasks of this run registered, by the names of the variables. They are not sent to the
      host. They are returned for C(format=summary) of M(pyhost.web.status_report).
    type: dict
    default: {}
  wanted:
    description: Set by the action.
    type: dict
extends_documentation_fragment: pyhost.web._attributes
attributes:
  check_mode:
    details: Runs the same in check mode.
    support: full
  diff_mode:
    details: Nothing changes.
    support: none
  idempotent:
    description: Never changes anything.
    support: full
seealso:
  - module: pyhost.web.status_report
"""

EXAMPLES = r"""
- name: Check descriptions of applications
  pyhost.web.resolve:
  run_once: true
  register: __pyhost_model

- name: Inspect hosts
  pyhost.web.status:
    hosts: "{{ __pyhost_model.hosts }}"
  become: true
  register: __pyhost_status
"""

RETURN = r"""
applications:
  description: Each application of the model by its name.
  type: dict
  returned: success
  contains:
    release:
      description: ID of the live release. Empty if there is none.
      type: str
    since:
      description: Time at which that release went live, in UTC.
      type: str
    next:
      description: ID of the release that the last build created. If it is not the live one, it did not go live yet.
      type: str
    releases:
      description: Number of complete releases on the host.
      type: int
    backend:
      description: The back end that runs the application. Empty if none does.
      type: str
    protocol:
      description: Protocol of the back end.
      type: str
    unit:
      description: Its service. Empty if the front end runs the processes.
      type: str
    state:
      description: State of the service, such as V(running), V(failed), V(auto-restart), or V(missing).
      type: str
    processes:
      description: Number of processes.
      type: int
    memory:
      description: Memory of the processes in bytes. Empty if systemd does not count it.
      type: int
    restarts:
      description: How often systemd restarted the service by itself since it was last started.
      type: int
  sample:
    shop:
      release: 0a1b2c3d4e5f6789
      since: "2026-11-23T03:20:00Z"
      next: 0a1b2c3d4e5f6789
      releases: 3
      backend: uwsgi
      protocol: uwsgi
      unit: pyhost-shop.service
      state: running
      processes: 3
      memory: 44040192
      restarts: 0
front_ends:
  description: C(unit), C(state) and C(version) of the package of each front end that the host has.
  type: dict
  returned: success
  sample: {nginx: {unit: nginx.service, state: running, version: 1.26.3-3+deb13u1}}
certificates:
  description: By site, the C(end) of its certificate in UTC, and whether it is a self-signed C(stand_in).
  type: dict
  returned: success
  sample: {shop.example.org: {end: "2027-02-21T03:20:00Z", stand_in: false}}
health:
  description: Answers of the applications that this host publishes, and, at their endpoints, of those that it runs for
    front ends on other hosts. If there is no answer, C(status) is empty and C(error) has the reason.
  type: dict
  returned: success
  sample: {shop: {status: 200, seconds: 0.012, error: ""}}
seconds:
  description: Duration in seconds, measured on the controller.
  type: float
  returned: success
  sample: 0.4
orphans:
  description: Files, units and accounts of applications that the model of this host does not have.
  type: list
  elements: dict
  returned: success
  sample: [{kind: data, name: /var/lib/pyhost/old, application: old}]
done:
  description: The values of O(done) that the summary needs.
  type: dict
  returned: success
  sample: {}
guard:
  description: V(missing) if the host needs the nftables table that protects its endpoints, and does not have it.
  type: str
  returned: success
  sample: ""
open:
  description: Endpoints of this host that accept connections from it although it is none of their front ends.
  type: list
  elements: str
  returned: success
  sample: []
interrupted:
  description: Components whose last run was interrupted. The next run recovers them.
  type: list
  elements: str
  returned: success
  sample: []
"""

import functools
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import _command, _entry
from ..module_utils._status.look import Question, Status, Wanted

SPEC: dict[str, t.Any] = {
    "hosts": {"type": "dict"},
    "url": {"type": "str"},
    "done": {"type": "dict", "default": {}},
    "wanted": {"type": "dict"},
}


def _work(module: AnsibleModule) -> dict[str, t.Any]:
    wanted = module.params["wanted"]
    questions = [Question(**question) for question in wanted["questions"]]
    run = functools.partial(_command.run, limit=120)
    found = Status(run).look(Wanted(**{**wanted, "questions": questions}, url=module.params["url"]))
    return {"changed": False, **found}


def main() -> None:
    """Entry point."""
    _entry.run("status", SPEC, _work, action_sets="wanted")


if __name__ == "__main__":
    main()
