# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The difference between the desired state of a component and a host.

Private to the collection. `compare` changes nothing: its result follows from the wish, the manifests and what `Look`
answers.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import typing as t
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .._errors import PyhostError
from .._fs import MANAGED, Node, missing_folders
from .._systemd import Unit, application_of, served_by
from . import lists
from .look import Look
from .manifest import Digests, File, Journal, Manifest, Was
from .stage import Change
from .wish import Entry, Wish

Nodes: t.TypeAlias = "dict[str, Node | None]"


@dataclass(frozen=True)
class Plan:
    """The way from a host as it is to the desired state."""

    changes: list[Change]
    leaving: list[Change]
    """Files of the components that are replaced: they go last, when what they belong to has stopped."""
    manifest: Manifest
    journal: Journal
    originals: dict[str, Node]
    """What was at paths before us."""
    start: list[str]
    """Wanted units that are down or not enabled."""
    recorded: bool
    """Whether the manifest says all this already."""
    warnings: list[str]
    broken: frozenset[str] = frozenset()
    """Units that were not running well before, whether they are to change or not."""
    neighbours: frozenset[str] = frozenset()
    """Units of applications of which nothing changes: whatever becomes of them, the change is not the cause."""

    @property
    def ailing(self) -> frozenset[str]:
        """Units to start that nothing of the change is for."""
        return self.neighbours & self.broken

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        todo = self.journal
        return self.recorded and not (
            self.changes or self.start or todo.touched or todo.commands or todo.dropped or todo.taken
        )

    @property
    def all_changes(self) -> list[Change]:
        """What becomes of the host's files in the end."""
        return [*self.changes, *self.leaving]


def compare(
    wish: Wish, manifests: Mapping[str, Manifest], look: Look, *, transaction: str, check: bool = False
) -> Plan:
    """Return what has to be done on a host; raise PyhostError with all that is wrong with the wish on this host.

    `transaction` is the name of the new one. With `check`, users and the targets of links may be yet to come.
    """
    others = dict(manifests)
    mine = others.pop(wish.component, Manifest())
    _reject_what_is_not_here(wish, mine)
    _reject_what_others_hold(wish, mine, others)
    desired = _Desired(wish, mine.refused, look, check)
    plan = _Comparison(wish, mine, others, look, desired.nodes).plan(
        transaction, [*desired.warnings, *lists.warnings(wish, mine)]
    )
    lists.reject_removal(wish, mine, {name: others[name] for name in plan.journal.taken}, plan.all_changes)
    return plan


def _reject_what_is_not_here(wish: Wish, mine: Manifest) -> None:
    """With `partial`, only what the component has already can be changed."""
    names = [(entry.where, entry.path) for entry in wish.entries if entry.path not in mine.files]
    names += [("units", unit) for unit in wish.units if unit not in mine.units]
    if wish.partial and names:
        raise PyhostError(
            "\n".join(
                f"{where}: {wish.component} does not have {name} on this host yet. Run pyhost.web.site first, or"
                " this task without `partial`."
                for where, name in names
            )
        )


def _reject_what_others_hold(wish: Wish, mine: Manifest, others: Mapping[str, Manifest]) -> None:
    if wish.take:
        return
    names = [(entry.where, entry.path) for entry in wish.entries]
    names += [("units", unit) for unit in wish.units]
    problems = [
        f"{where}: {name} belongs to {component}. Remove it here, or move it here with `take: true`."
        for where, name in names
        if name not in mine.files and name not in mine.units
        for component, theirs in others.items()
        if component not in wish.replaces and (name in theirs.files or name in theirs.units)
    ]
    if problems:
        raise PyhostError("\n".join(problems))


