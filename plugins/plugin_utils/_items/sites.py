# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The items of ``frontend_x_sites``: domains with the applications mounted on them."""

from __future__ import annotations

import hashlib
import posixpath
import re
import typing as t
from collections.abc import Iterator, Sequence

from ...module_utils._catalog import FRONT_ENDS
from ...module_utils._layout import in_release
from .._keys.checks import HEADERS, parse_size
from .._keys.key import Invalid, Problem
from .._servers import server
from .._servers.server import Item, Refusal
from .complete import complete
from .roles import ITEMS
from .rules import refusals


def sites(path: str, items: t.Any) -> list[Item]:
    """Return the items of ``frontend_x_sites``, which ``path`` names, complete; raise Invalid with every problem."""
    row = FRONT_ENDS[path.removeprefix("frontend_").removesuffix("_sites")]
    checked = complete(path, items, ITEMS[path], lambda item: item)
    problems = [
        Problem(f"{path}[{index}]", "the site has no domains. Add `domains`, or write `default: true`.")
        for index, site in enumerate(checked)
        if not site["domains"] and not site["default"]
    ]
    problems += [
        Problem(_place(f"{path}[{index}]", site, refusal), refusal.message)
        for index, site in enumerate(checked)
        for refusal in refusals(row, site)
    ]
    problems += _taken(path, checked)
    if problems:
        raise Invalid(problems)
    completed = [_derive(site) for site in checked]
    _name_hosts(completed)
    completed.sort(key=lambda site: site["name"])
    server.front_end(row.name).complete(completed)
    return completed


def _taken(path: str, items: Sequence[Item]) -> Iterator[Problem]:
    """Yield names of two sites, and mount points of two applications: the server would choose one silently."""
    first: dict[str, int] = {}
    for index, site in enumerate(items):
        for name in [*site["domains"], *(["default: true"] if site["default"] else [])]:
            other = first.setdefault(name, index)
            if other != index:
                yield Problem(
                    f"{path}[{index}]", f"'{name}' belongs to {path}[{other}] too. Remove it from one of them."
                )
        points = [mount["path"] for mount in site["mounts"]]
        for position, point in enumerate(points):
            if point in points[:position]:
                yield Problem(
                    f"{path}[{index}].mounts[{position}].path",
                    f"{point} is the mount point of mounts[{points.index(point)}] too. Change one of them.",
                )


def _place(path: str, site: Item, refusal: Refusal) -> str:
    """Return the path of the value that is rejected."""
    positions = [position for position, mount in enumerate(site["mounts"]) if mount["app"] == refusal.app]
    place = f"{path}.mounts[{positions[0]}]" if positions else path
    return f"{place}.{refusal.key}"


def _name_hosts(completed: list[Item]) -> None:
    """Add the exact names of each site, and regular expressions for its wildcards."""
    names = [domain for site in completed for domain in site["domains"]]
    for site in completed:
        wildcards = [domain for domain in site["domains"] if domain.startswith("*")]
        site["names"] = [domain for domain in site["domains"] if domain not in wildcards]
        site["wildcards"] = [_wildcard(domain, set(names) - set(site["domains"])) for domain in wildcards]


