# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ends of a transaction: rolled back, recovered after an interruption, or finished.

Private to the collection.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import typing as t
from collections.abc import Mapping
from pathlib import Path

from .._errors import PyhostError
from .._fs import look, new, old, remove_folders, sync
from .._systemd import served_by
from .._text import unforeseen
from .look import Restored
from .manifest import File, Journal, Manifest, Store
from .service import Service


class Recovery:
    """What a journal allows: the way back, and the way to the end."""

    def __init__(self, store: Store, service: Service) -> None:
        self.store = store
        self.service = service

    def roll_back(
        self,
        component: str,
        mine: Manifest,
        journal: Journal,
        error: Exception,
        is_active: bool,
        broken: t.Collection[str] = (),
    ) -> None:
        """Restore the old files, and activate them where the new ones were active.

        `mine` is the manifest from before; `error` is why, and part of what is raised where this fails too. Units that
        were `broken` before are started again, but nobody expects them to come up.
        """
        try:
            if is_active:
                self._withdraw(journal)
            self._restore(journal)
        except Exception as worse:
            raise PyhostError(
                f"{words_of(error)}\nRolling back failed too (the next run tries again): {words_of(worse)}",
                **getattr(error, "details", {}),
            ) from error
        try:
            if is_active:
                self.activate_again(component, mine, journal, error, broken)
        except Exception:
            # The manifest says by now what the next run has to make up.
            self._close(component)
            raise
        if mine.refused:
            # A disk that is full now is no reason to leave the rest undone.
            with contextlib.suppress(OSError):
                mine.save(self.store.manifest_path(component))
        self._close(component)

    def activate_again(
        self, component: str, mine: Manifest, journal: Journal, error: Exception, broken: t.Collection[str] = ()
    ) -> None:
        """Activate the old files; where that fails, the next run has to make it up."""
        theirs = {unit for unit, was in journal.brought.items() if was.up and unit not in broken}
        units = {*mine.units}.difference(broken)
        try:
            since = self.service.host.now()
            # Those of another component may be down because of what this one tried.
            enabled = {unit for unit in theirs if journal.brought[unit].enabled}
            # A reload may still be under way, and a second one be ignored. Behind a socket nobody notices a restart.
            again = {
                unit: "restart" if f"{unit.removesuffix('.service')}.socket" in mine.units else verb
                for unit, verb in journal.touched.items()
            }
            self.service.settle(
                {*units, *enabled},
                {unit: verb for unit, verb in again.items() if unit not in journal.brought or unit in theirs},
                [command for command in journal.commands if shlex.join(command) in mine.ran],
                journal.paths,
                since,
            )
            self.service.do("start", theirs - enabled, since)
            self.service.prove({*units, *theirs}, since, quiet=True)
            self.service.systemd.do("start --no-block", {*mine.units}.intersection(broken))
        except Exception as worse:
            self._forget(component, mine, journal)
            raise PyhostError(
                f"{words_of(error)}\nThe old files are restored, but activating them failed (the next run tries again):"
                f" {words_of(worse)}",
                **getattr(error, "details", {}),
            ) from error

    def recover(self, component: str, journal: Journal) -> None:
        """Roll back what an interrupted run left half done, or finish what it had committed."""
        manifest = self.store.manifest(component)
        if manifest.transaction == journal.transaction:
            self.finish(component, journal)
            return
        self._withdraw(journal)
        self._restore(journal)
        self._reinstate(journal)
        self._forget(component, manifest, journal)
        self._close(component)

    def foretell(self, manifests: dict[str, Manifest], journals: Mapping[str, Journal]) -> Restored:
        """Change the manifests as `recover` would; return what it would bring back."""
        restored = Restored()
        for component, journal in journals.items():
            mine = manifests.get(component, Manifest())
            if mine.transaction == journal.transaction:
                for other in journal.taken.keys() & manifests.keys():
                    if not _without(manifests[other], journal.taken[other]):
                        del manifests[other]
                continue
            mine.forget(journal)
            restored.units.update(journal.brought)
            for path, existed in journal.swaps:
                if not existed:
                    restored.files[path] = None
                elif os.path.lexists(old(Path(path))):
                    restored.files[path] = look(old(Path(path)))
        return restored

    def finish(self, component: str, journal: Journal) -> None:
        """Clear up after a transaction that was committed."""
        for path in journal.paths:
            old(path).unlink(missing_ok=True)
        for other, names in journal.taken.items():
            self._give_up(other, names)
        remove_folders(map(Path, self.store.manifest(component).folders))
        self._close(component)

    def _give_up(self, other: str, names: list[str]) -> None:
        """Remove paths and units from the manifest of the component that had them."""
        theirs = self.store.manifest(other)
        is_left = _without(theirs, names)
        remove_folders(map(Path, theirs.folders))
        if is_left:
            theirs.save(self.store.manifest_path(other))
        else:
            self.store.manifest_path(other).unlink(missing_ok=True)
        self.store.prune(other)

    def _withdraw(self, journal: Journal) -> None:
        """Bring units that were not ours to where they were; a unit that is no longer there needs nothing."""
        systemd = self.service.systemd
        states = systemd.show(journal.brought)
        there = {unit: was for unit, was in journal.brought.items() if states[unit].load != "not-found"}
        down = [unit for unit, was in there.items() if not was.up]
        services = [served_by(unit) for unit in down if unit.endswith(".socket")]
        systemd.do("stop", [*down, *services])
        systemd.do("disable", [unit for unit, was in there.items() if not was.enabled])
        systemd.do("mask", [unit for unit, was in there.items() if was.masked])
        systemd.do("reset-failed", down)

    def _restore(self, journal: Journal) -> None:
        """Restore the files; doing it twice, or half and then again, comes to the same."""
        for path_text, existed in journal.swaps:
            path = Path(path_text)
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                new(path).unlink()
            if not existed:
                path.unlink(missing_ok=True)
            elif os.path.lexists(old(path)):
                old(path).rename(path)
                # Two names of one file are both left by a rename.
                old(path).unlink(missing_ok=True)
        sync(path.parent for path in journal.paths)
        remove_folders(map(Path, journal.folders))

    def _reinstate(self, journal: Journal) -> None:
        """Let units that were to be replaced answer visitors again; where that fails, their own next run reports it."""
        were = {unit: journal.brought[unit] for unit in journal.retired}
        # Nothing of this may keep the component's own next run from its work.
        with contextlib.suppress(Exception):
            units = {unit for unit, was in were.items() if was.up and was.enabled}
            self.service.settle(units, {}, (), journal.paths, self.service.host.now())
        self.service.systemd.do("start", (unit for unit, was in were.items() if was.up and not was.enabled))

    def _forget(self, component: str, manifest: Manifest, journal: Journal) -> None:
        """Note that nobody knows what units have loaded."""
        manifest.forget(journal)
        if self.store.manifest_path(component).exists():
            manifest.save(self.store.manifest_path(component))

    def _close(self, component: str) -> None:
        new(self.store.manifest_path(component)).unlink(missing_ok=True)
        self.store.journal_path(component).unlink(missing_ok=True)
        sync([self.store.folder])
        self.store.prune(component)


def _without(theirs: Manifest, names: list[str]) -> bool:
    """Remove paths and units from a manifest; return whether it has any left."""
    for name in names:
        unit = theirs.files.pop(name, File(unit=name)).unit
        theirs.loaded.pop(str(unit), None)
    theirs.units = [unit for unit in theirs.units if unit not in names]
    return bool(theirs.files or theirs.units)


def words_of(error: Exception) -> str:
    """Return an error as a sentence for the user."""
    if isinstance(error, OSError) and error.filename:
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    return str(error) if isinstance(error, (PyhostError, OSError)) else unforeseen(error)
