# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who listens where a server is about to listen.

Private to the collection. A configuration test opens no port: nginx passes it and then silently goes on with its old
configuration, Apache and lighttpd pass it and die at the reload.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import re
import socket
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

from .._text import decode, one_line

LISTENING = "0A"
"""State of a socket in /proc/net/tcp, TCP_LISTEN of the kernel's include/net/tcp_states.h."""
ADDRESS = re.compile(r"(?:(?:\[(?P<six>[^]]+)\]|(?P<four>[^:]+)):)?(?P<port>[0-9]{1,5})")
EVERYWHERE = ipaddress.IPv4Address(0)
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}

Address: t.TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"


@dataclass(frozen=True)
class Listener:
    """A process that listens."""

    process: int
    name: str
    unit: str
    """Of systemd; empty where it belongs to none."""

    def __str__(self) -> str:
        whose = f" of {self.unit}" if self.unit else ""
        return f"{self.name} (process {self.process}{whose})"


def parse(text: str) -> tuple[Address, int]:
    """Return address and port of C(80), C(192.0.2.1:80) or C([::]:80); ValueError where it is something else."""
    found = ADDRESS.fullmatch(text)
    if not found:
        raise ValueError(f"{text}: this is not a port, address:port or [address]:port")
    address = found["six"] or found["four"]
    return ipaddress.ip_address(address) if address not in (None, "*") else EVERYWHERE, int(found["port"])


def complaint(text: str, units: t.Container[str], proc: Path = Path("/proc")) -> str:
    """Return why a server of these units cannot listen there, empty where it can, or does so already."""
    address, port = parse(text)
    try:
        with socket.socket(FAMILIES[address.version], socket.SOCK_STREAM) as probe:
            # As servers have it: what only waits for the last packets of closed connections is in nobody's way.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if address.version == 6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind((str(address), port))
            return ""
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            return f"{text}: this host cannot listen there: {error.strerror}"
    sockets = {inode: where for inode, where in _sockets(proc, port).items() if _overlap(where, address)}
    listeners = _listeners(proc, sockets)
    if any(listener.unit in units and sockets[inode] == address for inode, listener in listeners.items()):
        return ""
    others = [listener for listener in listeners.values() if listener.unit not in units]
    if not others and (listeners or _hidden(proc, units)):
        return ""
    who = " and ".join(sorted({str(listener) for listener in others})) or "another process"
    return f"{text}: already in use by {who}"


def _overlap(there: Address, wanted: Address) -> bool:
    """Whether one address takes the other's connections; a socket for all of IPv6 may be one for IPv4, too."""
    if there.version != wanted.version:
        return there.version == 6 and there.is_unspecified
    return there == wanted or there.is_unspecified or wanted.is_unspecified


def _sockets(proc: Path, port: int) -> dict[str, Address]:
    """Return the listening TCP sockets of a port: inode to address."""
    found: dict[str, Address] = {}
    for table in ("tcp", "tcp6"):
        # A kernel without IPv6 has no table of it.
        with contextlib.suppress(FileNotFoundError):
            for line in (proc / "net" / table).read_text(encoding="ascii").splitlines()[1:]:
                _slot, local, _remote, state, *rest = line.split()
                address, _colon, there = local.partition(":")
                if state == LISTENING and int(there, 16) == port:
                    found[rest[5]] = _address(address)
    return found


def _address(text: str) -> Address:
    """Return an address of /proc/net/tcp: words of 32 bits in the order of the machine."""
    words = [int(text[at : at + 8], 16).to_bytes(4, sys.byteorder) for at in range(0, len(text), 8)]
    return ipaddress.ip_address(b"".join(words))


def _listeners(proc: Path, sockets: t.Container[str]) -> dict[str, Listener]:
    """Return who holds the sockets: inode to the process with the lowest number."""
    found: dict[str, Listener] = {}
    for process in sorted(int(path.name) for path in proc.glob("[0-9]*")):
        folder = proc / str(process)
        # It may be gone by now.
        with contextlib.suppress(OSError):
            for handle in (folder / "fd").iterdir():
                with contextlib.suppress(OSError):
                    inode = str(handle.readlink()).removeprefix("socket:[").removesuffix("]")
                    if inode in sockets and inode not in found:
                        name = one_line(decode((folder / "comm").read_bytes()))
                        found[inode] = Listener(process, name, _unit(folder))
    return found


def _hidden(proc: Path, units: t.Container[str]) -> bool:
    """Whether root may not see where these units listen, as in a container that lacks CAP_SYS_PTRACE."""
    for folder in proc.glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if _unit(folder) in units:
                try:
                    for handle in (folder / "fd").iterdir():
                        handle.readlink()
                except PermissionError:
                    return True
    return False


def _unit(folder: Path) -> str:
    """Return the unit that a process belongs to."""
    # What has its own control groups below a unit may name them with any bytes.
    text = decode((folder / "cgroup").read_bytes())
    groups = [group for group in re.split(r"[/\n]", text) if group.endswith((".service", ".scope"))]
    return one_line(groups[-1]) if groups else ""
