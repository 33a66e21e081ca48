# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a transaction needs from a host beside its files: commands, systemd, a clock and a web client.

Private to the collection. A test stands in for `Host` with a class of its own; `Systemd` works on either.
"""

from __future__ import annotations

import contextlib
import http.client
import shutil
import socket
import ssl
import time
import typing as t
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

from .. import _gateway
from .._command import LIMIT
from .._text import number
from . import listeners


class TransactionError(Exception):
    """A sentence for the user, with what else the result should carry (C(file), C(line), C(application))."""

    def __init__(self, message: str, **details: t.Any) -> None:
        super().__init__(message)
        self.details = {key: value for key, value in details.items() if value is not None}


class Host:
    """The real host.

    `run_command` takes a command (list) and its limit in seconds, and returns its status, output and error output, as
    `_command.run` does.
    """

    def __init__(self, run_command: t.Callable[..., tuple[int, str, str]]) -> None:
        self._run_command = run_command

    def run(self, command: t.Sequence[str], timeout: float = LIMIT) -> tuple[int, str]:
        """Run a command and return its status and its output; one that hangs ends after `timeout` seconds."""
        status, output, complaints = self._run_command(list(command), timeout)
        return status, f"{output.strip()}\n{complaints.strip()}".strip()

    def has(self, command: str) -> bool:
        """Whether this host has the command."""
        return shutil.which(command) is not None

    def fetch(self, url: str, host: str | None, timeout: float) -> str:
        """Return the body that a web server answers, or why there is none; `timeout` is seconds for all of it."""
        try:
            with answer_of(url, host, timeout) as answer:
                return answer.read(1024).decode(errors="replace").strip()
        except _gateway.Failed as error:
            return _gateway.failure(error)

    def ask(self, url: str, host: str | None, timeout: float, mount: str = "") -> str:
        """Return the status line of the answer, such as C(200 OK), or why there is none.

        `timeout` is seconds for all of it. `url` is that of a web server, or of the endpoint of an application that is
        mounted at `mount`.
        """
        try:
            if urllib.parse.urlsplit(url).scheme.endswith(_gateway.SUFFIX):
                return _gateway.ask(url, mount, host or "localhost", timeout)
            with answer_of(url, host, timeout) as answer:
                return f"{answer.status} {answer.reason}"
        except _gateway.Failed as error:
            return _gateway.failure(error)

    def children(self, processes: t.Collection[int]) -> dict[int, set[int]]:
        """Return the processes that each of these has started, in one look; none where there is no such process."""
        found: dict[int, set[int]] = {process: set() for process in processes}
        for path in Path("/proc").glob("[0-9]*/stat") if found else ():
            # It may be gone by now, also while it is read.
            with contextlib.suppress(OSError, ValueError, IndexError):
                parent = parent_of(path.read_bytes())
                if parent in found:
                    found[parent].add(int(path.parent.name))
        return found

    def refusal(self, address: str, units: t.Container[str]) -> str:
        """Return why none of these units could listen there; empty where one can, or does already."""
        return listeners.refusal(address, units)

    def clock(self) -> float:
        """Seconds that only ever grow."""
        return time.monotonic()

    def now(self) -> float:
        """Seconds since the epoch, as the journal counts."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


def parent_of(stat: bytes) -> int:
    """Return the parent in what /proc/PID/stat has; ValueError or IndexError where it has none."""
    # The name of a program may be any bytes, also spaces and parentheses.
    return int(stat.rpartition(b")")[2].split()[1])


class _Encrypted(http.client.HTTPSConnection):
    """Asks for a certificate by the name of the site, at whatever address that is."""

    def __init__(self, address: str, site: str, timeout: float) -> None:
        # It is this host, whatever its certificate says.
        self.trusting = ssl.create_default_context()
        self.trusting.check_hostname = False
        self.trusting.verify_mode = ssl.CERT_NONE
        super().__init__(address, timeout=timeout, context=self.trusting)
        self.site = site

    def connect(self) -> None:
        """Open the connection."""
        http.client.HTTPConnection.connect(self)
        # The socket is known before the handshake, so that a deadline can end that too.
        sock = self.trusting.wrap_socket(self.sock, server_hostname=self.site, do_handshake_on_connect=False)
        self.sock = sock
        sock.do_handshake()


def connection(url: str, timeout: float, site: str | None = None) -> http.client.HTTPConnection:
    """Return a connection, not open yet, to the web server of this host that `url` names; C(timeout) in seconds.

    Over TLS it asks for `site`, for which a server may have a certificate where it has none for its address.
    """
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "https":
        return http.client.HTTPConnection(parts.netloc, timeout=timeout)
    return _Encrypted(parts.netloc, site or str(parts.hostname), timeout)


