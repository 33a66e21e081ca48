# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""systemctl and journalctl, and what they print.

Private to the collection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ._errors import PyhostError
from ._text import number

DOWN = {"inactive", "failed", "deactivating"}
# `linked` and `static` units have nothing to enable.
NOT_ENABLED = {"disabled", "masked", "masked-runtime", "enabled-runtime"}
PROPERTIES = "LoadState,ActiveState,SubState,UnitFileState,NRestarts,NeedDaemonReload,CanReload,MainPID"


@dataclass(frozen=True)
class Unit:
    """The state of a unit."""

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
        """Whether it runs or is about to; what ends again and again does not."""
        return not self.broken

    @property
    def stopped(self) -> bool:
        """Whether there is nothing to stop: neither does it run, nor will the service manager start it again."""
        return self.active in DOWN

    @property
    def enabled(self) -> bool:
        """Whether there is nothing left to enable."""
        return self.load not in {"masked", "not-found"} and self.file not in NOT_ENABLED

    @property
    def broken(self) -> bool:
        """Whether it will not come up by waiting."""
        return self.stopped or self.sub.startswith("auto-restart")


def properties(text: str) -> list[dict[str, str]]:
    """Return the properties of each unit in the output of C(systemctl show), in the order of the output."""
    return [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in text.split("\n\n")]


def application_of(unit: str) -> str | None:
    """Return the application in a unit's name."""
    name = unit.partition(".")[0]
    return name.removeprefix("pyhost-") if name.startswith("pyhost-") else None


def served_by(socket: str) -> str:
    """Return the service that a socket unit starts."""
    return f"{socket.removesuffix('.socket')}.service"


def _unit(value: dict[str, str]) -> Unit:
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


class Systemd:
    """systemctl, one call for any number of units; `run` runs a command and returns its status and its output."""

    def __init__(self, run: Callable[..., tuple[int, str]]) -> None:
        self.run = run

    def show(self, units: Iterable[str]) -> dict[str, Unit]:
        """Return the state of each unit."""
        names = sorted(set(units))
        if not names:
            return {}
        status, output = self.run(["systemctl", "show", "--property", PROPERTIES, "--", *names], timeout=120)
        found = properties(output)
        if status or len(found) != len(names):
            raise PyhostError(f"systemctl show: {output or f'status {status}'}")
        return dict(zip(names, map(_unit, found), strict=True))

    def do(self, verb: str, units: Iterable[str]) -> str:
        """Let systemctl do something with all of the units; return its error output, empty when all went well."""
        names = sorted(set(units))
        if not names:
            return ""
        status, output = self.run(["systemctl", *verb.split(), "--", *names])
        return (output or f"systemctl {verb}: status {status}") if status else ""

    def reload_manager(self) -> None:
        """Let systemd read changed unit files."""
        status, output = self.run(["systemctl", "daemon-reload"])
        if status:
            raise PyhostError(f"systemctl daemon-reload: {output}")

    def words(self, unit: str, since: float) -> str:
        """Return the last lines that a unit wrote to the journal since that second."""
        options = [f"--unit={unit}", f"--since=@{int(since)}", "--lines=20", "--output=cat", "--no-pager", "--quiet"]
        # What a process wrote last may be on its way to the journal.
        self.run(["journalctl", "--sync"], timeout=10)
        status, output = self.run(["journalctl", *options], timeout=30)
        return "" if status else output
