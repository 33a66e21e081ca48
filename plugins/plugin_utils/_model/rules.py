# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the descriptions of a fleet must not be: each rule is a function that yields problems."""

from __future__ import annotations

import ipaddress
import typing as t
from collections.abc import Callable, Iterator

from ...module_utils._catalog import FRONT_ENDS, INSIDE_THE_FRONT_END
from .._items.rules import instead, refusals
from .._keys.key import Problem
from .inventory import View
from .model import sites
from .role_variables import role_variables
from .topology import Published, Topology
from .unused import extra_stays_behind, inside_ignores

Rule = Callable[[Topology], Iterator[Problem]]

# What the front end has once, however many back-end hosts there are.
_PUBLISHED = (
    "domains",
    "default",
    "tls",
    "hsts",
    "path",
    "protocol",
    "backend",
    "static",
    "headers",
    "htaccess",
    "port",
    "extra",
)

# What belongs to a domain, so that all applications mounted on it must agree.
OF_DOMAIN = ("tls", "hsts")


def problems(topology: Topology) -> Iterator[Problem]:
    """Yield every problem of a fleet whose single values are all right."""
    for rule in _RULES:
        yield from rule(topology)


def warnings(topology: Topology) -> Iterator[str]:
    """Yield sentences about what is possible, but not safe, or not what somebody may expect."""
    yield from extra_stays_behind(topology)
    for host, app, view in topology.each_published():
        asked = view.app["protocol"] == INSIDE_THE_FRONT_END and asked_is_common(topology, app)
        other = topology.key_in_reach(host, view.app) if asked else ""
        if other:
            yield (
                f"{view.path}.protocol: with '{INSIDE_THE_FRONT_END}' the processes are copies of Apache's. Their"
                f" memory contains the TLS key of {other}, an application of another user. Write `protocol: http` to"
                " give this application a separate Apache."
            )


def asked_is_common(topology: Topology, app: Published) -> bool:
    """Return whether the protocol that an application asks for leads to it."""
    return topology.view(app).app["protocol"] in topology.common(app.name, app.on[0])


def _able(protocol: str) -> str:
    return " or ".join(row.name for row in FRONT_ENDS.values() if protocol in row.speaks)


def _runs_somewhere(topology: Topology) -> Iterator[Problem]:
    for name, on in topology.runs_on.items():
        view, *_others = topology.views[name].values()
        if on or view.app["state"] != "present":
            continue
        pattern = view.app["hosts"]
        if pattern:
            known = ", ".join(topology.backends)
            yield Problem(
                f"{view.path}.hosts",
                f"'{pattern}' matches no back-end host of the play. Choose one of: {known}",
            )
        else:
            yield Problem(
                view.path,
                "this description applies only to hosts that run no applications. Put it into the variables of a"
                " back-end host too, or into group_vars/all.yml.",
            )


def _hosts_agree(topology: Topology) -> Iterator[Problem]:
    if not topology.separate:
        return
    for name, on in topology.runs_on.items():
        for host in on[1:]:
            first, view = topology.views[name][on[0]], topology.views[name][host]
            for key in _PUBLISHED:
                if view.app[key] != first.app[key]:
                    yield Problem(
                        f"{view.path}.{key}",
                        f"the value differs between the hosts {on[0]} and {host}, but one front end publishes both."
                        " Write the same value for both.",
                    )


def _protocol_leads(topology: Topology) -> Iterator[Problem]:
    for host, app, view in topology.each_published():
        common, asked = topology.common(app.name, app.on[0]), view.app["protocol"]
        front_end, back_end = topology.front_end(host).name, view.app["backend"]
        if not common:
            yield Problem(
                f"{view.path}.backend",
                f"no protocol connects {front_end} (pyhost_frontend of {host}) with {back_end} on"
                f" {', '.join(app.on)}. Choose another `backend` or `pyhost_frontend`.",
            )
        elif asked and asked not in common:
            inside = (
                f" You can also publish it with {_able(asked)} on the same host."
                if asked == INSIDE_THE_FRONT_END
                else ""
            )
            yield Problem(
                f"{view.path}.protocol",
                f"'{asked}' does not connect {front_end} (pyhost_frontend of {host}) with {back_end} on"
                f" {', '.join(app.on)}. Remove this key, or choose one of: {', '.join(sorted(common))}.{inside}",
            )


def _domain_is_free(topology: Topology) -> Iterator[Problem]:
    for apps in topology.published.values():
        taken: dict[tuple[str, str], View] = {}
        first_of: dict[str, View] = {}
        for app in apps:
            view = topology.view(app)
            for domain in [*view.app["domains"], *(["default: true"] if view.app["default"] else [])]:
                other = taken.setdefault((domain, view.app["path"]), view)
                if other.path != view.path:
                    yield Problem(
                        view.path,
                        f"{other.path} already uses '{domain}' with the path '{view.app['path']}'."
                        " Choose another domain or path for one of them.",
                    )
                yield from _domain_agrees(view, first_of.setdefault(domain, view), domain)


def _domain_agrees(view: View, neighbour: View, domain: str) -> Iterator[Problem]:
    for key in OF_DOMAIN:
        if view.app[key] != neighbour.app[key]:
            yield Problem(
                f"{view.path}.{key}",
                f"the value differs from {neighbour.path}.{key}, but both applications are on '{domain}'."
                " Write the same value for both.",
            )


def _front_end_can(topology: Topology) -> Iterator[Problem]:
    """What the role would reject too, with the paths of the user's own values."""
    for host, apps in topology.published.items():
        paths = {app.name: topology.view(app).path for app in apps}
        row = topology.front_end(host)
        for site in sites(topology, host):
            for refusal in refusals(row, site):
                # A protocol that does not lead there has been told in the user's words.
                if refusal.key == "protocol":
                    continue
                for app in [refusal.app] if refusal.app else [mount["app"] for mount in site["mounts"]]:
                    yield Problem(
                        f"{paths[app]}.{refusal.key}",
                        f"{refusal.message} ({row.name} is the pyhost_frontend of {host}.)",
                    )


