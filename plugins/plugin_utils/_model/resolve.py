# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From the user's descriptions of applications to the model of every host: pure, no facts, no input or output.

A front-end host knows its back ends from the inventory alone, so the whole fleet is resolved at once, whatever the
run is limited to.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import typing as t
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from ...module_utils._catalog import BACK_ENDS, FRONT_ENDS, INSIDE_THE_FRONT_END, protocols
from ...module_utils._release.sandbox import ENDPOINT_PORTS
from .._items.items import ROOT, RUN, STATE, acme_refusals, unlimited, wsgi_script
from .._keys.key import Problem, Validator, suggest
from .._keys.schema import APP, HOST, NAME, check_user
from .._servers import cherokee
from . import guard

App = dict[str, t.Any]
Model = dict[str, t.Any]

_APPS = re.compile(r"pyhost_apps(__\w+)?")

# Playbooks, and the variables that are given to them with -e. Elsewhere they would be ignored without a word.
RUNS: dict[str, tuple[str, ...]] = {
    "site": (),
    "deploy": ("pyhost_only", "pyhost_serial", "pyhost_max_fail_percentage"),
    "rollback": ("pyhost_only", "pyhost_release"),
}

# Variables of a host that its roles get as they are.
_SETTINGS = (
    "pyhost_trusted_proxies", "pyhost_access_log", "pyhost_build_env", "pyhost_installer", "pyhost_tls_profile",
    "pyhost_http3", "pyhost_acme_email", "pyhost_acme_server",
)  # fmt: skip

# What the front end has once, however many back-end hosts there are.
_PUBLISHED = (
    "domains", "default", "tls", "hsts", "path", "protocol", "backend", "static", "headers", "htaccess", "port",
    "extra",
)  # fmt: skip

# What an application may do besides what its sandbox allows all of them.
_LEAVE = ("network", "writable_paths", "jit")

# What belongs to a domain, so that all applications mounted on it must agree.
_OF_DOMAIN = ("tls", "hsts")

_OPTIONAL_APP = tuple(replace(key, required=False) for key in APP)


@dataclass
class Host:
    """One host of the inventory: its variables whose names begin with ``pyhost_``, and those that have no value."""

    name: str
    variables: Mapping[str, t.Any]
    problems: list[Problem] = field(default_factory=list)
    address: str = ""


@dataclass
class Fleet:
    """All hosts of the play, the two groups (None where the inventory has no such group), and the pattern matcher.

    ``preset`` lies under every host's ``pyhost_app_defaults``; what begins with ``pyhost_``, under its variables.
    ``run`` is the playbook, which tells what the variables that are given with -e mean. ``warnings`` fills with
    sentences about what is possible, but not safe.
    """

    hosts: dict[str, Host]
    frontends: list[str] | None
    backends: list[str] | None
    match: Callable[[str], list[str]]
    preset: Mapping[str, t.Any] = field(default_factory=dict)
    run: str = "site"
    warnings: list[str] = field(default_factory=list)


class Invalid(ValueError):
    """The descriptions have problems; ``problems`` lists all of them."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(map(str, problems)))


@dataclass
class _View:
    """One application as one host sees it."""

    path: str
    app: App


def resolve(fleet: Fleet) -> dict[str, Model]:
    """Return the model of each host by name; raise Invalid with every problem of the whole input."""
    return _Resolver(fleet).run()


def stable_port(name: str) -> int:
    """Return the TCP port of an application of that name, one of those that no application may listen at."""
    first, last = ENDPOINT_PORTS
    return first + int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % (last - first + 1)


def _merge(below: Mapping[str, t.Any], above: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Lay a description over the defaults; dictionaries are merged, but a source is replaced as a whole."""
    merged = dict(below)
    for name, value in above.items():
        under = merged.get(name)
        if name != "source" and isinstance(value, Mapping) and isinstance(under, Mapping):
            value = _merge(under, value)
        merged[name] = value
    return merged


