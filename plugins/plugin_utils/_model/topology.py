# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which host runs and which publishes what, and the way between them."""

from __future__ import annotations

import hashlib
import typing as t
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from ...module_utils._catalog import BACK_ENDS, FRONT_ENDS, INSIDE_THE_FRONT_END, FrontEnd, protocols
from ...module_utils._release.sandbox import ENDPOINT_PORTS
from .description import App
from .inventory import Inventory, View


@dataclass(frozen=True)
class Published:
    """An application that a front end publishes, and the hosts that run it."""

    name: str
    on: tuple[str, ...]


def stable_port(name: str) -> int:
    """Return the TCP port of an application of that name, one of those that no application may listen at."""
    first, last = ENDPOINT_PORTS
    return first + int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % (last - first + 1)


@dataclass(frozen=True)
class Topology:
    """The fleet once every description has been read."""

    inventory: Inventory

    @property
    def views(self) -> Mapping[str, Mapping[str, View]]:
        """Return what each host sees of each application."""
        return self.inventory.views

    @cached_property
    def frontends(self) -> list[str]:
        """Return the hosts that run a front end."""
        return self._placed(self.inventory.fleet.frontends)

    @cached_property
    def backends(self) -> list[str]:
        """Return the hosts that may run applications."""
        return self._placed(self.inventory.fleet.backends)

    @cached_property
    def separate(self) -> bool:
        """Return whether front ends publish what other hosts run."""
        return self.inventory.fleet.frontends is not None

    @cached_property
    def runs_on(self) -> dict[str, list[str]]:
        """Return the hosts that run each application; none for one that is absent."""
        return {name: self._hosts_of(name) for name in sorted(self.views)}

    @cached_property
    def published(self) -> dict[str, list[Published]]:
        """Return what each front end publishes."""
        return {
            host: [
                Published(name, tuple(on) if self.separate else (host,))
                for name, on in self.runs_on.items()
                if on and (self.separate or host in on)
            ]
            for host in self.frontends
        }

    @cached_property
    def _ways(self) -> dict[tuple[str, str], set[tuple[str, str]]]:
        """Return the pairs of front-end and back-end host that must agree, by application and back-end host."""
        ways: dict[tuple[str, str], set[tuple[str, str]]] = {}
        for frontend, apps in self.published.items():
            for app in apps:
                for host in app.on:
                    ways.setdefault((app.name, host), set()).update((frontend, other) for other in app.on)
        return ways

    @cached_property
    def remote(self) -> dict[tuple[str, str], list[str]]:
        """Return the front-end hosts that reach an application over TCP, by application and back-end host."""
        remote: dict[tuple[str, str], list[str]] = {}
        for frontend, apps in self.published.items():
            for app in apps:
                for host in app.on:
                    if host != frontend:
                        remote.setdefault((app.name, host), []).append(frontend)
        return remote

    def _placed(self, group: list[str] | None) -> list[str]:
        """Return the hosts of a group that are in the play; all of the play where there is no such group."""
        hosts = self.inventory.fleet.hosts
        return [host for host in (hosts if group is None else group) if host in hosts]

    def _hosts_of(self, name: str) -> list[str]:
        views = self.views[name]
        return [host for host in self.backends if host in views and self._is_meant(host, views[host].app)]

    def _is_meant(self, host: str, app: App) -> bool:
        return app["state"] == "present" and (app["hosts"] is None or host in self.inventory.fleet.match(app["hosts"]))

    def view(self, app: Published) -> View:
        """Return an application as the first of its hosts sees it."""
        return self.views[app.name][app.on[0]]

    def each_published(self) -> Iterator[tuple[str, Published, View]]:
        """Yield every application that a front end publishes, with the front end's host before it."""
        for host, apps in self.published.items():
            for app in apps:
                yield host, app, self.view(app)

    def front_end(self, host: str) -> FrontEnd:
        """Return the front end of a host."""
        return FRONT_ENDS[self.inventory.settings[host]["pyhost_frontend"]]

    # ---- the way from front ends to an application

    def common(self, name: str, host: str) -> list[str]:
        """Return the protocols that lead from all its front ends to an application on a host."""
        back_end = self.views[name][host].app["backend"]
        ways = [
            protocols(self.front_end(frontend).name, back_end, same_host=frontend == other)
            for frontend, other in self._ways.get((name, host), set())
        ]
        return [protocol for protocol in BACK_ENDS[back_end].serves if all(protocol in way for way in ways)]

    def protocol(self, name: str, host: str) -> str:
        """Return what an application on a host speaks: its own setting, or the first that all its front ends know."""
        app, common = self.views[name][host].app, self.common(name, host)
        frontends = {frontend for frontend, _other in self._ways.get((name, host), set())}
        if any(self.key_in_reach(frontend, app) for frontend in frontends):
            # Nobody gets into Apache's memory who did not ask for it.
            common = [protocol for protocol in common if protocol != INSIDE_THE_FRONT_END]
        return str(app["protocol"] or next(iter(common), ""))

    def key_in_reach(self, frontend: str, app: App) -> str:
        """Return another user's application whose TLS key is in that front end's memory; empty where there is none."""
        others = (self.view(other).app for other in self.published.get(frontend, []))
        keys = (other["name"] for other in others if other["tls"] != "off" and other["user"] != app["user"])
        return str(next(keys, ""))

    # ---- TCP between hosts

    def address(self, host: str) -> str:
        """Return the address at which other hosts reach this one; a rule rejects what is none."""
        return str(self.inventory.settings[host]["pyhost_address"] or self.inventory.fleet.hosts[host].address)

    def endpoint(self, app: App, host: str) -> str:
        """Return the TCP endpoint of an application on a host."""
        address = self.address(host)
        shown = f"[{address}]" if ":" in address else address
        return f"{shown}:{self.port(app)}"

    @staticmethod
    def port(app: t.Mapping[str, t.Any]) -> int:
        """Return the TCP port of an application."""
        return int(app["port"] or stable_port(app["name"]))
