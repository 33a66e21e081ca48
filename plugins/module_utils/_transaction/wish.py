# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The desired state of a component: its files and units, and how to find out whether it works.

Private to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from .._gateway import is_direct, status_of
from .._systemd import application_of
from .._text import end_of
from .._web import healthy
from .manifest import Manifest
from .own_sites import OwnSites

# Lines of a server's log that a message quotes.
SAID = 10
# Bytes of it that are read.
LOGGED = 65536


@dataclass(frozen=True)
class Entry:
    """The desired state of a path: a file (`content`), a link (`link`, or `follow`), or nothing."""

    path: str
    where: str
    """How the user finds it, such as `files[3]`."""
    content: str | None = None
    link: str | None = None
    follow: str | None = None
    owner: str = "root"
    group: str = "root"
    mode: str = "0644"
    secret: bool = False
    unit: str | None = None
    verb: str | None = None
    command: tuple[str, ...] = ()
    applications: tuple[str, ...] = ()
    """Those that it is about: when one of them fails, it stays as it was."""


@dataclass(frozen=True)
class Probe:
    """A web address that answers the generation once it is active."""

    url: str
    generation: str
    host: str | None = None
    timeout: float = 10
    log: Path | None = None
    """Where the server writes why it does not take a configuration that passed its test."""

    def logged(self) -> int:
        """Return how many bytes the log has."""
        return self.log.stat().st_size if self.log and self.log.exists() else 0

    def said(self, since: int) -> str:
        """Return the last lines of the log beyond its first bytes."""
        if not self.log or self.logged() <= since:
            return ""
        with self.log.open("rb") as file:
            # One byte more shows that something was cut.
            file.seek(max(since, self.logged() - LOGGED - 1))
            lines = end_of(file.read(LOGGED + 1), LOGGED).splitlines()
        return "\n" + "\n".join(lines[-SAID:])


@dataclass(frozen=True)
class Request:
    """What a web server, or an application at its endpoint, must answer once a file that changed is active."""

    file: str
    url: str
    mount: str = ""
    host: str | None = None
    status: tuple[int, ...] = ()
    """Good answers; none given: all below 500."""
    timeout: float = 30
    unit: str | None = None
    """Its journal shows what went wrong."""
    any_answer: bool = False
    """Whether any answer is a good one: it was not healthy before, and only has to be there."""

    @property
    def is_direct(self) -> bool:
        """Whether the application itself is asked, without a web server."""
        return is_direct(self.url)

    def complaint(self, answer: str) -> str:
        """Return what is wrong with a status line; empty where it is a good one."""
        status = status_of(answer)
        if healthy(status, self.status) or (self.any_answer and status):
            return ""
        where = f"{self.url} (Host: {self.host})" if self.host else self.url
        if status is None:
            return f"{where} gave no valid answer: {answer}"
        right = f"one of these statuses: {', '.join(map(str, self.status))}" if self.status else "a status below 500"
        return f"{where} answered '{answer}'. Expected {right}."


@dataclass(frozen=True)
class Test:
    """How a server tests its configuration."""

    folder: Path
    command: tuple[str, ...]
    scratch: tuple[str, ...] = ()
    reject: str | None = None
    certificates: tuple[str, ...] = ()
    """Sites whose certificates the configuration names."""
    accounts: tuple[str, ...] = ()
    """Users, each with a group of its name, that the configuration names."""
    awaits: tuple[str, ...] = ()
    """Packages that an earlier task has installed; in check mode they are not here yet."""

    def complaint(self, status: int, output: str) -> str | None:
        """Return why the output of the command means that the configuration is bad, None when it is good."""
        if status:
            return output or f"status {status}"
        if self.reject and re.search(self.reject, output, re.MULTILINE):
            return output
        return None


@dataclass(frozen=True)
class Wish:
    """The desired state of a component."""

    component: str
    entries: tuple[Entry, ...] = ()
    units: tuple[str, ...] = ()
    keep: frozenset[str] = frozenset()
    keep_units: frozenset[str] = frozenset()
    take: bool = False
    replaces: frozenset[str] = frozenset()
    retire: frozenset[str] = frozenset()
    listen: tuple[str, ...] = ()
    """Where its units listen over TCP. Units that are replaced or retired listen there no longer by then."""
    closed: tuple[str, ...] = ()
    """Endpoints of its sockets that must not be open to this host itself."""
    proofs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By unit, a command that fails where what the unit has loaded is gone."""
    test: Test | None = None
    probe: Probe | None = None
    own_sites: OwnSites = field(default_factory=OwnSites)
    origin: str = ""
    """Which list the entries are from; empty where they are from none."""
    run: str = ""
    """Which run of Ansible this is a task of."""
    partial: bool = False
    """Everything else that the component has stays as it is."""
    requests: tuple[Request, ...] = ()

    def keeping(self, names: Collection[str], mine: Manifest) -> Wish:
        """Return the wish with which these applications stay as they are on the host: `mine` is what it has."""
        kept = {entry.path for entry in self.entries if {*names}.intersection(entry.applications)}
        wanted = {entry.path for entry in self.entries} - kept
        former = {path for path, known in mine.files.items() if path not in wanted and {*names} & {*known.applications}}
        units = {unit for unit in (*self.units, *mine.units) if application_of(unit) in names}
        return replace(
            self,
            entries=tuple(entry for entry in self.entries if entry.path in wanted),
            units=tuple(unit for unit in self.units if unit not in units),
            keep=self.keep | kept | former,
            keep_units=self.keep_units | units,
        )