def _lay_over(below: Mapping[str, t.Any], above: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Lay a description over the defaults; who chose another back end did not mean the defaults' protocol."""
    merged = _merge(below, above)
    chosen = BACK_ENDS.get(str(above.get("backend")))
    if chosen and "protocol" not in above and merged.get("protocol") not in chosen.serves:
        merged.pop("protocol", None)
    return merged


class _Resolver:
    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.validator = Validator()
        self.settings: dict[str, dict[str, t.Any]] = {}
        # application -> host -> view, only for hosts that see the application
        self.views: dict[str, dict[str, _View]] = {}
        # What many hosts see alike is checked once.
        self.checked: dict[tuple[str, str], list[tuple[t.Any, t.Any, App | None]]] = {}
        # The pairs of front-end and back-end host that must agree, by an application's name and back-end host
        self.pairs: dict[tuple[str, str], set[tuple[str, str]]] = {}
        # The applications of each front end with the hosts that run them
        self.published: dict[str, list[tuple[str, list[str]]]] = {}

    def run(self) -> dict[str, Model]:
        for described in self.fleet.hosts.values():
            self._read(described)
        self._raise()
        frontends = self._placed(self.fleet.frontends)
        backends = self._placed(self.fleet.backends)
        runs_on = {name: self._runs_on(name, backends) for name in sorted(self.views)}
        published = {
            host: [
                (name, on if self.fleet.frontends is not None else [host])
                for name, on in runs_on.items()
                if on and (self.fleet.frontends is not None or host in on)
            ]
            for host in frontends
        }
        self.published = published
        for frontend, apps in published.items():
            for name, on in apps:
                for host in on:
                    self.pairs.setdefault((name, host), set()).update((frontend, other) for other in on)
        self._check_views(runs_on, published)
        for host in backends:
            self._check_users(host, [name for name, on in runs_on.items() if host in on])
            self._check_accounts(host, runs_on)
        tcp = self._tcp(published)
        models = {host: self._model(host, runs_on, published.get(host, []), tcp) for host in self.fleet.hosts}
        self._check_ports(runs_on, tcp)
        chosen = self._chosen([name for name, on in runs_on.items() if on])
        self._raise()
        return models if chosen is None else {host: _only(model, chosen) for host, model in models.items()}

    # ---- reading and checking the descriptions

    def _raise(self) -> None:
        without_value = [problem for host in self.fleet.hosts.values() for problem in host.problems]
        paths = tuple(f"{problem.path}{separator}" for problem in without_value for separator in (".", "[", ":"))
        found = [problem for problem in self.validator.problems if not f"{problem.path}:".startswith(paths)]
        # The same variable is seen by many hosts: its problem is told once.
        told = list(dict.fromkeys([*without_value, *found]))
        if told:
            raise Invalid(told)

    def _read(self, host: Host) -> None:
        known = {key.name: key for key in HOST}
        given: dict[str, t.Any] = {name: value for name, value in self.fleet.preset.items() if name in known}
        for variable, value in host.variables.items():
            if variable in known:
                given[variable] = value
            elif not _APPS.fullmatch(variable):
                self.validator.problem(
                    variable,
                    f"there is no such variable; {suggest(variable, [*known, 'pyhost_apps'])}",
                )
        self.settings[host.name] = {
            name: self.validator.value(name, given.get(name), key) for name, key in known.items()
        }
        defaults = self._defaults(self.settings[host.name]["pyhost_app_defaults"])
        for variable in sorted(filter(_APPS.fullmatch, host.variables)):
            self._read_apps(host.name, variable, host.variables[variable], defaults)

    def _defaults(self, given: Mapping[str, t.Any]) -> Mapping[str, t.Any]:
        trial = Validator()
        trial.options("pyhost_app_defaults", given, _OPTIONAL_APP)
        self.validator.problems.extend(trial.problems)
        below = {name: value for name, value in self.fleet.preset.items() if not name.startswith("pyhost_")}
        return below if trial.problems else _lay_over(below, given)

    def _read_apps(self, host: str, variable: str, apps: t.Any, defaults: Mapping[str, t.Any]) -> None:
        if not isinstance(apps, Mapping):
            self.validator.problem(variable, "is not a dictionary; write application names with their descriptions")
            return
        for name, raw in apps.items():
            path = f"{variable}.{name}"
            other = self.views.get(name, {}).get(host)
            if other:
                self.validator.problem(path, f"the application is described in {other.path} too; keep one of them")
                continue
            app = self._app(path, str(name), raw, defaults)
            if app is not None:
                self.views.setdefault(str(name), {})[host] = _View(path, app)

    def _app(self, path: str, name: str, raw: t.Any, defaults: Mapping[str, t.Any]) -> App | None:
        seen = self.checked.setdefault((path, name), [])
        for known_raw, known_defaults, app in seen:
            if known_raw == raw and known_defaults == defaults:
                return app
        app = self._check_app(path, name, raw, defaults)
        seen.append((raw, defaults, app))
        return app

    def _check_app(self, path: str, name: str, raw: t.Any, defaults: Mapping[str, t.Any]) -> App | None:
        check = self.validator
        before = len(check.problems)
        check.value(path, name, NAME)
        if not isinstance(raw, Mapping):
            check.problem(path, "is not a dictionary; write the keys of the application below its name")
            return None
        absent = raw.get("state") == "absent"
        given = _lay_over(defaults, raw)
        app = check.options(path, given, _OPTIONAL_APP if absent else APP)
        app["name"] = name
        app["named"] = app["user"] is not None
        if app["user"] is None and len(check.problems) == before:
            try:
                app["user"] = check_user(name)
            except ValueError as error:
                check.problem(path, str(error))
        if app["purge"] and not absent:
            check.problem(f"{path}.purge", "removes the data of an application with state: absent only")
        if not absent:
            self._check_source(path, app, given)
            self._check_urls(path, app)
            if not given.get("domains") and not app["default"]:
                check.problem(
                    f"{path}.domains", "is missing; give a list, such as ['shop.example.org'], or default: true"
                )
            if app["protocol"] and app["protocol"] not in BACK_ENDS[app["backend"]].serves:
                check.problem(
                    f"{path}.protocol",
                    f"{app['backend']} does not serve '{app['protocol']}';"
                    f" {suggest(app['protocol'], BACK_ENDS[app['backend']].serves)}",
                )
            if not BACK_ENDS[app["backend"]].runs(app["python"]):
                others = ", ".join(sorted(name for name, row in BACK_ENDS.items() if row.runs(app["python"])))
                check.problem(
                    f"{path}.python",
                    f"{app['backend']} runs applications on the distribution's own interpreter only, not on"
                    f" '{app['python']}'; leave python out, or choose another backend ({others})",
                )
        return app if len(check.problems) == before else None

    def _check_source(self, path: str, app: App, given: Mapping[str, t.Any]) -> None:
        source = app["source"]
        if source is None:
            if not given.get("requirements"):
                self.validator.problem(
                    path, "has nothing to run; give source, or requirements that contain the application"
                )
            return
        kinds = [kind for kind in ("git", "path", "archive") if source[kind]]
        if len(kinds) != 1:
            self.validator.problem(
                f"{path}.source",
                f"has {' and '.join(kinds) or 'no origin'}; give exactly one of git, path, archive",
            )
        if source["checksum"] and "archive" not in kinds:
            self.validator.problem(f"{path}.source.checksum", "belongs to archive; leave it out")
        if source["version"] != "HEAD" and "git" not in kinds:
            self.validator.problem(f"{path}.source.version", "belongs to git; leave it out")

    def _check_urls(self, path: str, app: App) -> None:
        for url in sorted(set(app["static"]) & set(app["private"])):
            self.validator.problem(f"{path}.private.{url}", "is among the static files too; keep one of them")
        for url in app["private"]:
            if not url.endswith("/"):
                self.validator.problem(f"{path}.private.{url}", f"is no folder; write '{url}/'")
        for key in ("static", "private"):
            if "/" in app[key]:
                self.validator.problem(f"{path}.{key}./", "leaves nothing to the application; name a folder below it")

    # ---- who runs and who publishes what

    def _placed(self, group: list[str] | None) -> list[str]:
        """Return the hosts of a group that are in the play; all of the play where there is no such group."""
        members = self.fleet.hosts if group is None else group
        return [host for host in members if host in self.fleet.hosts]

    def _runs_on(self, name: str, backends: list[str]) -> list[str]:
        hosts = []
        views = self.views[name]
        for host in backends:
            view = views.get(host)
            if (
                view
                and view.app["state"] == "present"
                and (view.app["hosts"] is None or host in self.fleet.match(view.app["hosts"]))
            ):
                hosts.append(host)
        view = next(iter(views.values()))
        if not hosts and view.app["state"] == "present":
            pattern = view.app["hosts"]
            self.validator.problem(
                f"{view.path}.hosts" if pattern else view.path,
                f"'{pattern}' matches no back-end host of the play; choose among ({', '.join(backends)})"
                if pattern
                else "is described only for hosts that run no applications; describe it for a back-end host too",
            )
        return hosts

    def _view(self, name: str, on: list[str]) -> _View:
        return self.views[name][on[0]]

    def _check_views(self, runs_on: dict[str, list[str]], published: dict[str, list[tuple[str, list[str]]]]) -> None:
        for name, on in runs_on.items():
            first = self._view(name, on) if on else None
            for host in on[1:] if self.fleet.frontends is not None else ():
                view = self.views[name][host]
                for key in _PUBLISHED:
                    if first and view.app[key] != first.app[key]:
                        self.validator.problem(
                            f"{view.path}.{key}",
                            f"differs between the hosts {on[0]} and {host}, but one front end publishes both",
                        )
        for host, apps in published.items():
            front_end = self.settings[host]["pyhost_frontend"]
            taken: dict[tuple[str, str], str] = {}
            first_of: dict[str, _View] = {}
            for name, on in apps:
                view = self._view(name, on)
                self._check_protocol(view, host, on)
                self._check_tls(view, host)
                domains = [*view.app["domains"], *(["default: true"] if view.app["default"] else [])]
                for domain in domains:
                    other = taken.setdefault((domain, view.app["path"]), view.path)
                    if other != view.path:
                        self.validator.problem(
                            view.path,
                            f"'{domain}' with path '{view.app['path']}' is taken by {other};"
                            " give one of them another domain or path",
                        )
                    neighbour = first_of.setdefault(domain, view)
                    for key in _OF_DOMAIN:
                        if view.app[key] != neighbour.app[key]:
                            self.validator.problem(
                                f"{view.path}.{key}",
                                f"differs from {neighbour.path}.{key}, and '{domain}' has both applications; give both"
                                " the same",
                            )
                for key, wrong in unlimited(view.app["limits"], FRONT_ENDS[front_end]):
                    self.validator.problem(
                        f"{view.path}.limits.{key}",
                        f"{front_end} (pyhost_frontend of {host}) {wrong}",
                    )
                if view.app["htaccess"] and front_end != "apache":
                    self.validator.problem(
                        f"{view.path}.htaccess",
                        f"only Apache reads .htaccess, and pyhost_frontend of {host} is {front_end}; leave it out",
                    )
                if host not in on:
                    for key in ("static", "private"):
                        if view.app[key]:
                            self.validator.problem(
                                f"{view.path}.{key}",
                                f"the front end {host} is another host than {', '.join(on)}, where the files are;"
                                " run the application on the front-end host, or let it serve its files itself",
                            )
            if front_end == "cherokee":
                self._check_cherokee(host, apps)
            if self.settings[host]["pyhost_http3"] and front_end != "nginx":
                self.validator.problem(
                    "pyhost_http3",
                    f"only nginx offers HTTP/3, and pyhost_frontend of {host} is {front_end}; leave it out",
                )

    def _check_cherokee(self, host: str, apps: list[tuple[str, list[str]]]) -> None:
        if self.settings[host]["pyhost_trusted_proxies"]:
            self.validator.problem(
                "pyhost_trusted_proxies",
                f"Cherokee (pyhost_frontend of {host}) believes the wrong end of X-Forwarded-For; leave them out,"
                " or choose another front end",
            )
        if self.settings[host]["pyhost_access_log"] == "json":
            self.validator.problem(
                "pyhost_access_log",
                f"Cherokee (pyhost_frontend of {host}) cannot write JSON that holds whatever visitors send; write"
                " combined, or choose another front end",
            )
        users = {self._view(name, on).app["user"] for name, on in apps}
        for name, on in apps:
            view = self._view(name, on)
            for key, why in cherokee.refusals(self._mount(host, "cherokee", name, on)):
                self.validator.problem(f"{view.path}.{key}", why)
            if view.app["private"] and len(users) > 1:
                self.validator.problem(
                    f"{view.path}.private",
                    "Cherokee sends what it can read, of whatever application, to the visitors of one that has private"
                    f" folders, and {host} publishes those of other users too; choose another pyhost_frontend, or let"
                    " the application send the files itself",
                )

    def _check_tls(self, view: _View, host: str) -> None:
        front_end = self.settings[host]["pyhost_frontend"]
        if view.app["tls"] != "off" and not FRONT_ENDS[front_end].tls:
            self.validator.problem(
                f"{view.path}.tls",
                f"{front_end} (pyhost_frontend of {host}) publishes without TLS only; leave it out, or choose another"
                " pyhost_frontend",
            )
        for wrong in acme_refusals(view.app) if view.app["tls"] == "acme" else ():
            self.validator.problem(f"{view.path}.tls", wrong)

    def _check_protocol(self, view: _View, frontend: str, on: list[str]) -> None:
        front_end, back_end = self.settings[frontend]["pyhost_frontend"], view.app["backend"]
        common = self._common(view.app["name"], on[0])
        asked = view.app["protocol"]
        if not common:
            self.validator.problem(
                f"{view.path}.backend",
                f"no protocol connects {front_end} (pyhost_frontend of {frontend}) with {back_end} on {', '.join(on)};"
                " choose another backend or pyhost_frontend",
            )
        elif asked and asked not in common:
            self.validator.problem(
                f"{view.path}.protocol",
                f"'{asked}' does not lead from {front_end} (pyhost_frontend of {frontend}) to {back_end} on"
                f" {', '.join(on)}; leave it out or {suggest(asked, common)}"
                + (", or publish with apache on the same host" if asked == INSIDE_THE_FRONT_END else ""),
            )
        elif asked == INSIDE_THE_FRONT_END and (other := self._key_in_reach(frontend, view.app)):
            self.fleet.warnings.append(
                f"{view.path}.protocol: '{asked}' makes its processes copies of Apache's, whose memory has the TLS key"
                f" of {other}, an application of another user; with 'http' it has an Apache of its own"
            )

    def _check_users(self, host: str, names: list[str]) -> None:
        first: dict[str, str] = {}
        for name in names:
            view = self.views[name][host]
            other_name = first.setdefault(view.app["user"], name)
            other = self.views[other_name][host]
            if other.app["env"] != view.app["env"]:
                self.validator.problem(
                    f"{view.path}.user",
                    f"'{view.app['user']}' runs {other.path} too, whose env differs: each could read the other's"
                    " secrets; give each its own user",
                )

    def _check_accounts(self, host: str, runs_on: dict[str, list[str]]) -> None:
        """Nobody gets an account of another application that does not name it, even if that one is absent."""
        names = [
            name
            for name, views in self.views.items()
            if host in views and (host in runs_on[name] or views[host].app["state"] == "absent")
        ]
        unnamed = {
            self.views[name][host].app["user"]: self.views[name][host]
            for name in names
            if not self.views[name][host].app["named"]
        }
        for name in names:
            view = self.views[name][host]
            other = unnamed.get(view.app["user"])
            if view.app["named"] and other and view.app["state"] == "present":
                self.validator.problem(
                    f"{view.path}.user",
                    f"'{view.app['user']}' is the account of {other.path}; choose another one, or write"
                    f" `user: {view.app['user']}` there too if both shall be one to the system",
                )

    def _protocol(self, name: str, host: str) -> str:
        """Return what an application on a host speaks: its own word, or the first that all its front ends know."""
        app, common = self.views[name][host].app, self._common(name, host)
        frontends = {frontend for frontend, _other in self.pairs.get((name, host), set())}
        if any(self._key_in_reach(frontend, app) for frontend in frontends):
            # Nobody gets into Apache's memory who did not ask for it.
            common = [protocol for protocol in common if protocol != INSIDE_THE_FRONT_END]
        return str(app["protocol"] or next(iter(common), ""))

    def _common(self, name: str, host: str) -> list[str]:
        """Return the protocols that lead from all its front ends to an application on a host."""
        app = self.views[name][host].app
        pairs = self.pairs.get((name, host), set())
        ways = [
            protocols(self.settings[frontend]["pyhost_frontend"], app["backend"], same_host=frontend == other)
            for frontend, other in pairs
        ]
        return [protocol for protocol in BACK_ENDS[app["backend"]].serves if all(protocol in way for way in ways)]

    def _key_in_reach(self, frontend: str, app: App) -> str:
        """Return another user's application whose TLS key is in that front end's memory; empty where there is none."""
        others = (self._view(name, on).app for name, on in self.published.get(frontend, []))
        keys = (other["name"] for other in others if other["tls"] != "off" and other["user"] != app["user"])
        return str(next(keys, ""))

    # ---- TCP between hosts

    def _tcp(self, published: dict[str, list[tuple[str, list[str]]]]) -> dict[tuple[str, str], list[str]]:
        """Return the front ends on other hosts, by application and back-end host."""
        remote: dict[tuple[str, str], list[str]] = {}
        for frontend, apps in published.items():
            for name, on in apps:
                for host in on:
                    if host != frontend:
                        remote.setdefault((name, host), []).append(self._address(frontend))
        return remote

    def _address(self, host: str) -> str:
        given = self.settings[host]["pyhost_address"] or self.fleet.hosts[host].address
        try:
            return str(ipaddress.ip_address(given))
        except ValueError:
            self.validator.problem(
                "pyhost_address",
                f"of host {host} is {given!r}, but applications are reached across hosts; give its IP address",
            )
            return given

    def _endpoint(self, app: App, host: str) -> str:
        address = self._address(host)
        shown = f"[{address}]" if ":" in address else address
        return f"{shown}:{app['port'] or stable_port(app['name'])}"

    def _check_ports(self, runs_on: dict[str, list[str]], tcp: dict[tuple[str, str], list[str]]) -> None:
        # Two names of the inventory may be one host: what counts is the address.
        taken: dict[tuple[str, int], str] = {}
        leaving = self._ports_that_are_left()
        for name, on in runs_on.items():
            for host in on:
                view = self.views[name][host]
                is_remote = (name, host) in tcp
                if view.app["port"] is None and not is_remote:
                    continue
                port = view.app["port"] or stable_port(name)
                place = self._address(host) if is_remote else host
                other = taken.setdefault((place, port), view.path)
                if other != view.path:
                    self.validator.problem(f"{view.path}.port", f"{port} is taken by {other}; choose another")
                elif (left := leaving.get((host, port), view.path)) != view.path:
                    self.validator.problem(
                        f"{view.path}.port",
                        f"{port} is the port of {left}, which is absent: front ends that this run does not reach would"
                        " send its visitors here; choose another",
                    )

    def _ports_that_are_left(self) -> dict[tuple[str, int], str]:
        """Return the paths of absent applications by host and port."""
        return {
            (host, view.app["port"] or stable_port(name)): view.path
            for name, views in self.views.items()
            for host, view in views.items()
            if view.app["state"] == "absent"
        }

    # ---- what this run is about

    def _chosen(self, names: list[str]) -> set[str] | None:
        """Return the applications that the run is about; None where it is about all of them."""
        run = self.fleet.run
        for variable in sorted({name for takes in RUNS.values() for name in takes} - set(RUNS[run])):
            if any(settings[variable] is not None for settings in self.settings.values()):
                takers = ", ".join(other for other, takes in RUNS.items() if variable in takes)
                self.validator.problem(variable, f"means nothing to the playbook {run}; leave it out, or run {takers}")
        if run == "site" or not self.settings:
            return None
        first, *others = (settings["pyhost_only"] for settings in self.settings.values())
        example = f"give it with -e, such as -e pyhost_only={min(names, default='shop')}"
        if any(other != first for other in others):
            self.validator.problem("pyhost_only", f"differs between hosts; {example}")
        elif first is None and run != "rollback":
            return None
        elif not first:
            self.validator.problem("pyhost_only", f"names no application; {example}")
        chosen = first or []
        for name in chosen:
            if name not in names:
                self.validator.problem("pyhost_only", f"'{name}' is no application; {suggest(str(name), names)}")
        if len(chosen) != 1 and any(settings["pyhost_release"] for settings in self.settings.values()):
            self.validator.problem("pyhost_release", "is the release of one application; name that one in pyhost_only")
        return set(chosen)

    # ---- the model

    def _model(
        self,
        host: str,
        runs_on: dict[str, list[str]],
        published: list[tuple[str, list[str]]],
        tcp: dict[tuple[str, str], list[str]],
    ) -> Model:
        here = [self.views[name][host].app for name, on in runs_on.items() if host in on]
        absent = [
            app
            for name in sorted(self.views)
            for app in [self.views[name][host].app if host in self.views[name] else None]
            if app and app["state"] == "absent"
        ]
        settings = self.settings[host]
        sites = self._sites(host, published)
        guarded = self._guarded(host, published, runs_on, tcp)
        frontend = settings["pyhost_frontend"] if host in self._placed(self.fleet.frontends) else ""
        return {
            "apps": [self._release(app, first=runs_on[app["name"]][0] == host) for app in here],
            "retired": [name for app in here for name in _retired(app["name"], self._protocol(app["name"], host))],
            "absent": [app["name"] for app in absent],
            "purge": [app["name"] for app in absent if app["purge"]],
            "backends": {
                back_end: [self._process(app, host, tcp) for app in here if app["backend"] == back_end]
                for back_end in BACK_ENDS
            },
            "frontend": frontend,
            "guard": guarded,
            # Where there is one, it replaces the others itself.
            "replaced": [
                *([] if frontend else [f"frontend_{name}" for name in FRONT_ENDS]),
                *([] if guarded else [guard.PART]),
            ],
            "sites": sites,
            "urls": [
                {
                    "app": mount["app"],
                    "url": f"{'http' if site['tls'] == 'off' else 'https'}://{domain}{mount['path']}",
                }
                for site in sites
                for domain in site["domains"]
                for mount in site["mounts"]
            ],
            "settings": {key.name.removeprefix("pyhost_"): settings[key.name] for key in HOST if key.name in _SETTINGS},
        }

    def _guarded(
        self,
        host: str,
        published: list[tuple[str, list[str]]],
        runs_on: dict[str, list[str]],
        tcp: dict[tuple[str, str], list[str]],
    ) -> Model | None:
        """Return the endpoints that only the server of a front end may open, or only systemd listen at, on a host."""
        opened = [(name, other) for name, on in published for other in on if other != host]
        return guard.guard(
            [self._endpoint(self.views[name][other].app, other) for name, other in opened],
            [self._endpoint(self.views[name][host].app, host) for name in runs_on if (name, host) in tcp],
            [address for pair in opened for address in tcp[pair]],
        )

    @staticmethod
    def _release(app: App, *, first: bool) -> Model:
        shared = f"{STATE}/{app['name']}/"
        published = {*app["static"].values(), *app["private"].values()}
        return {
            "name": app["name"],
            # Left out unless it is named: only then may the host have it already.
            **({"user": app["user"]} if app["named"] else {}),
            **{key: app[key] for key in ("python", "wsgi", "setup", "build_timeout", "env", "keep", *_LEAVE)},
            "limits": app["limits"],
            "health": _health(app),
            "source": _given(app["source"]),
            "first": first,
            "requirements": app["requirements"],
            "server_requirements": BACK_ENDS[app["backend"]].server_requirements(app["python"]),
            "static": {**app["static"], **app["private"]},
            "published": sorted(path for path in published if path.startswith(shared)),
        }

    def _process(
        self,
        app: App,
        host: str,
        tcp: dict[tuple[str, str], list[str]],
    ) -> Model:
        remote = tcp.get((app["name"], host), [])
        return {
            "name": app["name"],
            **{key: app[key] for key in ("user", "wsgi", "python", "processes", "threads", "env", "limits", *_LEAVE)},
            "protocol": self._protocol(app["name"], host),
            "health": _health(app),
            "release": f"{ROOT}/{app['name']}",
            # Also where only front ends elsewhere publish it: the host itself asks a new release there.
            "listen": [f"{RUN}/{app['name']}.sock", *([self._endpoint(app, host)] if remote else [])],
            "allow": remote,
            # http carries no SCRIPT_NAME.
            **({"path": app["path"]} if "http" in BACK_ENDS[app["backend"]].serves else {}),
        }

    def _sites(self, host: str, published: list[tuple[str, list[str]]]) -> list[Model]:
        """Group the domains that have the same applications mounted: each group is one site."""
        front_end = self.settings[host]["pyhost_frontend"]
        mounted: dict[str, list[str]] = {}
        where = dict(published)
        for name, on in published:
            app = self._view(name, on).app
            for domain in [*app["domains"], *([""] if app["default"] else [])]:
                mounted.setdefault(domain, []).append(name)
        groups: dict[tuple[str, ...], list[str]] = {}
        for domain, names in mounted.items():
            groups.setdefault(tuple(names), []).append(domain)
        sites = []
        for together, domains in groups.items():
            named = [domain for domain in domains if domain]
            sites.append(
                {
                    "domains": named,
                    "default": "" in domains,
                    **{key: self._view(together[0], where[together[0]]).app[key] for key in _OF_DOMAIN},
                    "mounts": [self._mount(host, front_end, name, where[name]) for name in together],
                }
            )
        return sites

    def _mount(self, host: str, front_end: str, name: str, on: list[str]) -> Model:
        app = self._view(name, on).app
        protocol = self._protocol(name, on[0])
        inside = protocol == INSIDE_THE_FRONT_END
        return {
            "app": name,
            "path": app["path"],
            "protocol": protocol,
            "endpoints": []
            if inside
            else [f"{RUN}/{name}.sock" if backend == host else self._endpoint(app, backend) for backend in on],
            "daemon": {
                **{key: app[key] for key in ("user", "processes", "threads")},
                "venv": f"{ROOT}/{name}/current/venv",
                "script": wsgi_script(name),
            }
            if inside
            else None,
            **{
                key: {url: _published_path(name, path) for url, path in app[key].items()}
                for key in ("static", "private")
            },
            "static_max_age": app["static_max_age"],
            "headers": app["headers"],
            "limits": app["limits"],
            "htaccess": app["htaccess"],
            "extra": app["extra"][front_end],
        }


def _retired(name: str, protocol: str) -> list[str]:
    """Return the units and files that an application may have from other ways to run it, and needs no more."""
    if protocol == INSIDE_THE_FRONT_END:
        return [f"pyhost-{name}.socket", f"pyhost-{name}.service"]
    return [] if protocol == "http" else [wsgi_script(name)]


def _only(model: Model, names: set[str]) -> Model:
    """Return the part of a host's model that is about these applications; nothing of it is removed."""
    return {
        **model,
        **{key: [] for key in ("retired", "replaced", "absent", "purge")},
        "sites": [
            {**site, "mounts": mounts}
            for site in model["sites"]
            if (mounts := [mount for mount in site["mounts"] if mount["app"] in names])
        ],
        "apps": [app for app in model["apps"] if app["name"] in names],
        "backends": {
            back_end: [app for app in apps if app["name"] in names] for back_end, apps in model["backends"].items()
        },
        "urls": [url for url in model["urls"] if url["app"] in names],
    }


def _health(app: App) -> dict[str, t.Any]:
    """Return the request that tells whether a release is a good one."""
    return {
        **app["health"],
        "mount": app["path"],
        "host": _asked_host(app["domains"]),
        "https": app["tls"] != "off",
    }


def _asked_host(domains: list[str]) -> str:
    """Return a host name that the application answers."""
    return domains[0].replace("*", "www", 1) if domains else "localhost"


def _given(source: dict[str, t.Any] | None) -> dict[str, t.Any] | None:
    """Return a source with only the keys of its kind."""
    if source is None:
        return None
    return {key: value for key, value in source.items() if value and (key != "version" or source["git"])}


def _published_path(name: str, path: str) -> str:
    """Return where the front end finds a path of the release in service; an absolute one is taken as it is."""
    return path if path.startswith("/") else f"{ROOT}/{name}/current/public/{path}"