def encrypted(url: str) -> str:
    """Return the address of the same server at which it answers over TLS, port 443."""
    parts = urllib.parse.urlsplit(url)
    address = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return urllib.parse.urlunsplit(("https", f"{address}:443", parts.path, parts.query, ""))


@contextlib.contextmanager
def answer_of(
    url: str, site: str | None, timeout: float, path: str = "", headers: t.Mapping[str, str] | None = None
) -> t.Iterator[http.client.HTTPResponse]:
    """Ask the web server of this host at `url` and hand out its answer; `timeout` is seconds for all of it.

    `site` is the name that it is asked by, `path` what it is asked for instead of the path in `url`. Raises one of
    `_gateway.Failed` where no answer comes.
    """
    server = connection(url, timeout, site)
    opened: list[socket.socket] = []
    # The connection forgets its socket when it knows that the answer is the last one.
    with contextlib.closing(server), _gateway.deadline(timeout, lambda: opened[0] if opened else server.sock):
        target = path or urllib.parse.urlsplit(url).path or "/"
        server.request("GET", target, headers={**({"Host": site} if site else {}), **(headers or {})})
        opened.append(server.sock)
        yield server.getresponse()


DOWN = {"inactive", "failed", "deactivating"}
# `linked` and `static` units have nothing to enable.
NOT_ENABLED = {"disabled", "masked", "masked-runtime", "enabled-runtime"}
PROPERTIES = "LoadState,ActiveState,SubState,UnitFileState,NRestarts,NeedDaemonReload,CanReload,MainPID"


@dataclass(frozen=True)
class Unit:
    """What systemd says about a unit."""

    load: str = "not-found"
    active: str = "inactive"
    sub: str = "dead"
    file: str = ""
    restarts: int = 0
    stale: bool = False
    reloads: bool = False
    main: int = 0

    @property
    def up(self) -> bool:
        """Whether it runs or is about to."""
        return self.active not in DOWN

    @property
    def enabled(self) -> bool:
        """Whether there is nothing left to enable."""
        return self.load not in {"masked", "not-found"} and self.file not in NOT_ENABLED

    @property
    def broken(self) -> bool:
        """Whether it will not come up by waiting."""
        return self.active in DOWN or self.sub.startswith("auto-restart")


def served_by(socket: str) -> str:
    """Return the service that a socket unit starts."""
    return f"{socket.removesuffix('.socket')}.service"


class Systemd:
    """systemctl, one call for any number of units."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def show(self, units: t.Iterable[str]) -> dict[str, Unit]:
        """Return the state of each unit."""
        names = sorted(set(units))
        if not names:
            return {}
        status, output = self.host.run(["systemctl", "show", "--property", PROPERTIES, "--", *names], timeout=120)
        blocks = output.split("\n\n")
        if status or len(blocks) != len(names):
            raise TransactionError(f"systemctl show: {output or f'status {status}'}")
        return {name: self._unit(block) for name, block in zip(names, blocks, strict=True)}

    def _unit(self, block: str) -> Unit:
        value = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        return Unit(
            load=value.get("LoadState", ""),
            active=value.get("ActiveState", ""),
            sub=value.get("SubState", ""),
            file=value.get("UnitFileState", ""),
            restarts=number(value.get("NRestarts", "")) or 0,
            stale=value.get("NeedDaemonReload") == "yes",
            reloads=value.get("CanReload") == "yes",
            main=number(value.get("MainPID", "")) or 0,
        )

    def do(self, verb: str, units: t.Iterable[str]) -> str:
        """Let systemctl do something with all of the units; return its complaints, empty when all went well."""
        names = sorted(set(units))
        if not names:
            return ""
        status, output = self.host.run(["systemctl", *verb.split(), "--", *names])
        return (output or f"systemctl {verb}: status {status}") if status else ""

    def reload_manager(self) -> None:
        """Let systemd read changed unit files."""
        status, output = self.host.run(["systemctl", "daemon-reload"])
        if status:
            raise TransactionError(f"systemctl daemon-reload: {output}")

    def words(self, unit: str, since: float) -> str:
        """Return the last lines that a unit wrote to the journal since that second."""
        command = ["journalctl", f"--unit={unit}", f"--since=@{int(since)}", "--lines=20", "--output=cat", "--no-pager",
                   "--quiet"]
        status, output = self.host.run(command, timeout=30)
        return "" if status else output
