# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Units and web addresses: what activates files, and what shows that they work.

Private to the collection.
"""

from __future__ import annotations

import shlex
import typing as t
from pathlib import Path
from types import MappingProxyType

from .._errors import PyhostError
from .._gateway import status_of
from .._systemd import Systemd, Unit, application_of, served_by
from .host import Host
from .stage import blame
from .wish import Probe, Request

# A process that dies right after its start, or is started again and again, shows within this time.
SETTLED = 1.0
START_TIMEOUT = 60.0
POLL = 0.2
# What asks for a reload while another is under way may not be heard.
REPEAT = 5.0
UNIT_FOLDERS = ("/etc/systemd/system/", "/run/systemd/system/", "/usr/lib/systemd/system/", "/lib/systemd/system/")


class RejectedError(PyhostError):
    """What belongs to a file that changed does not answer as it must."""

    def __init__(self, message: str, request: Request) -> None:
        super().__init__(message, application=application_of(request.unit) if request.unit else None)
        self.file = request.file


class Service:
    """The units of a host."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.systemd = Systemd(host.run)

    def settle(
        self,
        units: t.Collection[str],
        touched: t.Mapping[str, str],
        commands: t.Sequence[t.Sequence[str]],
        changed: t.Iterable[Path],
        since: float,
        retired: t.Collection[str] = (),
        later: t.Collection[str] = (),
        owners: t.Mapping[str, str] = MappingProxyType({}),
    ) -> dict[str, Unit]:
        """Activate the files that are there; return how the units were before that.

        `units` shall be enabled and active afterwards; `touched` have the verb that each needs; `retired` ones stop
        before those start. Those of `units` that start `later` are only enabled. `owners` are the applications
        that commands belong to.
        """
        names = {*units, *touched, *(served_by(unit) for unit in touched if unit.endswith(".socket"))}
        states = before = self.systemd.show(names)
        if in_unit_folder(changed) or any(unit.stale for unit in states.values()):
            self.systemd.reload_manager()
            states = self.systemd.show(names)
        for command in commands:
            status, output = self.host.run(command)
            if status:
                words = shlex.join(command)
                raise blame(f"{words} failed", output or f"status {status}", owners.get(words))
        self.do("unmask", (unit for unit in units if states[unit].load == "masked"), since)
        self.do("enable", (unit for unit in units if not states[unit].enabled), since)
        self.do("reset-failed", (unit for unit in units if states[unit].active == "failed"), since)
        # Nobody answers visitors from here until ours are up, so all else that takes time comes before or after.
        self.do("stop", self._with_served(retired), since)
        self._start(
            {*units}.difference(later), {unit: verb for unit, verb in touched.items() if states[unit].up}, states, since
        )
        return before

    def _start(
        self, units: t.Collection[str], running: t.Mapping[str, str], states: t.Mapping[str, Unit], since: float
    ) -> None:
        """Reload or restart units that run, and start those that do not."""
        reload = {
            unit
            for unit, verb in running.items()
            if verb == "reload" and states[unit].reloads and not states[unit].broken
        }
        restart = running.keys() - reload
        # A socket is not restarted below a running service.
        sockets = {unit for unit in restart if unit.endswith(".socket")}
        served = {service for service in map(served_by, sockets) if not states[service].stopped}
        self.do("stop", sockets | served, since)
        self.do("start", sockets, since)
        self.do("restart", restart - sockets - served, since)
        self.do("reload", reload - served, since)
        down = {unit for unit in units if not states[unit].up}
        # Nor is it started below one, and not every service says that it comes after its socket.
        opened = {unit for unit in down if unit.endswith(".socket")}
        self.do("start", opened, since)
        # A start would wait for the next one that the service manager makes of itself.
        looping = {unit for unit in down - opened if not states[unit].stopped} - served
        self.do("restart", looping, since)
        self.do("start", (down - opened - looping) | served, since)

    def do(self, verb: str, units: t.Iterable[str], since: float) -> None:
        """Let systemctl do something with all of the units; raise what went wrong, with words since that second."""
        names = sorted(set(units))
        complaint = self.systemd.do(verb, names)
        if complaint:
            states = self.systemd.show(names)
            # systemctl names the units whose job failed; after a failed reload a unit is still active.
            guilty = [unit for unit in names if f"Job for {unit} " in complaint] or [
                unit for unit in names if states[unit].broken
            ]
            raise self._blame(guilty, f"systemctl {verb}", complaint, since)

    def _blame(self, guilty: t.Sequence[str], what: str, complaint: str, since: float) -> PyhostError:
        """Return the error that has the words of the first guilty unit."""
        if not guilty:
            return blame(f"{what} failed", complaint)
        unit, *others = guilty
        words = self.systemd.words(unit, since)
        also = f" (also {', '.join(others)})" if others else ""
        taken = "Address already in use" in words
        advice = "Another process uses this address. On the host, `ss -lntxp` shows which one." if taken else ""
        said = "\n".join(filter(None, (complaint, words, advice)))
        return blame(f"{what} {unit}{also} failed", said, application=application_of(unit))

    def _blame_broken(self, states: t.Mapping[str, Unit], broken: t.Iterable[str], since: float) -> PyhostError:
        units = sorted(broken)
        state = states[units[0]]
        return self._blame(units, "starting", f"the unit is {state.active} ({state.sub})", since)

    def prove(self, units: t.Collection[str], since: float, quiet: bool) -> None:
        """Wait until all units are active, and have been for a moment; `quiet` units had no reason to change."""
        begin = self.host.clock()
        first = states = self.systemd.show(units)
        while True:
            age = self.host.clock() - begin
            bad = _bad(states, first)
            waiting = [unit for unit, state in states.items() if state.active != "active"]
            if age > START_TIMEOUT:
                bad = bad or waiting
            if bad:
                raise self._blame_broken(states, bad, since)
            if not waiting and (quiet or age >= SETTLED):
                return
            self.host.sleep(POLL)
            states = self.systemd.show(units)

    def revive(self, units: t.Collection[str], since: float) -> list[str]:
        """Start what was broken before, and wait until it is up or broken again; return what to warn of."""
        complaints = self._restart(units)
        begin, first = self.host.clock(), self.systemd.show(units)
        while True:
            states, age = self.systemd.show(units), self.host.clock() - begin
            bad = sorted({*_bad(states, first), *complaints})
            waiting = [unit for unit, state in states.items() if state.active != "active" and unit not in bad]
            if age > START_TIMEOUT:
                bad, waiting = sorted({*bad, *waiting}), []
            if not waiting and age >= SETTLED:
                break
            self.host.sleep(POLL)
        return [
            f"{unit} was failing before this run and still is. This run did not change it. State: "
            f"{complaints.get(unit) or f'{states[unit].active} ({states[unit].sub})'}\n"
            f"{self.systemd.words(unit, since)}".strip()
            for unit in bad
        ]

    def _restart(self, units: t.Collection[str]) -> dict[str, str]:
        """Start units, sockets first; return what systemctl complains of each. What hangs is not waited for."""
        sockets = [unit for unit in sorted(units) if unit.endswith(".socket")]
        found = {unit: complaint for unit in sockets if (complaint := self.systemd.do("start", [unit]))}
        services = {unit: state for unit, state in self.systemd.show(units).items() if unit not in sockets}
        for verb, is_stopped in (("start", True), ("restart", False)):
            chosen = [unit for unit, state in services.items() if state.stopped == is_stopped]
            found |= (
                dict.fromkeys(chosen, complaint) if (complaint := self.systemd.do(f"{verb} --no-block", chosen)) else {}
            )
        return found

    def probe(self, probe: Probe, units: t.Collection[str], logged: int, since: float) -> None:
        """Wait until the web server answers with the new generation; its log had that many bytes at that second."""
        end = self.host.clock() + probe.timeout
        while (answer := self.host.fetch(probe.url, probe.host, probe.timeout)) != probe.generation:
            # A reload may kill long after it was asked for; every second without a server counts.
            states = self.systemd.show(units)
            if broken := [unit for unit, state in states.items() if state.broken]:
                raise self._blame_broken(states, broken, since)
            if self.host.clock() > end:
                name = f" (Host: {probe.host})" if probe.host else ""
                raise PyhostError(
                    f"probe: {probe.url}{name} did not serve the new configuration within {probe.timeout:g} s (expected"
                    f" generation {probe.generation}). Check that the front end listens there. Last answer:"
                    f" {answer or 'nothing'}{probe.said(logged)}"
                )
            self.host.sleep(POLL)

    def is_healthy(self, request: Request) -> bool:
        """Whether the answer is a good one now."""
        return not request.complaint(self._answer(request, request.timeout))

    def _answer(self, request: Request, timeout: float) -> str:
        return self.host.ask(request.url, request.host, timeout, request.mount)

    def workers(self, units: t.Iterable[str]) -> dict[str, set[int]]:
        """Return the processes that the main process of each unit has started; a reload does not replace itself."""
        return self._workers(self.systemd.show(units))

    def _workers(self, states: t.Mapping[str, Unit]) -> dict[str, set[int]]:
        mains = {unit: state.main for unit, state in states.items() if state.main}
        started = self.host.children(mains.values())
        return {unit: started[main] for unit, main in mains.items()}

    def ask(self, requests: t.Sequence[Request], workers: t.Mapping[str, set[int]], since: float) -> None:
        """Ask again and again until `workers` have given way to others; raise RejectedError at a bad answer."""
        if not (requests or workers):
            return
        begin = self.host.clock()
        end = begin + max((request.timeout for request in requests), default=Request.timeout)
        repeat = begin + REPEAT
        first = self.systemd.show(workers)
        while True:
            states = self.systemd.show(workers)
            # A request that takes long holds its worker; it is not waited for any longer.
            left = [unit for unit, now in self._workers(states).items() if workers[unit] & now]
            last = self.host.clock() > end or not left
            if bad := _bad(states, first):
                raise self._blame(bad, "starting", "the new processes ended", since)
            for request in requests:
                self._ask(request, since, last=last)
            if last or self.host.clock() > repeat:
                # Or nobody asked it to go: an earlier reload was still under way. Where one is now, this does nothing.
                self.do("reload", left, since)
                repeat = self.host.clock() + REPEAT
            if last:
                return
            self.host.sleep(POLL)

    def _ask(self, request: Request, since: float, last: bool) -> None:
        # Whether they stay is to be seen in time, so no answer but the last is waited for.
        answer = self._answer(request, request.timeout if last else SETTLED)
        complaint = request.complaint(answer)
        if complaint and (last or status_of(answer)):
            words = self.systemd.words(request.unit, since) if request.unit else ""
            raise RejectedError(f"{complaint}\n{words}".strip(), request)

    def stop(self, units: t.Iterable[str]) -> None:
        """Stop and disable units, and what their sockets started."""
        names = set(units)
        for verb, chosen in (("disable --now", names), ("stop", self._with_served(names) - names)):
            complaint = self.systemd.do(verb, chosen)
            if complaint:
                raise PyhostError(complaint)

    def _with_served(self, units: t.Collection[str]) -> set[str]:
        """Return the units and what their sockets started."""
        services = self.systemd.show(served_by(unit) for unit in units if unit.endswith(".socket"))
        return {*units, *(service for service, state in services.items() if not state.stopped)}


def in_unit_folder(paths: t.Iterable[Path]) -> bool:
    """Whether systemd reads one of these files."""
    return any(str(path).startswith(UNIT_FOLDERS) for path in paths)


def _bad(states: t.Mapping[str, Unit], first: t.Mapping[str, Unit]) -> list[str]:
    """Return the units that are down, or were started again since `first`."""
    return [unit for unit, state in states.items() if state.broken or state.restarts > first[unit].restarts]
