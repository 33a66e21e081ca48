# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The inventory as it was read: every description checked, as each host sees it."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from ...module_utils._catalog import BACK_ENDS
from .._items.roles import WRITTEN_AS
from .._keys.app import APP, NAME, UNSUPPORTED
from .._keys.checks import check_user, without_slash
from .._keys.host import HOST
from .._keys.key import Invalid, Problem, Validator, empty, misread, near, suggest
from .description import App, doubtful, lay_over, own_keys, without_effect

_APPS = re.compile(r"pyhost_apps(__\w+)?")

# Playbooks, and the variables that are given to them with -e. Elsewhere they would be ignored silently.
RUNS: dict[str, tuple[str, ...]] = {
    "site": (),
    "deploy": ("pyhost_only", "pyhost_serial", "pyhost_max_fail_percentage"),
    "rollback": ("pyhost_only", "pyhost_release"),
    "status": (),
}

_OPTIONAL_APP = tuple(replace(key, required=False) for key in APP)


@dataclass
class Host:
    """One host of the inventory: its variables whose names begin with ``pyhost_``, and those that have no value."""

    name: str
    variables: Mapping[str, t.Any]
    problems: list[Problem] = field(default_factory=list)
    address: str = ""
    roles: Mapping[str, t.Any] = field(default_factory=dict)
    """Its variables for the roles that it gets, as far as the inventory sets them."""
    roles_unread: bool = True
    """Whether nobody has looked for these."""


@dataclass(frozen=True)
class Needed:
    """A file or folder of the controller: the path of the value that names it, and the host for which it is read."""

    path: str
    host: str
    origin: str
    is_folder: bool = False
    checksum: str = ""


@dataclass(frozen=True)
class Pair:
    """A certificate and its key as PEM text: the path of the value, and the names that the certificate is for."""

    path: str
    domains: tuple[str, ...]
    certificate: str
    key: str = field(repr=False)


@dataclass
class Fleet:
    """All hosts of the play, the two groups (None where the inventory has no such group), and the pattern matcher.

    ``preset`` lies under every host's ``pyhost_app_defaults``; what begins with ``pyhost_``, under its variables.
    ``run`` is the playbook, which tells what the variables that are given with -e mean. ``warnings`` fills with
    sentences about what is possible, but not safe; ``needed`` and ``pairs``, with what is to be looked at on the
    controller before a host is.
    """

    hosts: dict[str, Host]
    frontends: list[str] | None
    backends: list[str] | None
    match: Callable[[str], list[str]]
    preset: Mapping[str, t.Any] = field(default_factory=dict)
    run: str = "site"
    warnings: list[str] = field(default_factory=list)
    needed: list[Needed] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)


@dataclass
class View:
    """One application as one host sees it."""

    path: str
    app: App


