# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""All that the role of a front end works with: its variables, its sites, and what follows from both."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping

from ...module_utils._catalog import FRONT_ENDS
from .._keys.checks import WEB_GROUP
from .._keys.key import Invalid, Problem
from .._servers import server
from .._servers.server import CURVES, FrontEndServer, Item, on_release
from .sites import sites

# What the modules of the role report of a host, as far as they have run: its release of Debian, where a server is that
# no distribution has, what was installed just now, and the certificates that are there.
_REPORTED = ("debian", "installed", "program", "version", "ready", "digests")

# For the handshake with clients that ask for a name of no site.
_UNKNOWN = {"name": "_unknown", "domains": ["pyhost.invalid"], "source": "self_signed"}


def front_end(role: str, settings: Mapping[str, t.Any], reported: Mapping[str, t.Any]) -> Item:
    """Return what a role works with; raise Invalid with every problem of its variables.

    ``settings`` are its public variables without the role's name in front, ``reported`` the results of its modules.
    """
    row = FRONT_ENDS[role.removeprefix("frontend_")]
    own = server.front_end(row.name)
    published = sites(f"{role}_sites", settings["sites"])
    certificates = list(_certificates(own, published))
    ports = [listen.rpartition(":")[2] for listen in settings.get("listen_tls", [])]
    if certificates and not ports:
        raise Invalid([Problem(f"{role}_listen_tls", 'empty, but a site has TLS. List ports, such as ["443"].')])
    protocols = sorted({mount["protocol"] for site in published for mount in site["mounts"]})
    acme = any(certificate["source"] == "acme" for certificate in certificates)
    needs = ["always", *protocols, *(["tls"] if certificates else []), *(["acme"] if acme else [])]
    found: Item = {
        **settings,
        **{key: reported[key] for key in _REPORTED if key in reported},
        "user": WEB_GROUP,
        "replaces": [f"frontend_{other}" for other in FRONT_ENDS if other != row.name]
        if settings["replaces"] is None
        else settings["replaces"],
        "sites": published,
        "domains": [domain for site in published for domain in site["domains"]],
        "certificates": certificates,
        "certificate_names": [certificate["name"] for certificate in certificates],
        "protocols": protocols,
        "needs": needs,
        "install": [package for need in needs for package in own.packages.get(need, ())],
        # Where the server is told of a renewed certificate.
        "renewals": [row.unit] if acme else [],
        "listening": [*settings["listen"], *(settings["listen_tls"] if certificates else [])],
        "ports_tls": list(dict.fromkeys(ports)),
        "https_port": ports[0] if ports else "",
        "curves": on_release(CURVES, reported.get("debian")),
        "has_tls": bool(certificates),
        "has_default": any(site["default"] for site in published),
        "has_default_tls": any(site["default"] and site["certificate"] for site in published),
    }
    return {**found, **own.derive(found)}


def _certificates(own: FrontEndServer, published: list[Item]) -> Iterator[Item]:
    """Yield the certificates that the server needs."""
    asked = [site["certificate"] for site in published if site["certificate"]]
    yield from asked
    if asked and own.answers_unknown_names:
        yield _UNKNOWN
