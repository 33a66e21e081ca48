# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host runs, and what is left on it: read from systemd, the manifests, folders and cgroups; changes nothing.

Private to the collection.
"""

from __future__ import annotations

import contextlib
import datetime
import pwd
import re
import ssl
import time
import typing as t
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from .. import _gateway, _text
from .._errors import PyhostError
from .._release.accounts import is_ours, is_retired
from .._release.release import marker, target
from .._systemd import properties
from .._transaction import reach
from .._transaction.manifest import Manifest, Store
from .._web import answer_of, encrypted

Facts = dict[str, t.Any]
Run = t.Callable[[list[str]], "tuple[int, str, str]"]

PROPERTIES = "Id,LoadState,ActiveState,SubState,ControlGroup,MemoryCurrent,NRestarts,ExecStart,Transient"
UNIT = re.compile(r"pyhost-([^.]+)\.(?:.+\.)?(?:service|socket)")
DAEMON = re.compile(rb"\(wsgi:([^)]+)\)")
"""Title of a process that mod_wsgi runs inside the front end."""

AT_ONCE = 16
"""Requests at a time: one application that hangs does not hold up the others."""

DATA = "var/lib/pyhost"

PLACES = (
    ("release", "srv/pyhost", "*/"),
    ("cache", "var/cache/pyhost", "*/"),
    ("data", DATA, "[!.]*/"),
    ("socket", "run/pyhost", "*.sock"),
    ("environment", "etc/pyhost", "*.env"),
    ("script", "etc/pyhost/mod_wsgi", "*.wsgi"),
    ("unit", "etc/systemd/system", "pyhost-*.service"),
    ("unit", "etc/systemd/system", "pyhost-*.socket"),
)
"""What an application has on a host: a word for it, and where its name is."""

ENDS = 'for file; do echo "$file $(openssl x509 -noout -enddate -in "$file")"; done'
"""Tells of all certificates at once, when each one ends."""

STAYS = "data"
"""What an application with C(state: absent) leaves behind, as it is not said to be purged."""


@dataclass(frozen=True)
class Question:
    """The health request of an application, asked at its endpoint or, without one, through the front end.

    C(timeout) in seconds.
    """

    app: str
    host: str
    path: str
    timeout: int
    endpoint: str = ""
    mount: str = ""
    https: bool = False


@dataclass(frozen=True)
class Wanted:
    """What the inventory says about a host: C(apps) is name to user, C(serves) back end to protocols."""

    apps: Mapping[str, str]
    url: str
    """Where the front end answers."""
    absent: Sequence[str] = ()
    serves: Mapping[str, Sequence[str]] = field(default_factory=dict)
    inside: str = "wsgi"
    questions: Sequence[Question] = ()
    guarded: bool = False
    """Whether the host has a table that guards endpoints."""
    closed: Sequence[str] = ()
    """Endpoints of this host that it must not be able to open itself."""


def parse_show(text: str) -> dict[str, dict[str, str]]:
    """Return the properties of each unit in the output of C(systemctl show), by its Id."""
    return {unit["Id"]: unit for unit in properties(text) if unit.get("Id")}


def number(text: str) -> int | None:
    """Return a property that is a number; None where systemd has none, which it also writes as 2^64-1."""
    found = _text.number(text)
    return None if found == 2**64 - 1 else found


def state(unit: Mapping[str, str]) -> str:
    """Return what a unit does in one word, such as C(running), C(auto-restart) or C(failed); C(missing) without one."""
    active = unit.get("ActiveState", "inactive")
    if unit.get("LoadState", "not-found") == "not-found" and active == "inactive":
        return "missing"
    return unit.get("SubState", active) if active in ("active", "activating") else active


def ask(url: str, question: Question) -> Facts:
    """Return C(status), C(seconds) until the headers had come, and C(error) where no answer did (status is None)."""
    # As it reaches the application when a release is tried, it is not encoded yet.
    path = urllib.parse.quote(question.path, safe="/?&=%+:@,;!$'()*~")
    status, error = None, ""
    begin = time.monotonic()
    try:
        if question.endpoint:
            line = _gateway.ask(question.endpoint + path, question.mount, question.host, question.timeout)
            status = _gateway.status_of(line)
            error = "" if status else f"no status line: {_text.beginning(line, 80)!r}"
        else:
            address, headers = encrypted(url) if question.https else url, {"User-Agent": "pyhost-status"}
            with answer_of(address, question.host, question.timeout, path, headers) as answer:
                status = answer.status
    except _gateway.Failed as problem:
        # What had come until its time was over is no answer.
        status, error = None, _gateway.failure(problem)
    return {"status": status, "seconds": round(time.monotonic() - begin, 3), "error": error}


def _end(date: str) -> str:
    """Return a date as openssl prints it in ISO 8601; empty where it is none, or beyond what a calendar has."""
    try:
        moment = datetime.datetime.fromtimestamp(ssl.cert_time_to_seconds(date), datetime.UTC)
    except (ValueError, OverflowError):
        return ""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class Status:
    """What is on a host, below C(root); C(run) runs a command and returns its status, output and complaints."""

    def __init__(self, run: Run, root: Path = Path("/")) -> None:
        self.run = run
        self.root = root
        self.store = Store(root / "var/lib/pyhost/.manifest")
        self.groups: dict[str, list[int]] = {}

    def look(self, wanted: Wanted) -> Facts:
        """Return what the module returns."""
        manifests = self.store.manifests()
        self.groups = self._by_group()
        front_ends = {
            part.removeprefix("frontend_"): min(manifest.units, key=len)
            for part, manifest in manifests.items()
            if part.startswith("frontend_") and manifest.units
        }
        units = self._units({*(f"pyhost-{name}.service" for name in wanted.apps), *front_ends.values()})
        daemons = self._daemons([units[unit] for unit in front_ends.values()])
        return {
            "applications": {
                name: self._application(name, wanted, manifests, units, daemons.get(name, [])) for name in wanted.apps
            },
            "front_ends": {
                server: {"unit": unit, "state": state(units[unit]), "version": self._version(unit)}
                for server, unit in sorted(front_ends.items())
            },
            "certificates": self._certificates(),
            "health": self._health(wanted),
            "orphans": self._orphans(wanted, units),
            "guard": "missing" if wanted.guarded and self.run(list(reach.TABLE))[0] else "",
            "open": reach.answering(wanted.closed),
            "interrupted": sorted(self.store.journals()),
        }

    def _units(self, names: Iterable[str]) -> dict[str, dict[str, str]]:
        command = ["systemctl", "show", "--property", PROPERTIES, "--", "pyhost-*", *sorted(names)]
        status, output, complaints = self.run(command)
        if status:
            raise PyhostError(f"systemctl show: {_text.one_line(complaints) or f'status {status}'}")
        return {name: {} for name in names} | parse_show(output)

    def _application(
        self,
        name: str,
        wanted: Wanted,
        manifests: Mapping[str, Manifest],
        units: Mapping[str, Mapping[str, str]],
        daemons: Sequence[int],
    ) -> Facts:
        folder = self.root / "srv/pyhost" / name
        own = f"pyhost-{name}.service"
        back_end, has_unit = self._back_end(name, own, manifests)
        found: Facts = {
            "release": target(folder / "current"),
            "since": self._since(folder / "current"),
            "next": target(folder / "next"),
            "releases": sum(marker(release) is not None for release in folder.glob("releases/*")),
            "backend": back_end,
            "protocol": self._protocol(wanted, back_end, units[own] if has_unit else None),
        }
        if has_unit or not back_end:
            pids, counted = self._pids(units[own]), number(units[own].get("MemoryCurrent", ""))
            return found | {
                "unit": own,
                "state": state(units[own]),
                "processes": len(pids),
                "memory": sum(map(self._memory, pids)) or None if counted is None else counted,
                "restarts": number(units[own].get("NRestarts", "")),
            }
        return found | {
            # The front end's processes; nobody counts how often it started them anew.
            "unit": None,
            "state": "running" if daemons else "missing",
            "processes": len(daemons),
            "memory": sum(map(self._memory, daemons)) or None,
            "restarts": None,
        }

    def _back_end(self, name: str, unit: str, manifests: Mapping[str, Manifest]) -> tuple[str, bool]:
        """Return the back end of an application, empty where it has none, and whether it has a unit of its own."""
        parts = {
            part.removeprefix("backend_"): manifest
            for part, manifest in manifests.items()
            if part.startswith("backend_")
        }
        for back_end, manifest in parts.items():
            if unit in manifest.units:
                return back_end, True
        for back_end, manifest in parts.items():
            for path, known in manifest.files.items():
                if path.startswith("/etc/pyhost/") and Path(path).stem == name and not known.absent:
                    return back_end, False
        return "", False

    @staticmethod
    def _protocol(wanted: Wanted, back_end: str, unit: Mapping[str, str] | None) -> str:
        """Return what it speaks: where the back end serves several, the command line has it as a word."""
        serves = list(wanted.serves.get(back_end, ()))
        if unit is None:
            return wanted.inside if wanted.inside in serves else ""
        serves = [protocol for protocol in serves if protocol != wanted.inside]
        if len(serves) > 1:
            words = unit.get("ExecStart", "").split()
            serves = [protocol for protocol in serves if protocol in words]
        return serves[0] if serves else ""

    @staticmethod
    def _since(link: Path) -> str:
        """Return when a link was made: a release comes into service by a new one."""
        try:
            made = link.lstat().st_mtime
        except OSError:
            return ""
        return datetime.datetime.fromtimestamp(made, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    # ---- processes

    def _by_group(self) -> dict[str, list[int]]:
        """Return the processes of each control group, whichever hierarchies the host has."""
        groups: dict[str, list[int]] = {}
        for file in self.root.glob("proc/[0-9]*/cgroup"):
            # A process may end while it is looked at.
            with contextlib.suppress(OSError, ValueError):
                for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
                    _number, controllers, group = line.split(":", 2)
                    if controllers in ("", "name=systemd") and group != "/":
                        groups.setdefault(group, []).append(int(file.parent.name))
        return groups

    def _pids(self, unit: Mapping[str, str]) -> list[int]:
        group = unit.get("ControlGroup")
        if not group:
            return []
        inside = (pids for name, pids in self.groups.items() if name == group or name.startswith(f"{group}/"))
        return sorted({pid for pids in inside for pid in pids})

    def _daemons(self, front_ends: Iterable[Mapping[str, str]]) -> dict[str, list[int]]:
        """Return the processes that front ends run for applications."""
        found: dict[str, list[int]] = {}
        for pid in (pid for unit in front_ends for pid in self._pids(unit)):
            with contextlib.suppress(OSError):
                title = DAEMON.match((self.root / f"proc/{pid}/cmdline").read_bytes())
                if title:
                    found.setdefault(_text.decode(title[1]), []).append(pid)
        return found

    def _memory(self, pid: int) -> int:
        """Return a process's share of the memory in bytes, which it has in part together with others."""
        with contextlib.suppress(OSError):
            text = (self.root / f"proc/{pid}/smaps_rollup").read_text(encoding="ascii", errors="replace")
            share = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
            return int(share[1]) * 1024 if share else 0
        return 0

    def _version(self, unit: str) -> str:
        """Return the version of a server's package, which has its unit's name; empty where it came in another way."""
        package = unit.removesuffix(".service")
        status, output, _complaints = self.run(["dpkg-query", "--show", "--showformat=${Version}", package])
        return "" if status else output.strip()

    # ---- certificates

    def _certificates(self) -> Facts:
        """Return C(end) (UTC) and C(stand_in) of what each site has."""
        links = {path.name: path for path in sorted(self.root.glob("etc/pyhost/tls/[!.]*")) if path.is_symlink()}
        # For names that no site has, where a server needs one to refuse them.
        links.pop("_unknown", None)
        if not links:
            return {}
        files = {str(path / "fullchain.pem"): name for name, path in links.items()}
        _status, output, _complaints = self.run(["sh", "-c", ENDS, "sh", *files])
        found: Facts = {}
        for line in output.splitlines():
            file, _equals, date = line.partition(" notAfter=")
            end = _end(date)
            if end and file in files:
                name = files[file]
                stand_in = str(links[name].readlink()).startswith(".stand_in/")
                found[name] = {"end": end, "stand_in": stand_in}
        return found

    # ---- health

    @staticmethod
    def _health(wanted: Wanted) -> dict[str, Facts]:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = pool.map(lambda question: ask(wanted.url, question), wanted.questions)
            return {question.app: answer for question, answer in zip(wanted.questions, answers, strict=True)}

    # ---- what nobody wants

    def _orphans(self, wanted: Wanted, units: Mapping[str, Mapping[str, str]]) -> list[Facts]:
        """Return C(kind), C(name) and C(application) of all that belongs to applications which no inventory names."""
        found: dict[tuple[str, str], str] = {}
        for kind, folder, pattern in PLACES:
            for path in (self.root / folder).glob(pattern):
                name = path.name.partition(".")[0].removeprefix("pyhost-" if kind == "unit" else "")
                shown = path.name if kind == "unit" else f"/{folder}/{path.name}"
                found[kind, shown] = name
        for unit, values in units.items():
            # A unit may run on without its file; builds have units for a while.
            match = UNIT.fullmatch(unit)
            if match and values.get("Transient") != "yes" and state(values) != "missing":
                found["unit", unit] = match[1]
        gone = [
            {"kind": kind, "name": shown, "application": name}
            for (kind, shown), name in found.items()
            if name not in wanted.apps and not (kind == STAYS and name in wanted.absent)
        ]
        users = {*wanted.apps.values(), *wanted.absent}
        # Data that stays keeps its account, which may have any name.
        data = [self.root / DATA / name for name in wanted.absent]
        kept = {place.stat().st_uid for place in data if place.is_dir()}
        gone += [
            {"kind": "user", "name": account.pw_name, "application": account.pw_name}
            for account in self.accounts()
            if is_ours(account)
            and not is_retired(account)
            and account.pw_name not in users
            and account.pw_uid not in kept
        ]
        return sorted(gone, key=lambda orphan: (orphan["application"], orphan["kind"], orphan["name"]))

    def accounts(self) -> list[pwd.struct_passwd]:
        """Return all accounts of the host."""
        return pwd.getpwall()