def _lay_over(below: Mapping[str, t.Any], above: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Lay a description over the defaults; who chose another back end did not mean the defaults' protocol."""
    merged = lay_over(below, above)
    chosen = BACK_ENDS.get(str(above.get("backend")))
    if chosen and "protocol" not in above and merged.get("protocol") not in chosen.serves:
        merged.pop("protocol", None)
    return merged


class Inventory:
    """Reads the variables of all hosts. ``settings`` are by host, ``views`` by application and host."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.validator = Validator()
        self.settings: dict[str, dict[str, t.Any]] = {}
        # application -> host -> view, only for hosts that see the application
        self.views: dict[str, dict[str, View]] = {}
        # What many hosts see alike is checked once.
        self.checked: dict[tuple[str, str], list[tuple[t.Any, t.Any, App | None]]] = {}
        for described in fleet.hosts.values():
            self._read(described)
        self.raise_problems()

    def raise_problems(self) -> None:
        """Raise Invalid with all that was found so far, each problem once."""
        without_value = [problem for host in self.fleet.hosts.values() for problem in host.problems]
        paths = tuple(f"{problem.path}{separator}" for problem in without_value for separator in (".", "[", ":"))
        found = [problem for problem in self.validator.problems if not f"{problem.path}:".startswith(paths)]
        # The same variable is seen by many hosts: its problem is told once.
        told = list(dict.fromkeys([*without_value, *found]))
        if told:
            raise Invalid(told)

    def _add(self, problems: Iterable[Problem]) -> None:
        """Note problems of values about which nothing has been told yet."""
        told = {problem.path for problem in self.validator.problems}
        self.validator.problems += [problem for problem in problems if problem.path not in told]

    def _read(self, host: Host) -> None:
        known = {key.name: key for key in HOST}
        given: dict[str, t.Any] = {name: value for name, value in self.fleet.preset.items() if name in known}
        for variable, value in host.variables.items():
            if variable in known:
                given[variable] = value
            elif variable in WRITTEN_AS:
                self.validator.problem(
                    variable,
                    f"this variable has no effect, because the playbooks set it. Set {WRITTEN_AS[variable]} instead.",
                )
            elif not _APPS.fullmatch(variable):
                names = sorted([*known, "pyhost_apps"])
                self.validator.problem(
                    variable,
                    f"unknown variable. {near(variable, names)}".strip(),
                    f"Valid variables: {', '.join(names)}.",
                )
        self.settings[host.name] = {
            name: self.validator.value(name, given.get(name), key) for name, key in known.items()
        }
        self._add(replace(problem, path=problem.path.lstrip(".")) for problem in empty("", host.variables, {}, HOST))
        defaults = self._defaults(self.settings[host.name]["pyhost_app_defaults"])
        for variable in sorted(filter(_APPS.fullmatch, host.variables)):
            self._read_apps(host.name, variable, host.variables[variable], defaults)

    def _defaults(self, given: Mapping[str, t.Any]) -> Mapping[str, t.Any]:
        trial = Validator()
        trial.options("pyhost_app_defaults", given, _OPTIONAL_APP, UNSUPPORTED)
        trial.problems.extend(empty("pyhost_app_defaults", given, self.fleet.preset, _OPTIONAL_APP))
        self.validator.problems.extend(trial.problems)
        below = {name: value for name, value in self.fleet.preset.items() if not name.startswith("pyhost_")}
        return below if trial.problems else _lay_over(below, given)

    def _read_apps(self, host: str, variable: str, apps: t.Any, defaults: Mapping[str, t.Any]) -> None:
        if not isinstance(apps, Mapping):
            self.validator.problem(
                variable,
                "the value is not a dictionary. Write the names of applications, with the keys of each below its name.",
            )
            return
        for name, raw in apps.items():
            path = f"{variable}.{name}"
            if misread(name):
                self.validator.problem(path, f"the name {misread(name)}")
                continue
            other = self.views.get(name, {}).get(host)
            if other:
                self.validator.problem(
                    path, f"{other.path} describes this application too. Keep one of the two descriptions."
                )
                continue
            app = self._app(path, str(name), raw, defaults)
            if app is not None:
                self.views.setdefault(str(name), {})[host] = View(path, app)

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
            check.problem(path, "the value is not a dictionary. Write the keys of the application below its name.")
            return None
        absent = raw.get("state") == "absent"
        given = _lay_over(defaults, raw)
        app = check.options(path, given, _OPTIONAL_APP if absent else APP, UNSUPPORTED)
        self._add(empty(path, raw, defaults, APP))
        app["name"], app["own"] = name, own_keys(raw)
        app["named"] = app["user"] is not None
        if app["user"] is None and len(check.problems) == before:
            try:
                app["user"] = check_user(name)
            except ValueError as error:
                check.problem(path, str(error))
        self._add(without_effect(path, app))
        self.fleet.warnings.extend(doubtful(path, app))
        if not absent:
            self._check_source(path, app, given)
            self._check_urls(path, app)
            if not given.get("domains") and not app["default"]:
                check.problem(
                    f"{path}.domains",
                    "a value is required. Write a list, such as `domains: [shop.example.org]`, or `default: true`.",
                )
            if app["protocol"] and app["protocol"] not in BACK_ENDS[app["backend"]].serves:
                check.problem(
                    f"{path}.protocol",
                    f"{app['backend']} does not support '{app['protocol']}'."
                    f" {suggest(app['protocol'], BACK_ENDS[app['backend']].serves)}",
                )
            if not BACK_ENDS[app["backend"]].runs(app["python"]):
                others = ", ".join(sorted(name for name, row in BACK_ENDS.items() if row.runs(app["python"])))
                check.problem(
                    f"{path}.python",
                    f"{app['backend']} runs applications with the distribution's own interpreter only, not with"
                    f" '{app['python']}'. Remove `python`, or choose another `backend` ({others}).",
                )
        return app if len(check.problems) == before else None

    def _check_source(self, path: str, app: App, given: Mapping[str, t.Any]) -> None:
        source = app["source"]
        if source is None:
            if not given.get("requirements"):
                self.validator.problem(
                    path,
                    "the application has no code. Add `source`, or add `requirements` that contain the application.",
                )
            return
        kinds = [kind for kind in ("git", "path", "archive") if source[kind]]
        if len(kinds) != 1:
            self.validator.problem(
                f"{path}.source",
                f"{' and '.join(kinds) or 'no origin'} given. Write exactly one of git, path and archive.",
            )
        if source["checksum"] and "archive" not in kinds:
            self.validator.problem(f"{path}.source.checksum", "only an archive has a checksum. Remove this key.")
        if source["version"] != "HEAD" and "git" not in kinds:
            self.validator.problem(f"{path}.source.version", "only a git repository has a version. Remove this key.")

    def _check_urls(self, path: str, app: App) -> None:
        static = {without_slash(url) for url in app["static"]}
        for url in sorted(url for url in app["private"] if without_slash(url) in static):
            self.validator.problem(f"{path}.private.{url}", "this URL is in `static` too. Remove one of the two.")
        for url in app["private"]:
            if not url.endswith("/"):
                self.validator.problem(f"{path}.private.{url}", f"a URL in `private` must end in /. Write '{url}/'.")
        for key in ("static", "private"):
            if "/" in app[key]:
                self.validator.problem(
                    f"{path}.{key}./",
                    "this URL covers the whole application. Write a URL below it, such as /static/.",
                )
