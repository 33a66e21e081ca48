# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Running what comes from outside: as an application's user, in a transient systemd unit, within a time limit."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import time
import typing as t
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .._errors import PyhostError
from .sandbox import COMMON, service

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
UNITS = "pyhost-build-"
BUS = "/run/dbus/system_bus_socket"


# RemoveIPC= would also take away what the same user's running application shares between its processes.
def _keeping_ipc(settings: Iterable[str]) -> list[str]:
    return [setting for setting in settings if not setting.startswith("RemoveIPC=")]


BUILD = _keeping_ipc(COMMON)


def check_sandbox(network: bool, jit: bool) -> list[str]:
    """Return the sandbox in which a release is tried: the one that it will run in."""
    return _keeping_ipc(service(network, jit))


_TAIL = 256 * 1024


@dataclass(frozen=True)
class Step:
    """One command of an application: `script` is lines for /bin/sh that run in the folder `cwd`.

    `writable` are the only folders that may change; `limit` is in seconds.
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
        """All that it wrote, at most the last 40 lines."""
        lines = [line.rstrip() for line in re.split(r"[\r\n]+", f"{self.out}\n{self.err}") if line.strip()]
        return "\n".join(lines[-40:])


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
            f"ReadWritePaths={' '.join(step.writable)}",
            f"RuntimeMaxSec={step.limit}",
            "TimeoutStopSec=10",
            "OOMPolicy=continue",
        ]
        command = [
            "systemd-run", "--wait", "--pipe", "--quiet", "--collect", "--service-type=exec",
            f"--unit={UNITS}{step.app}-{os.getpid()}-{self._count}",
            f"--description=Build of {step.app} (pyhost.web)",
            f"--uid={step.user}",
            *(f"--property={setting}" for setting in settings),
            "/bin/sh",
        ]  # fmt: skip
        started = time.monotonic()
        outcome = await _communicate(command, script(step))
        if outcome.status and time.monotonic() - started >= step.limit:
            said = f"{outcome.err}\nit was stopped after {step.limit} seconds"
            return Outcome(outcome.status, outcome.out, said, late=True)
        return outcome

    async def stop_leftovers(self) -> None:
        """Ends steps of a run that was killed: its units live on."""
        await _communicate(["systemctl", "stop", f"{UNITS}*.service"], b"")


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


async def _communicate(command: Sequence[str], text: bytes) -> Outcome:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)
    _written, out, err = await asyncio.gather(
        _write(t.cast(asyncio.StreamWriter, process.stdin), text),
        _tail(t.cast(asyncio.StreamReader, process.stdout)),
        _tail(t.cast(asyncio.StreamReader, process.stderr)),
    )
    return Outcome(await process.wait(), out, err)


async def _write(stream: asyncio.StreamWriter, text: bytes) -> None:
    try:
        stream.write(text)
        await stream.drain()
    except (BrokenPipeError, ConnectionResetError):
        # A unit that could not start reads nothing; its status tells.
        return
    finally:
        stream.close()


async def _tail(stream: asyncio.StreamReader) -> str:
    kept = b""
    while chunk := await stream.read(65536):
        kept = (kept + chunk)[-_TAIL:]
    return kept.decode("utf-8", "replace")
