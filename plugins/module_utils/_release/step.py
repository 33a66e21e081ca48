# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Running what comes from outside: as an application's user, in a transient systemd unit, within a time limit."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import time
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .._errors import PyhostError
from .._text import end_of, last_lines
from .sandbox import BUILD, MEMORY, SLICE, TASKS, limits, service, temporary

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
BUS = "/run/dbus/system_bus_socket"
UNITS = "pyhost-*.build.*.service"
"""The units of all steps; no application's name has a dot."""

_TAIL = 256 * 1024
# Seconds that output may come after the end of a step.
_LAST_WORDS = 2


def check_sandbox(network: bool, jit: bool, memory: int = MEMORY, *, proc: bool = False) -> list[str]:
    """Return the sandbox in which a release is tried: the one that it will run in, with so many bytes of memory."""
    # RemoveIPC= would also take away what the same user's processes inside Apache share.
    own = [setting for setting in service(network, jit, proc=proc) if not setting.startswith("RemoveIPC=")]
    return [*own, *temporary(memory)]


@dataclass(frozen=True)
class Step:
    """One command of an application: `script` is lines for /bin/sh that run in the folder `cwd`.

    `writable` are the only folders that may change; `limit` is in seconds; `limits` are properties of systemd.
    """

    app: str
    name: str
    user: str
    script: str
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str = "/"
    writable: tuple[str, ...] = ()
    sandbox: Sequence[str] = field(default_factory=lambda: BUILD)
    limit: int = 1800
    limits: Sequence[str] = field(default_factory=lambda: limits(MEMORY, TASKS))


@dataclass(frozen=True)
class Outcome:
    """How a step ended: its status, what it printed (the end of it, if it is long), and what it complained."""

    status: int
    out: str
    err: str
    late: bool = False
    """Whether it was stopped at its limit."""

    @property
    def said(self) -> str:
        """What it wrote last, for a message."""
        return last_lines(self.all, 30)

    @property
    def all(self) -> str:
        """All that it wrote."""
        return f"{self.out}\n{self.err}"


class StepError(PyhostError):
    """A step failed; the text names it and has its own last words."""


class Runner(t.Protocol):
    """What the builder needs to run steps."""

    async def run(self, step: Step) -> Outcome:
        """Runs a step to its end."""

    async def stop_leftovers(self) -> None:
        """Ends steps of a run that was killed."""


class Systemd:
    """Runs steps as transient units: whatever a step leaves behind dies with its unit."""

    def __init__(self) -> None:
        self._count = 0

    async def run(self, step: Step) -> Outcome:
        """Runs a step to its end, or to its limit."""
        self._count += 1
        settings = [
            *step.sandbox,
            *step.limits,
            f"ReadWritePaths={' '.join(step.writable)}",
            f"RuntimeMaxSec={step.limit}",
            "TimeoutStopSec=10",
        ]
        command = [
            "systemd-run", "--wait", "--pipe", "--quiet", "--collect", "--service-type=exec",
            f"--unit=pyhost-{step.app}.build.{os.getpid()}-{self._count}.service",
            f"--slice={SLICE}",
            f"--description=Build of {step.app} (pyhost.web)",
            f"--uid={step.user}",
            *(f"--property={setting}" for setting in settings),
            "/bin/sh",
        ]  # fmt: skip
        started = time.monotonic()
        outcome = await _communicate(command, script(step))
        if outcome.status and time.monotonic() - started >= step.limit:
            said = f"{outcome.err}\nstopped after {step.limit} seconds"
            return Outcome(outcome.status, outcome.out, said, late=True)
        return outcome

    async def stop_leftovers(self) -> None:
        """Ends steps of a run that was killed: its units live on."""
        await _communicate(["systemctl", "stop", UNITS], b"")


def script(step: Step) -> bytes:
    """A step as text for the standard input of a shell.

    The environment travels there too: arguments and unit properties can be read by every user of the host.
    """
    exports = [f"export {name}={shlex.quote(value)}" for name, value in step.env.items()]
    # The function is read as a whole before its commands could take the rest of the input for theirs.
    body = ["main() {", f"cd {shlex.quote(step.cwd)} || exit", step.script, "}", "main </dev/null; exit $?"]
    # /tmp may be small, or without programs; both folders are the unit's own.
    lines = ["export TMPDIR=/var/tmp", *exports, *body]
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape")


class _Said(asyncio.Protocol):
    """The end of what a command writes into a pipe."""

    def __init__(self) -> None:
        self.kept = bytearray()
        self.closed = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.kept += data
        # One byte more shows that something was cut.
        del self.kept[: -_TAIL - 1]

    def connection_lost(self, _error: Exception | None) -> None:
        self.closed.set()

    async def text(self) -> str:
        """Return it, as soon as the pipe is closed or a moment after; who lives on may hold it open."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.closed.wait(), _LAST_WORDS)
        return end_of(self.kept, _TAIL, "replace")


async def _communicate(command: Sequence[str], text: bytes) -> Outcome:
    """Run a command to its end. Its input is a file in memory, so nobody has to read it."""
    loop = asyncio.get_running_loop()
    transports, said, ends = [], [], []
    with os.fdopen(os.memfd_create("step"), "w+b") as script:
        script.write(text)
        script.seek(0)
        try:
            for _number in range(2):
                readable, writable = os.pipe()
                ends.append(writable)
                transport, pipe = await loop.connect_read_pipe(_Said, os.fdopen(readable, "rb"))
                transports.append(transport)
                said.append(pipe)
            process = await asyncio.create_subprocess_exec(*command, stdin=script, stdout=ends[0], stderr=ends[1])
        finally:
            for writable in ends:
                os.close(writable)
    try:
        status = await process.wait()
        out, err = [await pipe.text() for pipe in said]
        return Outcome(status, out, err)
    finally:
        for transport in transports:
            transport.close()
