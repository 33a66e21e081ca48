# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a front end cannot do with a site: one list, for the inventory and for a role's own list of sites."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Callable, Iterator, Mapping

from ...module_utils._catalog import FRONT_ENDS, INSIDE_THE_FRONT_END, FrontEnd
from .._keys.key import suggest
from .._servers import server
from .._servers.server import Refusal, mounts

Site = Mapping[str, t.Any]
_ADDRESS = re.compile(r"[0-9]+(\.[0-9]+){3}")

Rule = Callable[[FrontEnd, Site], Iterator[Refusal]]


def refusals(row: FrontEnd, site: Site) -> Iterator[Refusal]:
    """Yield all that a front end cannot do of a site."""
    for rule in _RULES:
        yield from rule(row, site)
    yield from server.front_end(row.name).refuses(site)


def instead(ability: str) -> str:
    """Return the advice to remove a setting, or to publish with a front end that has the ability."""
    able = " or ".join(row.name for row in FRONT_ENDS.values() if getattr(row, ability))
    return f"Remove this setting, or publish with {able}."


def _needs_tls(row: FrontEnd, site: Site) -> Iterator[Refusal]:
    if site.get("tls", "off") != "off" and not row.tls:
        yield Refusal("", "tls", f"{row.title} does not support TLS. {instead('tls')}")


def _acme_proves(_row: FrontEnd, site: Site) -> Iterator[Refusal]:
    if site.get("tls") != "acme":
        return
    wildcards = [domain for domain in site["domains"] if domain.startswith("*")]
    if wildcards:
        yield Refusal(
            "",
            "tls",
            f"'acme' cannot get a certificate for {', '.join(wildcards)}, because the ACME server validates names"
            " over HTTP. List each host name, or write `tls: {certificate: …, key: …}`.",
        )
    addresses = [domain for domain in site["domains"] if _ADDRESS.fullmatch(domain)]
    if addresses:
        yield Refusal(
            "",
            "tls",
            f"'acme' cannot get a certificate for {', '.join(addresses)}, as certbot takes host names only. Remove it"
            " from `domains`, or choose another `tls`.",
        )
    if not site["domains"]:
        yield Refusal("", "tls", "'acme' needs the names of the site. Add `domains`, or choose another `tls`.")


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
        return f"{front_end.title} does not support '{protocol}'. {others}"
    if protocol == INSIDE_THE_FRONT_END:
        if not mount.get("daemon") or mount["endpoints"]:
            return f"'{protocol}' works with `daemon`, and without `endpoints`. Add `daemon`, and remove `endpoints`."
    elif mount.get("daemon") or not mount["endpoints"]:
        return f"'{protocol}' works with `endpoints`, and without `daemon`. Add `endpoints`, and remove `daemon`."
    elif protocol in front_end.tcp_only and any(endpoint.startswith("/") for endpoint in mount["endpoints"]):
        return (
            f"{front_end.title} does not support '{protocol}' over a unix socket. Write address:port, such as"
            " 127.0.0.1:8000."
        )
    return ""


def _limits_visitors(row: FrontEnd, site: Site) -> Iterator[Refusal]:
    for mount in mounts(site):
        for key in ("requests", "connections"):
            if mount["limits"].get(key) and not row.limits_visitors:
                yield Refusal(
                    mount["app"],
                    f"limits.{key}",
                    f"{row.title} cannot limit visitors of one application. {instead('limits_visitors')}",
                )


def _reads_htaccess(row: FrontEnd, site: Site) -> Iterator[Refusal]:
    for mount in mounts(site):
        if mount.get("htaccess") and not row.htaccess:
            yield Refusal(mount["app"], "htaccess", f"{row.title} does not read .htaccess. {instead('htaccess')}")


def _mounts_are_apart(_row: FrontEnd, site: Site) -> Iterator[Refusal]:
    """Each URL has one owner: files of one application are not served in the place of another one's answers."""
    points = {mount["path"].rstrip("/"): mount["app"] for mount in mounts(site)}
    for mount in mounts(site):
        begin = mount["path"].rstrip("/")
        for key, url in [
            *(("static", url) for url in mount["static"]),
            *(("private", url) for url in mount["private"]),
        ]:
            owner = _owner(f"{begin}{url}", begin, points)
            if owner and (points[owner] != mount["app"] or f"{begin}{url}".rstrip("/") == owner):
                yield Refusal(
                    mount["app"],
                    f"{key}.{url}",
                    f"{begin}{url} belongs to the application {points[owner]}, which is mounted at {owner}. Choose"
                    f" another URL, or move the entry to {points[owner]}.",
                )


def _owner(url: str, begin: str, points: Mapping[str, str]) -> str:
    """Return the mount point below C(begin) that a URL belongs to; empty where there is none."""
    inner = [point for point in points if len(point) > len(begin) and f"{url}/".startswith(f"{point}/")]
    return max(inner, key=len, default="")


_RULES: tuple[Rule, ...] = (
    _needs_tls,
    _acme_proves,
    _speaks,
    _limits_visitors,
    _reads_htaccess,
    _mounts_are_apart,
)
