#!/usr/bin/python
# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: certificates
short_description: Manage the certificates of all sites of a host
version_added: 1.0.0
author:
  - pyhost.web contributors (@pyhost)
description:
  - A server finds the certificate of a site in C(/etc/pyhost/tls/NAME/fullchain.pem) and its key in
    C(/etc/pyhost/tls/NAME/privkey.pem), whatever their source is. C(NAME) is a link, so certificate and key are
    replaced in one step. Only root can read these files.
  - Call it twice, for all sites at once. O(state=prepared) runs before the server is configured, and gives every site a
    certificate and key that the server can load. O(state=issued) runs when the server answers, and requests
    certificates from an ACME server.
  - Certbot's name of the certificate of a site is C(pyhost_NAME). All other certificates of certbot belong to the
    operator. They are neither used nor changed nor deleted, even if they are for the same domains.
  - One run at a time creates certificates on a host. Another run waits for up to 10 minutes.
  - Until the ACME server has issued the first certificate of a site, the site keeps the certificate that it had. If it
    had none, it gets a self-signed stand-in that is valid for 7 days.
options:
  state:
    description:
      - V(prepared) creates self-signed certificates that are missing, are for other names or have less than a third of
        their 90 days left. It also copies those that are given, and creates stand-ins.
      - V(issued) runs certbot for every site whose certificate is missing or is for other names, and starts certbot's
        timer. It removes the certificates of sites that are no longer listed, also from certbot. If the ACME server
        does not issue a certificate, the site keeps the one that it has, and the others are issued. The task fails in
        the end with certbot's output.
    type: str
    choices: [prepared, issued]
    default: prepared
  certificates:
    description: All certificates of the host.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the site. Letters, digits, C(.), C(-) and C(_). Each name occurs once.
        type: str
        required: true
      domains:
        description: Names in the certificate.
        type: list
        elements: str
        required: true
      source:
        description: Source of the certificate.
        type: str
        choices: [self_signed, given, acme]
        required: true
      certificate:
        description:
          - With V(given), the certificate and its chain, as PEM text or an absolute path on the host.
          - If it is a path, the file and every folder and link on that path must belong to root, and only root may have
            write permission.
        type: str
        default: ""
      key:
        description: With V(given), the key of the certificate, without a password, in the same form.
        type: str
        default: ""
  acme_server:
    description: Directory URL of the ACME server. You agree to its terms of service. Default is Let's Encrypt.
    type: str
  acme_email:
    description: Contact address for the ACME account. Optional.
    type: str
extends_documentation_fragment: [pyhost.web._attributes, pyhost.web._attributes.needed]
attributes:
  check_mode:
    details: Reports what would be created, issued and removed. Changes nothing, and sends no request to an ACME server.
    support: full
  diff_mode:
    details: Certificates are never shown.
    support: none
"""

EXAMPLES = r"""
- name: Prepare certificates
  pyhost.web.certificates:
    certificates:
      - {name: shop, domains: [shop.example.org], source: acme}
      - {name: intern, domains: [intern.example.org], source: self_signed}
  register: certificates

- name: Configure the server, which answers /.well-known/acme-challenge/ from /var/lib/pyhost/.acme
  ansible.builtin.import_tasks: server.yml

- name: Request certificates
  pyhost.web.certificates:
    state: issued
    acme_email: hostmaster@example.org
    certificates:
      - {name: shop, domains: [shop.example.org], source: acme}
      - {name: intern, domains: [intern.example.org], source: self_signed}
  when: certificates.pending
"""

RETURN = r"""
made:
  description: Sites that got (in check mode, would get) another certificate.
  type: list
  elements: str
  returned: always
  sample: [shop]
removed:
  description: Certificates that were (in check mode, would be) removed, also from certbot.
  type: list
  elements: str
  returned: always
  sample: []
ready:
  description: Sites that have more than a stand-in, so that HTTP can be redirected to HTTPS.
  type: list
  elements: str
  returned: always
  sample: [intern]
digests:
  description:
    - By site, a digest that changes when the server has to load the certificate again. It does not change when certbot
      renews the certificate, because certbot's hook reloads the server then, unless that hook failed.
  type: dict
  returned: always
  sample: {shop: 0b1d…}
units:
  description: Units that were (in check mode, would be) started.
  type: dict
  returned: always
  sample: {certbot.timer: start}
seconds:
  description: Duration in seconds.
  type: float
  returned: always
  sample: 4.2
pending:
  description: Whether a task with O(state=issued) has something to do.
  type: bool
  returned: always
  sample: true
"""

import functools
import typing as t
from collections.abc import Sequence

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import _entry
from ..module_utils._errors import PyhostError
from ..module_utils._tls.certificates import Acme, Certificates, wanted_of

ARGUMENTS: dict[str, t.Any] = {
    **_entry.NEEDED,
    "state": {"type": "str", "choices": ["prepared", "issued"], "default": "prepared"},
    "certificates": {
        "type": "list",
        "elements": "dict",
        "default": [],
        # Keys must not reach the host's log.
        "no_log": True,
        "options": {
            "name": {"type": "str", "required": True},
            "domains": {"type": "list", "elements": "str", "required": True},
            "source": {"type": "str", "choices": ["self_signed", "given", "acme"], "required": True},
            "certificate": {"type": "str", "default": ""},
            "key": {"type": "str", "default": "", "no_log": True},
        },
    },
    "acme_server": {"type": "str"},
    "acme_email": {"type": "str"},
}


def _keys(params: _entry.Params) -> set[str]:
    """Return the keys, which must not be printed: all of C(certificates) would be starred out of messages."""
    inline = (one.key for one in wanted_of(params["certificates"]) if one.inline)
    return {text for key in inline for text in (key, *key.splitlines()) if len(text) >= 8}


def _work(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    run_command = functools.partial(module.run_command, expand_user_and_vars=False, handle_exceptions=False)

    def run(command: Sequence[str]) -> tuple[int, str]:
        try:
            status, output, complaints = run_command(list(command))
        except FileNotFoundError:
            return 127, f"this host has no {command[0]}. Install its package in an earlier task."
        return status, f"{output}\n{complaints}".strip()

    server = {"server": params["acme_server"]} if params["acme_server"] else {}
    acme = Acme(email=params["acme_email"] or "", **server)
    certificates = Certificates(run, wanted_of(params["certificates"]), acme, module.check_mode)
    outcome = certificates.prepare() if params["state"] == "prepared" else certificates.issue()
    result = {
        "changed": outcome.changed,
        **{key: getattr(outcome, key) for key in ("made", "removed", "units", "ready", "digests", "pending")},
    }
    if outcome.failures:
        raise PyhostError("\n".join(outcome.failures), **result)
    return result


def main() -> None:
    """Entry point."""
    secrets = _entry.Secrets(shown=lambda params: {"state": params["state"]}, values=_keys)
    _entry.run("certificates", ARGUMENTS, _work, secrets=secrets)


if __name__ == "__main__":
    main()
