"""The hosts of the scenario `tls`, and whose certificates visitors see there."""

from __future__ import annotations

from testinfra.host import Host

from plugins.module_utils._catalog import FRONT_ENDS
from tests.support.tls import Handshake, handshake
from tests.support.visitor import address, hosts

WEB = [host for host in hosts() if not host.backend.hostname.endswith("-acme")]
(ACME,) = (host for host in hosts() if host.backend.hostname.endswith("-acme"))

FRONT_ENDS_WITH_TLS = [name for name, row in FRONT_ENDS.items() if row.tls]

LATER = {
    "frontend": FRONT_ENDS_WITH_TLS[-1],
    "own": {
        "certificate": ACME.file("/etc/pebble/own.pem").content_string,
        "key": ACME.file("/etc/pebble/own.key").content_string,
    },
    "more": ["more-{{ release }}.example"],
    "gone": "absent",
}
"""What the scenario has become in the end: another front end, a key instead of its path, one name more, a site less."""


def release(host: Host) -> str:
    """Return the name of a host's Debian release."""
    return str(host.backend.hostname.rpartition("-")[2])


def issued(host: Host) -> str:
    """Return the first of the names for which the ACME server has issued a certificate."""
    return f"issued-{release(host)}.example"


def seen(host: Host, name: str) -> Handshake:
    """Return what a visitor is shown who trusts nobody."""
    return handshake(address(host), name)
