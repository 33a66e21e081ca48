# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module C(packages) does on a host.

Private to the collection. All that touches the host goes through `Host`, so that a test can stand in for it.
"""

from __future__ import annotations

import functools
import os
import re
import time
import typing as t
from pathlib import Path

from .. import _command
from .._errors import PyhostError
from .._fs import Node, replace
from .._lock import alone
from .._text import last_lines

POLICY = "#!/bin/sh\n# pyhost.web installs packages; no service is started meanwhile\nexit 101\n"
"""Content of policy-rc.d during an installation."""

REFRESH = 3600
"""Package lists that are older than this many seconds are fetched again before something is installed."""

NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+(:[a-z0-9-]+)?")
LOCKED = re.compile(r"Could not get lock|Unable to lock|Unable to acquire the dpkg frontend lock")
FETCH = re.compile(r"Failed to fetch (?P<url>\S+)\s+(?P<why>.*)")

Run = t.Callable[..., "tuple[int, str, str]"]

apt_run = functools.partial(
    _command.run, limit=3600, environment={**_command.LANGUAGE, "DEBIAN_FRONTEND": "noninteractive"}
)
"""Runs a command of apt, which asks nothing; a slow mirror has an hour."""


class Host:
    """The files and commands of a Debian host that this module needs.

    `run` takes a command (list) and `pass_fds`, and returns its status, output and error output, as
    `apt_run` does. `root` stands before every path.
    """

    def __init__(self, run: Run, root: str = "") -> None:
        self.run = run
        self.policy = Path(f"{root}/usr/sbin/policy-rc.d")
        self.saved = Path(f"{root}/usr/sbin/policy-rc.d.pyhost")
        self.lists = Path(f"{root}/var/lib/apt/lists")
        self.lock = Path(f"{root}/run/pyhost-packages.lock")
        self.dpkg = Path(f"{root}/usr/bin/dpkg-query")
        self.apt = Path(f"{root}/usr/bin/apt-get")
        self.release = Path(f"{root}/etc/os-release")
        self.sleep = time.sleep
        self.clock = time.time

    def name(self) -> str:
        """How this system calls itself."""
        found = re.search(r'^PRETTY_NAME="?([^"\n]+)', read(self.release), re.MULTILINE)
        return found.group(1) if found else "this system"

    def version(self) -> str:
        """Debian's release, such as 13; empty where it has no number yet."""
        found = re.search(r'^VERSION_ID="?([^"\n]+)', read(self.release), re.MULTILINE)
        return found.group(1) if found else ""