class _Desired:
    """What shall be at each path: `nodes`; raises PyhostError where that cannot be made on this host."""

    def __init__(self, wish: Wish, rejected: Mapping[str, str], look: Look, check: bool) -> None:
        self.wish = wish
        self.rejected = rejected
        self.look = look
        self.check = check
        self.warnings: list[str] = []
        self.problems: list[str] = []
        self.numbers: dict[tuple[str, str], int | None] = {}
        self.nodes: Nodes = {entry.path: self._node(entry) for entry in wish.entries}
        if self.problems:
            raise PyhostError("\n".join(self.problems))

    def _node(self, entry: Entry) -> Node | None:
        if entry.link is not None:
            return Node(entry.link.encode())
        if entry.follow is not None:
            return Node(self._target(entry, entry.follow).encode())
        if entry.content is None:
            return None
        owner = self._number("owner", entry.owner, self.look.user, entry)
        group = self._number("group", entry.group, self.look.group, entry)
        return Node(entry.content.encode(), int(entry.mode, 8), owner, group)

    def _number(self, kind: str, name: str, find: Callable[[str], int | None], entry: Entry) -> int | None:
        if (kind, name) not in self.numbers:
            self.numbers[kind, name] = int(name) if name.isascii() and name.isdigit() else find(name)
        if self.numbers[kind, name] is None and not self.check:
            self.problems.append(
                f"{entry.where}.{kind}: {name!r} does not exist on this host. Create it in an earlier task."
            )
        return self.numbers[kind, name]

    def _target(self, entry: Entry, followed: str) -> str:
        """Return the target of the link that the entry follows, such that it leads to the same place.

        A target that was rejected is tried again only by a run with `partial`, which asks for it alone.
        """
        leader = Path(followed)
        target = self.look.link(followed)
        if target is None:
            if not self.check:
                self.problems.append(
                    f"{entry.where}.follow: {leader} is not a symbolic link. Create it in an earlier task."
                )
            return f"as {leader} will"
        wanted = target if leader.parent == Path(entry.path).parent else str(leader.parent / target)
        now = self.look.file(entry.path)
        rejected = self.rejected.get(entry.path)
        if not now or wanted != rejected or self.wish.partial:
            return wanted
        stays = os.fsdecode(now.data)
        self.warnings.append(
            f"{entry.path}: keeping {stays}, because {rejected} failed after it went live and was rolled back."
            " Change the application, or run pyhost.web.deploy to retry it."
        )
        return stays


def _taken(wish: Wish, others: Mapping[str, Manifest]) -> dict[str, list[str]]:
    """Return the paths and units that leave other components."""
    taken = {}
    for component, theirs in others.items():
        if component in wish.replaces:
            taken[component] = [*theirs.files, *theirs.units]
        elif names := _leaving(wish, theirs):
            taken[component] = names
    return taken


def _leaving(wish: Wish, theirs: Manifest) -> list[str]:
    """Return the paths and units of another component that move here or are retired."""
    wanted = (*(entry.path for entry in wish.entries), *wish.units)
    common = [name for name in wanted if name in theirs.files or name in theirs.units]
    # A unit moves with all that belongs to it; what it has no use for any more goes in the same transaction.
    left = [
        path
        for path, known in theirs.files.items()
        if known.unit in common and known.unit in theirs.units and path not in common
    ]
    units = wish.retire.intersection(theirs.units).difference(wish.units)
    retired = [
        name
        for name in (*theirs.files, *theirs.units)
        if name not in (*common, *left) and (name in wish.retire or theirs.files.get(name, File()).unit in units)
    ]
    return [*common, *left, *retired]