def _files_are_here(topology: Topology) -> Iterator[Problem]:
    for host, app, view in topology.each_published():
        for key in ("static", "private"):
            if host not in app.on and view.app[key]:
                yield Problem(
                    f"{view.path}.{key}",
                    f"the front-end host {host} does not have the files, which are on {', '.join(app.on)}."
                    " Run the application on the front-end host, or let the application serve its files.",
                )


def _private_is_separate(topology: Topology) -> Iterator[Problem]:
    for host, apps in topology.published.items():
        row = topology.front_end(host)
        users = {topology.view(app).app["user"] for app in apps}
        if row.separates_private or len(users) < 2:
            continue
        for app in apps:
            view = topology.view(app)
            if view.app["private"]:
                yield Problem(
                    f"{view.path}.private",
                    f"{row.title} would let this application send files of other users' applications, which {host}"
                    " publishes too. Choose another `pyhost_frontend`, or let the application send the files itself.",
                )


def _settings_have_effect(topology: Topology) -> Iterator[Problem]:
    for host in topology.frontends:
        row, settings = topology.front_end(host), topology.inventory.settings[host]
        if settings["pyhost_trusted_proxies"] and not row.trusts_proxies:
            yield Problem(
                "pyhost_trusted_proxies",
                f"{row.title} (pyhost_frontend of {host}) cannot take a visitor's address from proxies."
                f" {instead('trusts_proxies')}",
            )
        if settings["pyhost_access_log"] == "json" and not row.logs_json:
            yield Problem(
                "pyhost_access_log",
                f"{row.title} (pyhost_frontend of {host}) cannot write JSON logs. Write `pyhost_access_log: combined`,"
                " or choose another `pyhost_frontend`.",
            )
        if settings["pyhost_http3"] and not row.http3:
            yield Problem(
                "pyhost_http3",
                f"{row.title} (pyhost_frontend of {host}) does not support HTTP/3. {instead('http3')}",
            )


def _users_are_apart(topology: Topology) -> Iterator[Problem]:
    for host in topology.backends:
        first: dict[str, View] = {}
        for name, on in topology.runs_on.items():
            if host not in on:
                continue
            view = topology.views[name][host]
            other = first.setdefault(view.app["user"], view)
            if other.app["env"] != view.app["env"]:
                yield Problem(
                    f"{view.path}.user",
                    f"'{view.app['user']}' runs {other.path} too, with a different `env`. Each could read the other's"
                    " secrets. Give each its own `user`.",
                )


def _accounts_are_apart(topology: Topology) -> Iterator[Problem]:
    """Nobody gets an account of another application that does not name it, even if that one is absent."""
    for host in topology.backends:
        seen = [
            views[host]
            for name, views in topology.views.items()
            if host in views and (host in topology.runs_on[name] or views[host].app["state"] == "absent")
        ]
        unnamed = {view.app["user"]: view for view in seen if not view.app["named"]}
        for view in seen:
            other = unnamed.get(view.app["user"])
            if view.app["named"] and other and view.app["state"] == "present":
                yield Problem(
                    f"{view.path}.user",
                    f"'{view.app['user']}' is the account of {other.path}. Choose another one. To share the account,"
                    f" write `user: {view.app['user']}` there too.",
                )


def _addresses_are_known(topology: Topology) -> Iterator[Problem]:
    asked: dict[str, None] = {}
    for (_name, host), frontends in topology.remote.items():
        asked.update(dict.fromkeys([host, *frontends]))
    for host in asked:
        given = topology.address(host)
        try:
            ipaddress.ip_address(given)
        except ValueError:
            yield Problem(
                "pyhost_address",
                f"the address of {host} is {given!r}, but other hosts need an IP address. Set `pyhost_address` for"
                f" {host}, such as `pyhost_address: 10.0.0.11`.",
            )


def _ports_are_free(topology: Topology) -> Iterator[Problem]:
    # Two names of the inventory may be one host: what counts is the address.
    taken: dict[tuple[str, int], str] = {}
    leaving = _ports_that_are_left(topology)
    for name, on in topology.runs_on.items():
        for host in on:
            view, is_remote = topology.views[name][host], (name, host) in topology.remote
            if view.app["port"] is None and not is_remote:
                continue
            port = topology.port(view.app)
            other = taken.setdefault((topology.address(host) if is_remote else host, port), view.path)
            if other != view.path:
                yield Problem(f"{view.path}.port", f"{other} already uses port {port}. Choose another one.")
            elif (left := leaving.get((host, port), view.path)) != view.path:
                yield Problem(
                    f"{view.path}.port",
                    f"{port} was the port of {left}, which is absent. Front ends that this run does not change would"
                    " send its visitors here. Choose another one.",
                )


def _ports_that_are_left(topology: Topology) -> dict[tuple[str, int], str]:
    """Return the paths of absent applications by host and port."""
    return {
        (host, topology.port(view.app)): view.path
        for views in topology.views.values()
        for host, view in views.items()
        if view.app["state"] == "absent"
    }


_RULES: t.Final[tuple[Rule, ...]] = (
    _runs_somewhere,
    _hosts_agree,
    _protocol_leads,
    _domain_is_free,
    _front_end_can,
    inside_ignores,
    _files_are_here,
    _private_is_separate,
    _settings_have_effect,
    _users_are_apart,
    _accounts_are_apart,
    _addresses_are_known,
    _ports_are_free,
    role_variables,
)