class Packages:
    """The wanted packages of a host (see the module's options).

    `warnings` fills with sentences for the user.
    """

    def __init__(self, host: Host, name: list[str], lock_timeout: int) -> None:
        self.host = host
        self.names = list(dict.fromkeys(name))
        self.lock_timeout = lock_timeout
        self.warnings: list[str] = []

    def missing(self) -> list[str]:
        """Names that dpkg does not have completely installed, in the order of the list.

        Raises PyhostError where a name is none or the system is not Debian.
        """
        problems = [
            f"name: {name!r} is not a valid name of a Debian package" for name in self.names if not NAME.fullmatch(name)
        ]
        if problems:
            raise PyhostError("; ".join(problems))
        if not self.host.dpkg.exists() or not self.host.apt.exists():
            raise PyhostError(f"{self.host.name()} has no apt. pyhost.web supports Debian 12 and 13 only.")
        if not self.names:
            return []
        # The status is 1 as soon as one name is unknown; the others are printed all the same.
        fields = "${Package}\t${Package}:${Architecture}\t${db:Status-Status}\n"
        _status, out, _err = self.host.run(["dpkg-query", "--show", "--showformat", fields, *self.names])
        installed = set()
        for line in out.splitlines():
            *known, status = line.split("\t")
            if status == "installed":
                installed.update(known)
        return [name for name in self.names if name not in installed]

    def install(self, missing: list[str]) -> None:
        """Install the packages, and finish what an interrupted run left; raise PyhostError with apt's own words."""
        if not missing and not self.is_unfinished():
            return
        with alone(self.host.lock, self.lock_timeout, self.host.clock, self.host.sleep) as lock:
            if missing:
                self._forbid_starts()
            try:
                if missing:
                    self._install(missing, lock)
            finally:
                self._allow_starts()

    def is_unfinished(self) -> bool:
        """Whether an interrupted run left its policy-rc.d, or took away another one and did not bring its own."""
        return read(self.host.policy).startswith(POLICY) or os.path.lexists(self.host.saved)

    # -- policy-rc.d -------------------------------------------------------------------------------------------------

    def _forbid_starts(self) -> None:
        if not self.is_unfinished() and os.path.lexists(self.host.policy):
            self.host.policy.rename(self.host.saved)
        replace(self.host.policy, Node(POLICY.encode(), 0o755))

    def _allow_starts(self) -> None:
        if os.path.lexists(self.host.saved):
            self.host.saved.rename(self.host.policy)
        elif read(self.host.policy).startswith(POLICY):
            self.host.policy.unlink()

    # -- apt ---------------------------------------------------------------------------------------------------------

    def _install(self, missing: list[str], lock: int) -> None:
        command = [
            "apt-get", "install", "--yes", "--no-install-recommends",
            "-o", f"DPkg::Lock::Timeout={self.lock_timeout}",
            "-o", "Dpkg::Options::=--force-confold", "-o", "Dpkg::Options::=--force-confdef",
            *missing,
        ]  # fmt: skip
        refreshed = ""
        is_fresh = self._is_fresh()
        if not is_fresh:
            refreshed = self._refresh(lock)
        status, out = self._apt(command, lock)
        if status and "dpkg --configure -a" in out:
            self._apt(["dpkg", "--force-confold", "--force-confdef", "--configure", "-a"], lock)
            status, out = self._apt(command, lock)
        if status and LOCKED.search(out):
            raise PyhostError(
                f"apt could not install {', '.join(missing)}: another program has been installing packages for more"
                f" than {self.lock_timeout} seconds. Wait until it ends, and run again.\n{complaint(out)}"
            )
        if status and is_fresh:
            # Lists that are young may still be older than what the mirror has now.
            refreshed = self._refresh(lock)
            status, out = self._apt(command, lock)
        if status:
            words = f"apt could not install {', '.join(missing)}: {complaint(out)}"
            if refreshed:
                words += f"\nBefore that, the package lists could not be fetched: {refreshed}"
            raise PyhostError(words)
        if refreshed:
            self.warnings.append(f"The package lists could not be fetched, so older ones were used. {refreshed}")

    def _is_fresh(self) -> bool:
        try:
            if not any(path.name.endswith(("Release", "_Packages")) for path in self.host.lists.iterdir()):
                return False
            return self.host.clock() - self.host.lists.stat().st_mtime < REFRESH
        except FileNotFoundError:
            return False

    def _refresh(self, lock: int) -> str:
        """Returns what went wrong, if anything: whether that matters, the installation tells."""
        status, out = self._apt(["apt-get", "update", "-o", "APT::Update::Error-Mode=any"], lock)
        if status:
            return complaint(out)
        # apt leaves the time alone where all lists were up to date.
        os.utime(self.host.lists, (self.host.clock(),) * 2)
        return ""

    def _apt(self, command: list[str], lock: int) -> tuple[int, str]:
        """apt itself waits for dpkg's lock, but not for those of its lists and archives."""
        deadline = self.host.clock() + self.lock_timeout
        while True:
            # With the lock inherited, the run after an interrupted one also waits for the apt that lives on.
            status, out, err = self.host.run(command, pass_fds=(lock,))
            if not status or not LOCKED.search(err) or self.host.clock() >= deadline:
                return status, out + err
            self.host.sleep(2)


def complaint(out: str) -> str:
    """The part of apt's output that says why it failed; of unreachable mirrors, each once with its address."""
    mirrors: dict[str, str] = {}
    for found in FETCH.finditer(out):
        host = "/".join(found["url"].split("/")[:3])
        mirrors.setdefault(host, found["why"].strip())
    if mirrors:
        return "; ".join(f"mirror {host}: {why}" for host, why in mirrors.items())
    lines = [line for line in out.splitlines() if line.startswith(("E:", "dpkg: error"))]
    return last_lines("\n".join(lines) or out) or "no output"


def read(path: Path) -> str:
    """Content of a text file; empty where there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
