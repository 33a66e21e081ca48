# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a run reads on the controller later on, so that it can be looked at before any host is."""

from __future__ import annotations

import typing as t
from collections.abc import Container, Iterator

from .._servers import server
from .inventory import Needed, Pair
from .topology import Topology


def files(topology: Topology, run: str, chosen: Container[str]) -> Iterator[Needed]:
    """Yield the files and folders that a playbook reads for the chosen applications."""
    if run in ("site", "deploy"):
        for name, on in topology.runs_on.items():
            for host in on if name in chosen else []:
                view = topology.views[name][host]
                yield from _source(view.path, host, view.app["source"] or {})
    if run == "site":
        for host in topology.frontends:
            yield from _of_server(topology, host)


def _source(path: str, host: str, source: t.Mapping[str, t.Any]) -> Iterator[Needed]:
    if source.get("path"):
        yield Needed(f"{path}.source.path", host, source["path"], is_folder=True)
    elif source.get("archive") and "://" not in source["archive"]:
        yield Needed(f"{path}.source.archive", host, source["archive"], checksum=source["checksum"] or "")


def _of_server(topology: Topology, host: str) -> Iterator[Needed]:
    origin, given = server.front_end(topology.front_end(host).name).origin, topology.inventory.fleet.hosts[host].roles
    for name in origin.files if origin else ():
        if given.get(name) and "://" not in str(given[name]):
            checksum = str(given.get(origin.checksum) or "") if origin else ""
            yield Needed(name, host, str(given[name]), checksum=checksum)


def pairs(topology: Topology, run: str) -> Iterator[Pair]:
    """Yield the certificates that are given as text."""
    for _host, _app, view in topology.each_published() if run == "site" else ():
        tls = view.app["tls"]
        if isinstance(tls, dict) and not tls["key"].startswith("/"):
            yield Pair(f"{view.path}.tls", tuple(view.app["domains"]), tls["certificate"], tls["key"])
