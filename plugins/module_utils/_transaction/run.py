# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All files of a server in one transaction.

Private to the collection. The desired state is compared with the host; the change is tested, swapped in, activated and
checked. Whatever fails, also in a way that nobody foresaw, rolls all of it back. A run that is interrupted leaves a
journal, with which the next run recovers before it starts its own work.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import secrets
import shlex
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from .._catalog import FRONT_ENDS
from .._errors import PyhostError
from .._fs import make_folders, missing_folders, new, old, replace, sync, write
from .._lock import TIMEOUT, alone
from .._systemd import Unit, served_by
from . import reach
from .host import Host
from .look import Look
from .manifest import Journal, Store
from .plan import Plan, compare
from .recovery import Recovery, words_of
from .service import RejectedError, Service, in_unit_folder
from .stage import Change, sweep, test_live, test_staged
from .wish import Request, Wish


@dataclass
class Outcome:
    """What a run did, or would do in check mode."""

    changed: bool = False
    recovered: bool = False
    tested: bool = False
    changes: list[Change] = field(default_factory=list)
    units: dict[str, str] = field(default_factory=dict)
    commands: list[list[str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class Transaction:
    """One run for one component. `state` is the folder of the manifests."""

    def __init__(self, host: Host, state: Path, wish: Wish, check: bool = False) -> None:
        self.host = host
        self.service = Service(host)
        self.store = Store(state)
        self.recovery = Recovery(self.store, self.service)
        self.wish = wish
        self.check = check

    def run(self) -> Outcome:
        """Bring the host to the desired state, or leave it as it was and raise PyhostError."""
        try:
            with self._lock():
                return self._run()
        except PyhostError:
            raise
        except Exception as error:
            raise PyhostError(words_of(error)) from error

    def _run(self) -> Outcome:
        interrupted = self.store.journals()
        if not self.check:
            self.store.sweep()
            sweep()
            for component, journal in interrupted.items():
                self.recovery.recover(component, journal)
        mine = interrupted.get(self.wish.component)
        tested = False
        try:
            plan = self._compare(interrupted if self.check else {})
            if not plan.idle:
                self._reject_what_somebody_holds(plan)
                tested = self._test(plan)
                if self._opens(plan) and not self.check:
                    reach.prove(self.host)
        except Exception as error:
            # The interrupted run may have activated what is no longer there.
            if mine and not self.check:
                manifest = self.store.manifest(self.wish.component)
                self.recovery.activate_again(self.wish.component, manifest, mine, error)
            raise
        if not plan.idle and not self.check:
            self._execute(plan, tested)
        todo = plan.journal
        return Outcome(
            changed=not plan.idle,
            recovered=bool(interrupted),
            tested=tested,
            changes=plan.all_changes,
            units={
                **todo.touched,
                **dict.fromkeys(plan.start, "start"),
                **dict.fromkeys((*todo.dropped, *todo.retired), "stop"),
            },
            commands=todo.commands,
            warnings=[*plan.warnings, *self.wish.own_sites.warnings(self.wish.component)],
        )

    @contextlib.contextmanager
    def _lock(self) -> t.Iterator[None]:
        """Keep other runs out; check mode, which may write nothing, respects a lock that is there."""
        if not self.check:
            make_folders(missing_folders([self.store.folder]))
            self.store.folder.mkdir(mode=0o700, exist_ok=True)
        elif not self.store.lock.exists():
            yield
            return
        with alone(self.store.lock, TIMEOUT, self.host.clock, self.host.sleep):
            yield

    def _compare(self, interrupted: t.Mapping[str, Journal]) -> Plan:
        """Compare with the host, as it will be when the interrupted runs are recovered from."""
        manifests = self.store.manifests()
        restored = self.recovery.foretell(manifests, interrupted)
        look = Look(self.store, self.service.systemd, restored)
        return compare(self.wish, manifests, look, transaction=secrets.token_hex(8), check=self.check)

    # Test

    def _reject_what_somebody_holds(self, plan: Plan) -> None:
        """No server's own test reports that it could not listen."""
        ours = {*self.wish.units, *plan.journal.dropped, *plan.journal.retired}
        complaints = [complaint for address in self.wish.listen if (complaint := self.host.complaint(address, ours))]
        if complaints:
            row = FRONT_ENDS.get(self.wish.component.removeprefix("frontend_"))
            tls = f" or `{self.wish.component}_listen_tls`" if row and row.tls else ""
            raise PyhostError(
                "\n".join(complaints) + "\nNothing was changed. Stop the other program, or set other addresses with "
                f"`{self.wish.component}_listen`{tls}."
            )

    def _test(self, plan: Plan) -> bool:
        """Let the server test the changes; return False when that is only possible with the changes in place."""
        test = self.wish.test
        if test is None:
            return True
        if self.check and test.awaits:
            return False
        if not self.host.has(test.command[0]):
            if self.check:
                return False
            raise PyhostError(
                f"test.command: this host has no {test.command[0]}. Install its package in an earlier task."
            )
        return test_staged(self.host, test, plan.all_changes, self.check)

    def _opens(self, plan: Plan) -> bool:
        """Whether sockets start that must be closed to most."""
        units = {*plan.start, *plan.journal.touched}
        return bool(self.wish.closed) and any(unit.endswith(".socket") for unit in units)

    # Swap, activate, check

    def _execute(self, plan: Plan, tested: bool) -> None:
        journal = plan.journal
        mine = self.store.manifest(self.wish.component)
        is_active = False
        try:
            requests = self._to_ask(plan)
            self._prepare(plan)
            is_active = bool(journal.dropped)
            self.service.stop(journal.dropped)
            self._swap(plan.changes)
            if not tested and self.wish.test:
                test_live(self.host, self.wish.test)
            is_active = True
            plan.warnings.extend(self._activate(plan, requests))
        # Whatever it is; only the end of this process is left to the next run.
        except Exception as error:
            if is_active:
                mine.refused |= self._rejected(plan, error)
            self.recovery.roll_back(self.wish.component, mine, journal, error, is_active, plan.broken)
            raise
        new(self.store.manifest_path(self.wish.component)).rename(self.store.manifest_path(self.wish.component))
        sync([self.store.folder])
        self.recovery.finish(self.wish.component, journal)

    def _activate(self, plan: Plan, requests: t.Sequence[Request]) -> list[str]:
        """Activate the new files, wait until they have proved themselves, and let go what they replace.

        Returns warnings about what was broken before, and of which nothing changed.
        """
        wish, journal, service = self.wish, plan.journal, self.service
        since = self.host.now()
        logged = wish.probe.logged() if wish.probe else 0
        # Those of applications; a web server's may have visitors for hours.
        services = {served_by(unit) for unit in wish.units if unit.endswith(".socket")}
        workers = service.workers(services & {*journal.touched})
        paths = [change.path for change in plan.changes]
        retired = set(journal.retired) - wish.retire
        owners = {shlex.join(entry.command): entry.applications[0] for entry in wish.entries if entry.applications}
        before = service.settle(
            wish.units, journal.touched, journal.commands, paths, since, retired, plan.ailing, owners
        )
        started = {*journal.touched, *plan.start} - plan.ailing
        service.prove(self._to_prove(plan, before), since, quiet=not started)
        if self._opens(plan):
            reach.reject_open(wish.closed)
        if wish.probe:
            service.probe(wish.probe, wish.units, logged, since)
        service.ask(requests, workers, since)
        service.stop(journal.retired)
        self._swap(plan.leaving)
        if in_unit_folder(change.path for change in plan.leaving):
            service.systemd.reload_manager()
        return service.revive(plan.ailing, since) if plan.ailing else []

    def _to_prove(self, plan: Plan, before: t.Mapping[str, Unit]) -> set[str]:
        own = {*self.wish.units} - plan.neighbours
        return {*own, *(unit for unit in plan.journal.touched if before[unit].up)}

    def _to_ask(self, plan: Plan) -> list[Request]:
        """Return the requests to make.

        With `partial` those whose file changes. Otherwise every application that is started or changed is asked itself:
        not every back end is up only when the application has loaded. Web servers are asked where nothing else changes
        of what they and the unit read, as they may have to be told first.
        """
        changes = {str(change.path): change for change in plan.changes}
        if self.wish.partial:
            return [request for request in self.wish.requests if request.file in changes]
        unasked = changes.keys() - {request.file for request in self.wish.requests}
        others = {
            *plan.journal.brought,
            *plan.journal.dropped,
            *(entry.unit for entry in self.wish.entries if entry.path in unasked),
        }
        started = {*plan.start, *plan.journal.touched} - plan.neighbours
        chosen = []
        for request in self.wish.requests:
            change = changes.get(request.file)
            is_old = request.unit not in plan.journal.brought and request.unit not in plan.broken
            if change and change.before and request.unit not in others:
                was_good = self.service.is_healthy(request)
                if was_good or request.is_direct:
                    chosen.append(dataclasses.replace(request, any_answer=not was_good))
            elif request.is_direct and request.unit in started:
                is_lenient = is_old and not self.service.is_healthy(request)
                chosen.append(dataclasses.replace(request, any_answer=is_lenient))
        return chosen

    def _rejected(self, plan: Plan, error: Exception) -> dict[str, str]:
        """Return the links that are to blame, or may be, with the targets that they had while active."""
        if isinstance(error, RejectedError):
            suspects = {error.file}
        else:
            guilty = getattr(error, "details", {}).get("application")
            suspects = {
                entry.path
                for entry in self.wish.entries
                if entry.follow and self.wish.partial and (not guilty or guilty in entry.applications)
            }
        return {
            str(change.path): os.fsdecode(change.after.data)
            for change in plan.changes
            if change.after and str(change.path) in suspects
        }

    def _prepare(self, plan: Plan) -> None:
        """Write the new files beside the old ones; from here on there is a journal to roll back with."""
        journal = plan.journal
        for path in journal.paths:
            new(path).unlink(missing_ok=True)
            old(path).unlink(missing_ok=True)
        journal.save(self.store.journal_path(self.wish.component))
        for name, node in plan.originals.items():
            replace(self.store.original_path(self.wish.component, name), node)
        # Written now and named at the end, so that a full disk shows before anything is active.
        write(new(self.store.manifest_path(self.wish.component)), plan.manifest.node)
        make_folders(map(Path, journal.folders))
        for change in plan.all_changes:
            if change.after is not None:
                write(new(change.path), change.after)
            if change.before is not None:
                os.link(change.path, old(change.path), follow_symlinks=False)
        sync(path.parent for path in journal.paths)

    def _swap(self, changes: t.Sequence[Change]) -> None:
        for change in changes:
            if change.after is None:
                change.path.unlink()
            else:
                new(change.path).rename(change.path)
        sync(change.path.parent for change in changes)