@dataclass
class _Comparison:
    wish: Wish
    mine: Manifest
    others: Mapping[str, Manifest]
    look: Look
    nodes: Nodes
    changes: list[Change] = field(default_factory=list)
    leaving: list[Change] = field(default_factory=list)
    originals: dict[str, Node] = field(default_factory=dict)
    files: dict[str, File] = field(default_factory=dict)

    def __post_init__(self) -> None:
        wish = self.wish
        self.taken = _taken(wish, self.others)
        self.kept_units = [
            unit for unit in self.mine.units if (wish.partial or unit in wish.keep_units) and unit not in wish.units
        ]
        for entry in wish.entries:
            self._compare_entry(entry)
        self._compare_former()
        self._compare_taken()
        self.changed = {str(change.path) for change in self.changes}
        self.loaded, self.ran = self._digests()

    def plan(self, transaction: str, warnings: list[str]) -> Plan:
        """Return what is to be done."""
        all_changes = [*self.changes, *self.leaving]
        folders = missing_folders(
            (change.path for change in all_changes if change.after is not None), self.look.is_folder
        )
        journal, states = self._journal(transaction, all_changes, folders)
        units = self.wish.units
        manifest = self._manifest(transaction, folders)
        return Plan(
            self.changes,
            self.leaving,
            manifest,
            journal,
            self.originals,
            [unit for unit in units if not states[unit].up or not states[unit].enabled],
            recorded=manifest.same(self.mine),
            warnings=warnings,
            broken=frozenset(unit for unit, state in states.items() if not state.up),
            # A run with `partial` is for these units alone.
            neighbours=frozenset(
                unit
                for unit in units
                if not self.wish.partial
                and application_of(unit)
                and unit not in journal.brought
                and unit not in journal.touched
            ),
        )

    # Files

    def _compare_entry(self, entry: Entry) -> None:
        before, after = self.look.file(entry.path), self.nodes[entry.path]
        known, original = self._known(entry.path)
        # What comes back to a path that shall be empty is somebody else's again.
        foreign = not known or known.absent
        if before and foreign and before != after and MANAGED.encode() not in before.data:
            self.originals[entry.path], original = before, True
        if before != after:
            secret = entry.secret or bool(known and known.secret) or bool(foreign and before and before.private)
            self.changes.append(Change(Path(entry.path), before, after, secret))
        self.files[entry.path] = File(
            entry.unit, entry.verb, entry.secret, after is None, original, list(entry.applications)
        )

    def _known(self, path: str) -> tuple[File | None, bool]:
        """Return what manifests have of a path, and whether what was there before us is kept."""
        known = self.mine.files.get(path)
        original = bool(known and known.original)
        for component in self.taken:
            theirs = self.others[component].files.get(path)
            if not known and theirs:
                known = theirs
                kept = self.look.original(component, path) if known.original else None
                if kept:
                    self.originals[path], original = kept, True
        return known, original

    def _compare_former(self) -> None:
        """Keep what the component has besides the wish, or let it go."""
        wish = self.wish
        for path, known in self.mine.files.items():
            if path in self.files:
                continue
            if wish.partial or path in wish.keep or known.unit in self.kept_units:
                self.files[path] = known
            elif not any(path in theirs.files for theirs in self.others.values()):
                self._let_go(wish.component, path, known, self.changes)

    def _compare_taken(self) -> None:
        wish = self.wish
        for component, names in self.taken.items():
            for path in names:
                known = self.others[component].files.get(path)
                if known and path not in self.files:
                    # What goes for good goes last.
                    goes = component in wish.replaces or path in wish.retire or known.unit in wish.retire
                    self._let_go(component, path, known, self.leaving if goes else self.changes)

    def _let_go(self, component: str, path: str, known: File, changes: list[Change]) -> None:
        """Remove a file, or restore what was there before us."""
        before = self.look.file(path)
        after = self.look.original(component, path) if known.original else None
        if before != after:
            changes.append(Change(Path(path), before, after, known.secret))

    def _digests(self) -> tuple[dict[str, Digests], Digests]:
        """Return the digests of the files of each unit and verb, and of each command."""
        loaded: dict[str, Digests] = {}
        ran: Digests = {}
        for entry in self.wish.entries:
            # Names, not numbers of users: in check mode the numbers may not be known yet.
            node = self.nodes[entry.path]
            data = hashlib.sha256(node.data).hexdigest() if node else None
            text = json.dumps([data, node and node.mode, entry.owner, entry.group])
            digest = hashlib.sha256(text.encode()).hexdigest()
            if entry.unit and entry.verb:
                loaded.setdefault(entry.unit, {}).setdefault(entry.verb, {})[entry.path] = digest
            if entry.command:
                ran.setdefault(shlex.join(entry.command), {})[entry.path] = digest
        if not self.wish.partial:
            return loaded, ran
        units = {**self.mine.loaded, **loaded}
        merged = {unit: _merged(self.mine.loaded.get(unit, {}), loaded.get(unit, {})) for unit in units}
        return merged, _merged(self.mine.ran, ran)

    # Units and commands

    def _commands(self) -> list[list[str]]:
        """Return the commands that did not run with the files as they shall be."""
        entries = [entry for entry in self.wish.entries if entry.command]
        changed = {entry.command for entry in entries if entry.path in self.changed}
        return [
            list(command)
            for command in dict.fromkeys(entry.command for entry in entries)
            if command in changed or self.mine.ran.get(shlex.join(command)) != self.ran[shlex.join(command)]
        ]

    def _verbs(self) -> dict[str, str]:
        """Return each unit that has not loaded what is wanted, and what it needs for that."""
        # A unit that is taken over as it is has loaded what it needs.
        had = dict(self.mine.loaded)
        for component, names in self.taken.items():
            had |= {unit: digests for unit, digests in self.others[component].loaded.items() if unit in names}
        needs = {
            (unit, verb)
            for unit in {*self.loaded, *had}
            for verb in ("restart", "reload")
            if self.loaded.get(unit, {}).get(verb) != had.get(unit, {}).get(verb)
        }
        needs |= {
            (known.unit, str(known.verb))
            for files in (self.files, self.mine.files)
            for path, known in files.items()
            if path in self.changed and known.unit
        }
        return {unit: "restart" if (unit, "restart") in needs else "reload" for unit, _verb in sorted(needs)}

    def _replaced(self) -> set[str]:
        """Return the units of other components that this one replaces or retires."""
        wish = self.wish
        units = {
            unit
            for component in self.taken
            for unit in self.others[component].units
            if component in wish.replaces or unit in wish.retire
        }
        return units - {*wish.units} | self._in_the_way()

    def _in_the_way(self) -> set[str]:
        """Return units of other components that listen where a socket of this one is about to.

        Only those that move on in the same run: their own component starts them again, somewhere else.
        """
        wanted = {
            address
            for entry in self.wish.entries
            if entry.path in self.changed
            for address in _addresses(entry.path, entry.content or "")
        }
        sockets = {
            known.unit
            for theirs in self.others.values()
            for path, known in theirs.files.items()
            if known.unit in self.wish.keep_units.difference(self.wish.units)
            and (node := self.look.file(path))
            and not wanted.isdisjoint(_addresses(path, node.text))
        }
        return {unit for socket in sockets for unit in (socket, served_by(socket))}

    def _lost(self, states: Mapping[str, Unit]) -> list[str]:
        """Return the units that run, but without what they have loaded."""
        proofs = self.wish.proofs.items()
        return [unit for unit, command in proofs if states[unit].up and not self.look.succeeds(command)]

    def _journal(
        self, transaction: str, changes: Iterable[Change], folders: Iterable[Path]
    ) -> tuple[Journal, Mapping[str, Unit]]:
        """Return what is to be done, and the states of the units."""
        wish, mine = self.wish, self.mine
        replaced = self._replaced()
        held = {unit for theirs in self.others.values() for unit in theirs.units} - replaced
        # What moves to another component is activated by that one.
        moving = wish.keep_units | held | {mine.files[name].unit for name in wish.keep if name in mine.files}
        verbs = {unit: verb for unit, verb in self._verbs().items() if unit in wish.units or unit not in moving}
        dropped = [
            unit for unit in mine.units if unit not in wish.units and unit not in self.kept_units and unit not in held
        ]
        states = self.look.units({*wish.units, *verbs, *dropped, *replaced})
        verbs = {**dict.fromkeys(self._lost(states), "reload"), **verbs}
        journal = Journal(
            transaction=transaction,
            swaps=[(str(change.path), change.before is not None) for change in changes],
            folders=list(map(str, folders)),
            # Somebody else's unit that does not run has nothing to reload.
            touched={
                unit: verb
                for unit, verb in verbs.items()
                if unit not in dropped and unit not in replaced and (unit in wish.units or states[unit].up)
            },
            commands=self._commands(),
            brought={unit: _was(states[unit]) for unit in (*wish.units, *sorted(replaced)) if unit not in mine.units},
            dropped=[unit for unit in dropped if states[unit].load != "not-found"],
            retired=[unit for unit in sorted(replaced) if states[unit].load != "not-found"],
            taken=self.taken,
        )
        return journal, states

    def _manifest(self, transaction: str, folders: Iterable[Path]) -> Manifest:
        mine = self.mine
        kept = {unit: mine.loaded[unit] for unit in self.kept_units if unit in mine.loaded}
        return Manifest(
            transaction=transaction,
            files=self.files,
            folders=sorted(
                {*(folder for folder in mine.folders if self.look.is_folder(Path(folder))), *map(str, folders)}
            ),
            units=sorted({*self.wish.units, *self.kept_units}),
            loaded={**self.loaded, **kept},
            ran=self.ran,
            origin=mine.origin if self.wish.partial else self.wish.origin,
            run=mine.run if self.wish.partial else self.wish.run,
            refused={
                path: target
                for path, target in mine.refused.items()
                if path in self.files and self.nodes.get(path) != Node(target.encode())
            },
        )


def _merged(below: Digests, above: Digests) -> Digests:
    """Return digests of files laid over others."""
    return {name: {**below.get(name, {}), **above.get(name, {})} for name in {**below, **above}}


def _addresses(path: str, text: str) -> list[str]:
    """Return where a socket unit listens over the network."""
    lines = text.splitlines() if path.endswith(".socket") else []
    found = [line.partition("=")[2] for line in lines if line.startswith("ListenStream=")]
    return [address for address in found if not address.startswith("/")]


def _was(unit: Unit) -> Was:
    return Was(not unit.stopped, unit.enabled, masked=unit.load == "masked")
