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
    C(/etc/pyhost/tls/NAME/privkey.pem), wherever the two come from. C(NAME) is a link, so another pair is in place in
    one step. Only root can read any of it.
  - It is called twice, for all sites at once. O(state=prepared) comes before the server is configured and leaves every
    name with a pair that the server can load; O(state=issued) comes when the server answers, and has an ACME server
    issue what it shall.
  - At certbot the certificate of a site is named C(pyhost_NAME). Any other certificate of certbot is the operator's and
    is neither used nor changed nor deleted, even if it is for the same domains.
  - One run at a time makes certificates on a host; another one waits for up to 10 minutes.
  - A site that waits for its first certificate of an ACME server has a self-signed stand-in for 7 days until then, or
    what it had before.
options:
  state:
    description:
      - V(prepared) makes self-signed certificates that are not there, are for other names or have less than a third of
        their 90 days left, takes over those that are given, and makes stand-ins.
      - V(issued) runs certbot for every name whose certificate is not there or is for other names, starts certbot's
        timer, and removes the certificates of names that are wanted no more, also at certbot.
        Where the ACME server issues none, the site keeps what it has, the others are issued, and the task fails in the
        end with certbot's words.
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
        description: Name of the site; letters, digits, C(.), C(-) and C(_). Each name occurs once.
        type: str
        required: true
      domains:
        description: Names in the certificate.
        type: list
        elements: str
        required: true
      source:
        description: Where it comes from.
        type: str
        choices: [self_signed, given, acme]
        required: true
      certificate:
        description:
          - With V(given), the certificate and its chain, as PEM text or an absolute path on the host.
          - A file that is given by its path, and every folder and link on the way to it, must belong to root and be
            writable by root only.
        type: str
        default: ""
      key:
        description: With V(given), the key that belongs to it, without a password, in the same form.
        type: str
        default: ""
  acme_server:
    description: Directory URL of the ACME server, whose terms of service are agreed to; left out, Let's Encrypt.
    type: str
  acme_email:
    description: Where the ACME server writes to; left out, nowhere.
    type: str
extends_documentation_fragment: [pyhost.web._attributes, pyhost.web._attributes.needed]
attributes:
  check_mode:
    details: Reports what would be made, issued and removed; touches nothing and asks no ACME server.
    support: full
  diff_mode:
    details: Nothing of a certificate is shown.
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
  description: Names that got (in check mode, would get) another certificate.
  type: list
  elements: str
  returned: always
  sample: [shop]
removed:
  description: What was removed; what certbot had of it, too.
  type: list
  elements: str
  returned: always
  sample: []
ready:
  description: Names that have more than a stand-in, so that visitors may be sent there.
  type: list
  elements: str
  returned: always
  sample: [intern]
digests:
  description:
    - By name, a digest that is another one where the server has to load the certificate again. It does not change when
      certbot renews, as its hook has told the server already, unless that hook failed.
  type: dict
  returned: always
  sample: {shop: 0b1d…}
units:
  description: Units that were (in check mode, would be) started.
  type: dict
  returned: always
  sample: {certbot.timer: start}
seconds:
  description: How long it took.
  type: float
  returned: always
  sample: 4.2
pending:
  description: Whether O(state=issued) has something to do.
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
