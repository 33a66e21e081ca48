# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a host's nftables table guards: the endpoints that its front end opens, and those at which it listens."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable

ACCOUNT = "www-data"
"""The account of every front end's workers."""

PART = "endpoints"
"""The component of a host that owns the table's files and unit."""

Elements = dict[str, list[str]]


def guard(opened: Iterable[str], listened: Iterable[str], front_ends: Iterable[str]) -> dict[str, t.Any] | None:
    """Return what the templates of the table print; None where there is nothing to guard.

    ``opened`` are the endpoints on other hosts (C(address:port), C([address]:port)) that the host's front end opens,
    ``listened`` those of its own applications, ``front_ends`` the addresses of front ends that may open any of
    ``opened``.
    """
    endpoints = {
        "open": _by_family(map(_pair, sorted(set(opened)))),
        "listen": _by_family(map(_pair, sorted(set(listened)))),
    }
    if not any(elements for families in endpoints.values() for elements in families.values()):
        return None
    front = _by_family((address, address) for address in sorted(set(front_ends)))
    return {"account": ACCOUNT, **endpoints, "front_ends": front}


def _pair(endpoint: str) -> tuple[str, str]:
    """Return the address of an endpoint, and the endpoint as an element of a set of nftables."""
    address, _colon, port = endpoint.rpartition(":")
    address = address.strip("[]")
    return address, f"{address} . {port}"


def _by_family(elements: Iterable[tuple[str, str]]) -> Elements:
    found: Elements = {"ip": [], "ip6": []}
    for address, element in elements:
        found["ip6" if ":" in address else "ip"].append(element)
    return found
