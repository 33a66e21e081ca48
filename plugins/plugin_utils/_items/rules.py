# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a front end cannot do with a site: one list, for the inventory and for a role's own list of sites."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Iterator, Mapping

from ...module_utils._catalog import FRONT_ENDS, INSIDE_THE_FRONT_END, FrontEnd
from .._keys.key import suggest
from .._servers import server
from .._servers.server import Refusal, mounts

Site = Mapping[str, t.Any]
Rule = Callable[[FrontEnd, Site], Iterator[Refusal]]


def refusals(row: FrontEnd, site: Site) -> Iterator[Refusal]:
    """Yield all that a front end cannot do of a site."""
    for rule in _RULES:
        yield from rule(row, site)
    yield from server.front_end(row.name).refuses(site)


def instead(ability: str) -> str:
    """Return the advice to leave a key out, or to publish with a front end that has the ability."""
    able = [row.name for row in FRONT_ENDS.values() if getattr(row, ability)]
    return f"leave it out, or publish with {' or '.join(able)}"


def _needs_tls(row: FrontEnd, site: Site) -> Iterator[Refusal]:
    if site.get("tls", "off") != "off" and not row.tls:
        yield Refusal("", "tls", f"{row.title} publishes without TLS only; {instead('tls')}")


def _acme_proves(_row: FrontEnd, site: Site) -> Iterator[Refusal]:
    if site.get("tls") != "acme":
        return
    wildcards = [domain for domain in site["domains"] if domain.startswith("*")]
    if wildcards:
        yield Refusal(
            "",
            "tls",
            f"'acme' proves names over HTTP, which cannot prove {', '.join(wildcards)}; name each host, or give"
            " {certificate, key}",
        )
    if not site["domains"]:
        yield Refusal("", "tls", "'acme' needs names to prove; give domains, or choose another tls")


def _speaks(row: FrontEnd, site: Site) -> Iterator[Refusal]:
    for mount in mounts(site):
        wrong = _wrong_way(mount, row)
        if wrong:
            yield Refusal(mount["app"], "protocol", wrong)


def _wrong_way(mount: Mapping[str, t.Any], front_end: FrontEnd) -> str:
    """Return what is wrong with the way from the front end to an application."""
    protocol = mount["protocol"]
    if protocol not in front_end.speaks:
        others = suggest(protocol, front_end.speaks)
        return f"'{protocol}' is not spoken by {front_end.title}; {others}"
    if protocol == INSIDE_THE_FRONT_END:
        if not mount.get("daemon") or mount["endpoints"]:
            return f"'{protocol}' needs daemon and no endpoints; give daemon, and leave endpoints out"
    elif mount.get("daemon") or not mount["endpoints"]:
        return f"'{protocol}' needs endpoints and no daemon; give endpoints, and leave daemon out"
    elif protocol in front_end.tcp_only and any(endpoint.startswith("/") for endpoint in mount["endpoints"]):
        return f"'{protocol}' is not spoken by {front_end.title} over a unix socket; give address:port"
    return ""


def _limits_visitors(row: FrontEnd, site: Site) -> Iterator[Refusal]:
    for mount in mounts(site):
        for key in ("requests", "connections"):
            if mount["limits"].get(key) and not row.limits_visitors:
                yield Refusal(
                    mount["app"],
                    f"limits.{key}",
                    f"{row.title} cannot count requests by application and address; {instead('limits_visitors')}",
                )


def _reads_htaccess(row: FrontEnd, site: Site) -> Iterator[Refusal]:
    for mount in mounts(site):
        if mount.get("htaccess") and not row.htaccess:
            yield Refusal(mount["app"], "htaccess", f"{row.title} does not read .htaccess; {instead('htaccess')}")


_RULES: tuple[Rule, ...] = (_needs_tls, _acme_proves, _speaks, _limits_visitors, _reads_htaccess)