def _derive_mount(mount: Item) -> Item:
    prefix = mount["path"].rstrip("/")
    return {
        **mount,
        "prefix": prefix,
        "prefix_regex": re.escape(prefix),
        "backends": [_backend(endpoint) for endpoint in mount["endpoints"]],
        "body": (body := parse_size(mount["limits"]["body"])),
        "body_kib": -(-body // 1024),
        "timeout": mount["limits"]["timeout"],
        "headers": (headers := _headers(mount["headers"])),
        "headers_id": _headers_id(headers),
        "rate": _rate(mount["limits"].get("requests")),
        "connections": mount["limits"].get("connections"),
        "static": _locations(prefix, mount["static"]),
        "private": (private := _locations(prefix, mount["private"])),
        "private_sealed": bool(private) and all(location["sealed"] for location in private),
    }


def _derive(item: Item) -> Item:
    mounts = sorted(map(_derive_mount, item["mounts"]), key=lambda mount: mount["prefix"])
    name = item["name"] or (item["domains"] or ["default"])[0].replace("*", "_")
    return {
        **{key: value for key, value in item.items() if key != "tls"},
        "name": name,
        "certificate": _certificate(name, item["domains"], item.get("tls", "off")),
        "mounts": mounts,
        "root": next((mount for mount in mounts if not mount["prefix"]), None),
        "headers": (headers := _common_headers(mounts)),
        "headers_id": _headers_id(headers),
        "locations": _most_special_first(mounts),
    }


def _certificate(name: str, domains: list[str], tls: t.Any) -> Item | None:
    """Return what the module certificates takes, and where the front end finds it; None where there is no TLS."""
    if tls == "off":
        return None
    given = tls if isinstance(tls, dict) else {}
    return {
        "name": name,
        "domains": domains or [name],
        "source": "given" if given else tls,
        "certificate": given.get("certificate", ""),
        "key": given.get("key", ""),
    }


def _headers(own: t.Mapping[str, str]) -> list[Item]:
    """Return the headers of a mount's answers, the application's description laid over what all have."""
    named = {name.lower(): (name, value) for name, value in [*HEADERS.items(), *own.items()]}
    return [
        {
            "name": name,
            "value": value,
            # The same in every site, so that a server that keeps it in a variable needs that once.
            "key": (key := lower.replace("-", "_")),
            "variable": f"{key}_{hashlib.sha256(value.encode()).hexdigest()[:8]}",
            "quoted": value.replace('"', r"\""),
        }
        for lower, (name, value) in sorted(named.items())
        if value
    ]


def _common_headers(mounts: list[Item]) -> list[Item]:
    """Return what is said outside of all mounts: what each of them says, with the first one's values."""
    keys = [{header["key"] for header in mount["headers"]} for mount in mounts]
    first = mounts[0]["headers"] if mounts else []
    return [header for header in first if all(header["key"] in each for each in keys)]


def _headers_id(headers: Sequence[Item]) -> str:
    """Return what equal headers have in common, for servers that keep each set of them once."""
    said = "\n".join(f"{header['name']}: {header['value']}" for header in headers)
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _rate(requests: str | None) -> Item | None:
    """Return a rate such as ``10/s`` as nginx takes it, with the number that may come at once."""
    return {"rate": requests.replace("/", "r/"), "burst": requests.split("/")[0]} if requests else None


def _locations(prefix: str, paths: dict[str, str]) -> list[Item]:
    """Return the folders and files of a mount with the URL that the visitor sees."""
    return [
        {
            "url": prefix + url,
            "url_regex": re.escape(prefix + url),
            "path": path.rstrip("/") + ("/" if url.endswith("/") else ""),
            "folder": url.endswith("/"),
            # In a release nobody can make links; its files are found by the link to the release in service.
            "sealed": in_release(path),
            # Below it no link is followed: the application may write there.
            "base": path.rstrip("/") if url.endswith("/") else posixpath.dirname(path),
        }
        for url, path in sorted(paths.items())
    ]


def _backend(endpoint: str) -> Item:
    """Return an endpoint as its socket, or its host and port; the other is empty."""
    if endpoint.startswith("/"):
        return {"socket": endpoint, "host": "", "port": ""}
    host, _colon, port = endpoint.rpartition(":")
    return {"socket": "", "host": host.strip("[]"), "port": port}


def _most_special_first(mounts: list[Item]) -> list[Item]:
    """Return all static, private and mounted URLs of a site, for servers that take the first that fits."""
    locations = [
        {"kind": kind, "mount": mount, **location}
        for mount in mounts
        for kind in ("static", "private")
        for location in mount[kind]
    ]
    for mount in mounts:
        locations.append({"kind": "mount", "mount": mount, "url": mount["prefix"] + "/", "folder": True})
        if mount["prefix"]:
            locations.append({"kind": "mount", "mount": mount, "url": mount["prefix"], "folder": False})
    # Whatever begins like another one is behind it in the alphabet.
    return sorted(locations, key=lambda location: location["url"], reverse=True)


def _wildcard(domain: str, others: set[str]) -> str:
    """Return the regular expression of a wildcard domain in Host, without those of the ``others`` that fit better."""

    def regex(name: str) -> str:
        return re.escape(name).replace(r"\*", "[^:]+", 1)

    better = sorted(regex(name) for name in others if name.endswith(domain[1:]) and name != domain)
    excluded = f"(?!(?:{'|'.join(better)})(?::|$))" if better else ""
    return f"^{excluded}{regex(domain)}(?::[0-9]+)?$"
