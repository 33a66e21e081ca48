# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a transaction needs from a host besides its files: commands, a clock and a web client.

Private to the collection. Tests replace `Host` with a class of their own.
"""

from __future__ import annotations

import contextlib
import shutil
import time
import typing as t
from pathlib import Path

from .. import _gateway
from .._command import LIMIT
from .._web import answer_of
from . import listeners


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
            if _gateway.is_direct(url):
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

    def complaint(self, address: str, units: t.Container[str]) -> str:
        """Return why none of these units could listen there; empty where one can, or does already."""
        return listeners.complaint(address, units)

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
