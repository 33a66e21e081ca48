# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All files of a server in one transaction.

Private to the collection. What is wanted is compared with what is there; the change is tested, swapped in, put in
service and looked at; whatever fails, also in a way that nobody foresaw, takes all of it back. A run that is killed
leaves a journal, with which the next run takes its half-done work back before it starts its own.
"""

from __future__ import annotations

import contextlib
import fcntl
import grp
import hashlib
import json
import os
import pwd
import secrets
import shlex
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from .._errors import PyhostError
from .._fs import MANAGED, Node, look, make_folders, missing_folders, new, old, remove_folders, replace, sync, write
from .._gateway import status_of
from .._systemd import Systemd, Unit, served_by
from .._text import decode, unforeseen
from .._web import healthy
from .host import Host
from .manifest import Journal, Manifest, Store
from .stage import Change, Test, blame, sweep, test_live, test_staged

LOCK_TIMEOUT = 120.0
# A process that dies right after its start, or is started again and again, shows within this time.
SETTLED = 1.0
START_TIMEOUT = 60.0
POLL = 0.2
# What asks for a reload while another is under way may not be heard.
REPEAT = 5.0
# Lines of a server's log that a message quotes.
SAID = 10
# Bytes of it that are read.
LOGGED = 65536
UNIT_FOLDERS = ("/etc/systemd/system/", "/run/systemd/system/", "/usr/lib/systemd/system/", "/lib/systemd/system/")


@dataclass(frozen=True)
class Entry:
    """A path that is wanted: a file (`content`), a link (`link`, or `follow`), or nothing at all."""

    path: str
    where: str
    """How the user finds it, such as `files[3]`."""
    content: str | None = None
    link: str | None = None
    follow: str | None = None
    owner: str = "root"
    group: str = "root"
    mode: str = "0644"
    secret: bool = False
    unit: str | None = None
    verb: str | None = None
    command: tuple[str, ...] = ()


@dataclass(frozen=True)
class Probe:
    """A web address that answers the generation once it is in service."""

    url: str
    generation: str
    host: str | None = None
    timeout: float = 10
    log: Path | None = None
    """Where the server says why it does not take a configuration that passed its test."""

    def logged(self) -> int:
        """Return how many bytes the log has."""
        return self.log.stat().st_size if self.log and self.log.exists() else 0

    def said(self, since: int) -> str:
        """Return the last lines of the log beyond its first bytes."""
        if not self.log or self.logged() <= since:
            return ""
        with self.log.open("rb") as file:
            file.seek(max(since, self.logged() - LOGGED))
            lines = decode(file.read(LOGGED)).splitlines()
        return "\n" + "\n".join(lines[-SAID:])


@dataclass(frozen=True)
class Request:
    """What a web server, or an application at its endpoint, must answer once a file that changed is in service."""

    file: str
    url: str
    mount: str = ""
    host: str | None = None
    status: tuple[int, ...] = ()
    """Good answers; none given: all below 500."""
    timeout: float = 30
    unit: str | None = None
    """Whose words tell what went wrong."""

    def complaint(self, answer: str) -> str:
        """Return what is wrong with a status line; empty where it is a good one."""
        if healthy(status_of(answer), self.status):
            return ""
        right = f"one of {', '.join(map(str, self.status))}" if self.status else "below 500"
        return f"{self.url} (Host: {self.host}) answers '{answer}'; it must be {right}"


class RefusedError(PyhostError):
    """What belongs to a file that changed does not answer as it must."""

    def __init__(self, message: str, request: Request) -> None:
        super().__init__(message, application=_application(request.unit) if request.unit else None)
        self.file = request.file


@dataclass(frozen=True)
class Wish:
    """What a part wants of its host."""

    part: str
    entries: tuple[Entry, ...] = ()
    units: tuple[str, ...] = ()
    keep: frozenset[str] = frozenset()
    keep_units: frozenset[str] = frozenset()
    take: bool = False
    replaces: frozenset[str] = frozenset()
    retire: frozenset[str] = frozenset()
    listen: tuple[str, ...] = ()
    """Where its units listen over TCP; they give way who are replaced or retired."""
    test: Test | None = None
    probe: Probe | None = None
    partial: bool = False
    """All that the part has beside this stays as it is."""
    requests: tuple[Request, ...] = ()


@dataclass
class Plan:
    """The way from what is there to what is wanted."""

    changes: list[Change]
    leaving: list[Change]
    """Files of the parts that are replaced: they go last, when what they belong to has stopped."""
    manifest: Manifest
    journal: Journal
    originals: dict[str, Node]
    """What was at paths before us."""
    start: list[str]
    """Wanted units that are down or not enabled."""
    recorded: bool
    """Whether the manifest says all this already."""

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        todo = self.journal
        return self.recorded and not (
            self.changes or self.start or todo.touched or todo.commands or todo.dropped or todo.taken)

    @property
    def all_changes(self) -> list[Change]:
        """What becomes of the host's files in the end."""
        return [*self.changes, *self.leaving]


@dataclass
class Outcome:
    """What a run did, or would do in check mode."""

    changed: bool = False
    healed: bool = False
    tested: bool = False
    changes: list[Change] = field(default_factory=list)
    units: dict[str, str] = field(default_factory=dict)
    commands: list[list[str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class Transaction:
    """One run of one part. `state` is the folder of the manifests."""

    def __init__(self, host: Host, state: Path, wish: Wish, check: bool = False) -> None:
        self.host = host
        self.systemd = Systemd(host.run)
        self.store = Store(state)
        self.wish = wish
        self.check = check
        self.warnings: list[str] = []

    def run(self) -> Outcome:
        """Bring the host to what is wanted, or leave it as it was and raise PyhostError."""
        try:
            with self._lock():
                return self._run()
        except PyhostError:
            raise
        except Exception as error:
            raise PyhostError(_words(error)) from error

    def _run(self) -> Outcome:
        killed = self.store.journals()
        if not self.check:
            self.store.sweep()
            sweep()
            for part, journal in killed.items():
                self._heal(part, journal)
        mine = killed.get(self.wish.part)
        tested = False
        try:
            plan = self._compare(mine if self.check else None)
            if not plan.idle:
                self._refuse_what_somebody_holds(plan)
                tested = self._test(plan)
        except Exception as error:
            # The killed run may have put in service what is no longer there.
            if mine and not self.check:
                self._serve_again(self.store.manifest(self.wish.part), mine, error)
            raise
        if not plan.idle and not self.check:
            self._execute(plan, tested)
        todo = plan.journal
        return Outcome(
            changed=not plan.idle,
            healed=bool(killed),
            tested=tested,
            changes=plan.all_changes,
            units={**todo.touched, **dict.fromkeys(plan.start, "start"),
                   **dict.fromkeys((*todo.dropped, *todo.retired), "stop")},
            commands=todo.commands,
            warnings=self.warnings,
        )

    @contextlib.contextmanager
    def _lock(self) -> t.Iterator[None]:
        """Keep other runs out; check mode, which may write nothing, heeds a lock that is there."""
        lock = self.store.lock
        if not self.check:
            make_folders(missing_folders([self.store.folder]))
            self.store.folder.mkdir(mode=0o700, exist_ok=True)
        elif not lock.exists():
            yield
            return
        handle = os.open(lock, os.O_RDONLY | os.O_CLOEXEC | (0 if self.check else os.O_CREAT), 0o600)
        try:
            end = self.host.clock() + LOCK_TIMEOUT
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if self.host.clock() > end:
                        raise PyhostError(
                            f"another run has been at work on this host for {LOCK_TIMEOUT:g} s (it holds {lock}); "
                            "let it finish, or end it, and run again") from None
                    self.host.sleep(0.5)
            yield
        finally:
            os.close(handle)

    # Step 1: compare

    def _compare(self, killed: Journal | None) -> Plan:
        wish = self.wish
        manifests = self.store.manifests()
        mine = manifests.pop(wish.part, Manifest())
        if killed and killed.transaction != mine.transaction:
            mine.forget(killed)
        self._refuse_what_is_not_here(mine)
        self._refuse_what_others_hold(mine, manifests)

        taken: dict[str, list[str]] = {}
        for part, theirs in manifests.items():
            if part in wish.replaces:
                taken[part] = [*theirs.files, *theirs.units]
                continue
            common = [name for name in (*(entry.path for entry in wish.entries), *wish.units)
                      if name in theirs.files or name in theirs.units]
            # A unit moves with all that belongs to it; what it has no use for any more goes in the same transaction.
            left = [name for name, known in theirs.files.items()
                    if known["unit"] in common and known["unit"] in theirs.units and name not in common]
            retired = [name for name in (*theirs.files, *theirs.units) if name not in (*common, *left)
                       and (name in wish.retire or theirs.files.get(name, {}).get("unit") in
                            wish.retire.intersection(theirs.units).difference(wish.units))]
            if common or retired:
                taken[part] = [*common, *left, *retired]

        changes: list[Change] = []
        leaving: list[Change] = []
        originals: dict[str, Node] = {}
        files: dict[str, dict[str, t.Any]] = {}
        wanted = self._nodes(mine.refused)
        for entry in wish.entries:
            path = Path(entry.path)
            before, after = look(path), wanted[entry.path]
            known = mine.files.get(entry.path)
            original = bool(known and known["original"])
            for part in taken:
                theirs_known = manifests[part].files.get(entry.path)
                if not known and theirs_known:
                    known = theirs_known
                    kept = self.store.original(part, entry.path) if known["original"] else None
                    if kept:
                        originals[entry.path], original = kept, True
            # What comes back to a path that shall be empty is somebody else's again.
            foreign = not known or known["absent"]
            if before and foreign and before != after and MANAGED.encode() not in before.data:
                originals[entry.path], original = before, True
            if before != after:
                secret = entry.secret or bool(known and known["secret"]) or bool(foreign and before and before.private)
                changes.append(Change(path, before, after, secret))
            files[entry.path] = {
                "unit": entry.unit, "verb": entry.verb, "secret": entry.secret, "original": original,
                "absent": after is None,
            }
        kept_units = [unit for unit in mine.units
                      if (wish.partial or unit in wish.keep_units) and unit not in wish.units]
        for path_text, known in mine.files.items():
            if path_text in files:
                continue
            if wish.partial or path_text in wish.keep or known["unit"] in kept_units:
                files[path_text] = known
            elif not any(path_text in theirs.files for theirs in manifests.values()):
                before = look(Path(path_text))
                after = self.store.original(wish.part, path_text) if known["original"] else None
                if before != after:
                    changes.append(Change(Path(path_text), before, after, known["secret"]))

        for part, names in taken.items():
            for path_text in names:
                known = manifests[part].files.get(path_text)
                if known and path_text not in files:
                    before = look(Path(path_text))
                    after = self.store.original(part, path_text) if known["original"] else None
                    if before != after:
                        # What goes for good goes last.
                        goes = part in wish.replaces or path_text in wish.retire or known["unit"] in wish.retire
                        (leaving if goes else changes).append(
                            Change(Path(path_text), before, after, known["secret"]))

        changed = {str(change.path) for change in changes}
        loaded, ran = self._digests(wanted)
        if wish.partial:
            units = {**mine.loaded, **loaded}
            loaded = {unit: _with(mine.loaded.get(unit, {}), loaded.get(unit, {})) for unit in units}
            ran = _with(mine.ran, ran)
        # A unit that is taken over as it is has loaded what it needs.
        had = dict(mine.loaded)
        for part, names in taken.items():
            had |= {unit: digests for unit, digests in manifests[part].loaded.items() if unit in names}
        commands = [
            list(command) for command in dict.fromkeys(entry.command for entry in wish.entries if entry.command)
            if mine.ran.get(shlex.join(command)) != ran[shlex.join(command)]
            or any(entry.path in changed for entry in wish.entries if entry.command == command)
        ]

        replaced = {unit for part in taken for unit in manifests[part].units
                    if part in wish.replaces or unit in wish.retire} - {*wish.units}
        held = {unit for theirs in manifests.values() for unit in theirs.units} - replaced
        # What moves to another part is that part's to put in service.
        moving = wish.keep_units | held | {mine.files[name]["unit"] for name in wish.keep if name in mine.files}
        touched = {unit: verb for unit, verb in self._touched(mine, had, loaded, files, changed).items()
                   if unit in wish.units or unit not in moving}
        dropped = [unit for unit in mine.units
                   if unit not in wish.units and unit not in kept_units and unit not in held]
        states = self.systemd.show({*wish.units, *touched, *dropped, *replaced})
        start = [unit for unit in wish.units if not states[unit].up or not states[unit].enabled]
        brought = {
            unit: {"up": states[unit].up, "enabled": states[unit].enabled, "masked": states[unit].load == "masked"}
            for unit in (*wish.units, *sorted(replaced)) if unit not in mine.units
        }
        # Somebody else's unit that does not run has nothing to reload.
        touched = {unit: verb for unit, verb in touched.items()
                   if unit not in dropped and unit not in replaced and (unit in wish.units or states[unit].up)}
        loaded.update({unit: mine.loaded[unit] for unit in kept_units if unit in mine.loaded})

        folders = missing_folders(change.path for change in (*changes, *leaving) if change.after is not None)
        transaction = secrets.token_hex(8)
        manifest = Manifest(
            transaction=transaction,
            files=files,
            folders=sorted({*(folder for folder in mine.folders if Path(folder).is_dir()), *map(str, folders)}),
            units=sorted({*wish.units, *kept_units}),
            loaded=loaded,
            ran=ran,
            refused={path: target for path, target in mine.refused.items()
                     if path in files and wanted.get(path) != Node(target.encode())},
        )
        journal = Journal(
            transaction=transaction,
            swaps=[(str(change.path), change.before is not None) for change in (*changes, *leaving)],
            folders=list(map(str, folders)),
            touched=touched,
            commands=commands,
            brought=brought,
            dropped=[unit for unit in dropped if states[unit].load != "not-found"],
            retired=[unit for unit in sorted(replaced) if states[unit].load != "not-found"],
            taken=taken,
        )
        return Plan(changes, leaving, manifest, journal, originals, start, manifest.same(mine))

    def _refuse_what_is_not_here(self, mine: Manifest) -> None:
        """Part of what a part has can only be changed where the part has it."""
        names = [(entry.where, entry.path) for entry in self.wish.entries if entry.path not in mine.files]
        names += [("units", unit) for unit in self.wish.units if unit not in mine.units]
        if self.wish.partial and names:
            raise PyhostError("\n".join(
                f"{where}: {self.wish.part} does not have {name} on this host yet; put all of it in service first, "
                "without `partial`" for where, name in names))

    def _refuse_what_others_hold(self, mine: Manifest, others: dict[str, Manifest]) -> None:
        if self.wish.take:
            return
        names = [(entry.where, entry.path) for entry in self.wish.entries]
        names += [("units", unit) for unit in self.wish.units]
        problems = [
            f"{where}: {name} belongs to {part}; leave it to that part, or move it here with `take: true`"
            for where, name in names if name not in mine.files and name not in mine.units
            for part, theirs in others.items()
            if part not in self.wish.replaces and (name in theirs.files or name in theirs.units)
        ]
        if problems:
            raise PyhostError("\n".join(problems))

    def _nodes(self, refused: t.Mapping[str, str]) -> dict[str, Node | None]:
        """Return what shall be at each path; in check mode, users and link targets may be yet to come."""
        problems: list[str] = []
        users: dict[str, int | None] = {}
        groups: dict[str, int | None] = {}

        def number(cache: dict[str, int | None], name: str, find: t.Callable[[str], int], what: str) -> int | None:
            if name not in cache:
                try:
                    cache[name] = int(name) if name.isascii() and name.isdigit() else find(name)
                except KeyError:
                    cache[name] = None
            if cache[name] is None and not self.check:
                problems.append(f"{what}: {name!r} does not exist on this host; make it in an earlier task")
            return cache[name]

        nodes: dict[str, Node | None] = {}
        for entry in self.wish.entries:
            if entry.link is not None:
                nodes[entry.path] = Node(entry.link.encode())
            elif entry.follow is not None:
                target = self._follow(entry, refused.get(entry.path), problems)
                nodes[entry.path] = Node(target.encode())
            elif entry.content is not None:
                nodes[entry.path] = Node(
                    entry.content.encode(), int(entry.mode, 8),
                    number(users, entry.owner, lambda name: pwd.getpwnam(name).pw_uid, f"{entry.where}.owner"),
                    number(groups, entry.group, lambda name: grp.getgrnam(name).gr_gid, f"{entry.where}.group"))
            else:
                nodes[entry.path] = None
        if problems:
            raise PyhostError("\n".join(problems))
        return nodes

    def _follow(self, entry: Entry, refused: str | None, problems: list[str]) -> str:
        """Return the target of the link that the entry follows, such that it leads to the same place.

        What was refused is tried again only by who asks for it: a run with `partial`.
        """
        leader = Path(str(entry.follow))
        try:
            target = leader.readlink()
        except OSError:
            if not self.check:
                problems.append(f"{entry.where}.follow: {leader} is no symbolic link; make it in an earlier task")
            return f"as {leader} will"
        wanted = str(target if leader.parent == Path(entry.path).parent else leader.parent / target)
        now = look(Path(entry.path))
        if not now or wanted != refused or self.wish.partial:
            return wanted
        stays = os.fsdecode(now.data)
        self.warnings.append(
            f"{entry.path}: stays at {stays}, because {refused} had to be taken back once it was in service; "
            "change what it is made of, or let the playbook deploy try it again")
        return stays

    def _digests(
        self, wanted: dict[str, Node | None]
    ) -> tuple[dict[str, dict[str, dict[str, str]]], dict[str, dict[str, str]]]:
        """Return the digests of the files of each unit and verb, and of each command."""
        loaded: dict[str, dict[str, dict[str, str]]] = {}
        ran: dict[str, dict[str, str]] = {}
        for entry in self.wish.entries:
            # Names, not numbers of users: in check mode the numbers may not be known yet.
            node = wanted[entry.path]
            data = hashlib.sha256(node.data).hexdigest() if node else None
            text = json.dumps([data, node and node.mode, entry.owner, entry.group])
            digest = hashlib.sha256(text.encode()).hexdigest()
            if entry.unit and entry.verb:
                loaded.setdefault(entry.unit, {}).setdefault(entry.verb, {})[entry.path] = digest
            if entry.command:
                ran.setdefault(shlex.join(entry.command), {})[entry.path] = digest
        return loaded, ran

    def _touched(self, mine: Manifest, had: dict[str, dict[str, dict[str, str]]],
                 loaded: dict[str, dict[str, dict[str, str]]], files: dict[str, dict[str, t.Any]],
                 changed: set[str]) -> dict[str, str]:
        """Return each unit that has not got what is wanted, and what it needs for that."""
        needs = {
            (unit, verb)
            for unit in {*loaded, *had} for verb in ("restart", "reload")
            if loaded.get(unit, {}).get(verb) != had.get(unit, {}).get(verb)
        }
        needs |= {
            (entry["unit"], entry["verb"])
            for known in (files, mine.files) for path, entry in known.items() if path in changed and entry["unit"]
        }
        return {unit: "restart" if (unit, "restart") in needs else "reload" for unit, _verb in sorted(needs)}

    # Step 3: test

    def _refuse_what_somebody_holds(self, plan: Plan) -> None:
        """No server's test tells that it could not listen."""
        ours = {*self.wish.units, *plan.journal.dropped, *plan.journal.retired}
        refusals = [refusal for address in self.wish.listen if (refusal := self.host.refusal(address, ours))]
        if refusals:
            raise PyhostError(
                "\n".join(refusals) + "\nNothing was changed; end what listens there, or have "
                f"{self.wish.part} listen somewhere else")

    def _test(self, plan: Plan) -> bool:
        """Let the server test the changes; return False when that is only possible with the changes in place."""
        test = self.wish.test
        if test is None:
            return True
        if not self.host.has(test.command[0]):
            if self.check:
                return False
            raise PyhostError(
                f"test.command: this host has no {test.command[0]}; install its package in an earlier task")
        return test_staged(self.host, test, plan.all_changes)

    # Steps 4 and 5: swap, put in service, look

    def _execute(self, plan: Plan, tested: bool) -> None:
        journal = plan.journal
        mine = self.store.manifest(self.wish.part)
        in_service = False
        try:
            requests = self._to_ask(plan)
            self._prepare(plan)
            in_service = bool(journal.dropped)
            self._stop(journal.dropped)
            self._swap(plan.changes)
            if not tested and self.wish.test:
                test_live(self.host, self.wish.test)
            in_service = True
            since = self.host.now()
            logged = self.wish.probe.logged() if self.wish.probe else 0
            # Those of applications; a web server's may have visitors for hours.
            services = {served_by(unit) for unit in self.wish.units if unit.endswith(".socket")}
            workers = self._workers(self.systemd.show(services & {*journal.touched}))
            before = self._settle(self.wish.units, journal.touched, journal.commands,
                                  [change.path for change in plan.changes], since,
                                  set(journal.retired) - self.wish.retire)
            self._prove({*self.wish.units, *(unit for unit in journal.touched if before[unit].up)}, since,
                        quiet=not (journal.touched or plan.start))
            self._probe(logged, since)
            self._ask(requests, workers, since)
            self._stop(journal.retired)
            self._swap(plan.leaving)
            if any(str(change.path).startswith(UNIT_FOLDERS) for change in plan.leaving):
                self.systemd.reload_manager()
        # Whatever it is; only the end of this process is left to the next run.
        except Exception as error:
            if in_service:
                mine.refused |= self._refused(plan, error)
            self._roll_back(mine, journal, error, in_service)
            raise
        new(self.store.manifest_path(self.wish.part)).rename(self.store.manifest_path(self.wish.part))
        sync([self.store.folder])
        self._finish(self.wish.part, journal)

    def _refused(self, plan: Plan, error: Exception) -> dict[str, str]:
        """Return the links that are to blame, or may be, with the targets that they had in service."""
        if isinstance(error, RefusedError):
            suspects = {error.file}
        else:
            suspects = {entry.path for entry in self.wish.entries if entry.follow and self.wish.partial}
        return {str(change.path): os.fsdecode(change.after.data) for change in plan.changes
                if change.after and str(change.path) in suspects}

    def _prepare(self, plan: Plan) -> None:
        """Write all that is new beside what is there; from here on a journal tells how to take it back."""
        journal = plan.journal
        for path in journal.paths:
            new(path).unlink(missing_ok=True)
            old(path).unlink(missing_ok=True)
        journal.save(self.store.journal_path(self.wish.part))
        for name, node in plan.originals.items():
            replace(self.store.original_path(self.wish.part, name), node)
        # Written now and named at the end, so that a full disk shows before anything is in service.
        write(new(self.store.manifest_path(self.wish.part)), plan.manifest.node)
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

    def _settle(self, units: t.Collection[str], touched: dict[str, str], commands: t.Sequence[t.Sequence[str]],
                changed: t.Iterable[Path], since: float, retired: t.Collection[str] = ()) -> dict[str, Unit]:
        """Put the files that are there in service; return how the units were before that.

        `units` shall be enabled and active afterwards; `retired` ones give way to them.
        """
        names = {*units, *touched, *(served_by(unit) for unit in touched if unit.endswith(".socket"))}
        states = before = self.systemd.show(names)
        if any(str(path).startswith(UNIT_FOLDERS) for path in changed) or any(unit.stale for unit in states.values()):
            self.systemd.reload_manager()
            states = self.systemd.show(names)
        for command in commands:
            status, output = self.host.run(command)
            if status:
                raise blame(f"{shlex.join(command)} failed", output or f"status {status}")

        do = self._do(since)
        do("unmask", (unit for unit in units if states[unit].load == "masked"))
        do("enable", (unit for unit in units if not states[unit].enabled))
        do("reset-failed", (unit for unit in units if states[unit].active == "failed"))
        # Nobody answers visitors from here until ours are up, so all else that takes time comes before or after.
        do("stop", self._with_served(retired))
        running = {unit: verb for unit, verb in touched.items() if states[unit].up}
        reload = {unit for unit, verb in running.items()
                  if verb == "reload" and states[unit].reloads and not states[unit].broken}
        restart = running.keys() - reload
        # A socket is not restarted below a running service.
        sockets = {unit for unit in restart if unit.endswith(".socket")}
        served = {service for service in map(served_by, sockets) if states[service].up}
        do("stop", sockets | served)
        do("start", sockets)
        do("restart", restart - sockets - served)
        do("reload", reload - served)
        down = {unit for unit in units if not states[unit].up}
        # Nor is it started below one, and not every service says that it comes after its socket.
        opened = {unit for unit in down if unit.endswith(".socket")}
        do("start", opened)
        do("start", (down - opened) | served)
        return before

    def _do(self, since: float) -> t.Callable[[str, t.Iterable[str]], None]:
        def do(verb: str, units: t.Iterable[str]) -> None:
            names = sorted(set(units))
            complaint = self.systemd.do(verb, names)
            if complaint:
                states = self.systemd.show(names)
                # systemctl names the units whose job failed; after a failed reload a unit is still active.
                guilty = [unit for unit in names if f"Job for {unit} " in complaint] \
                    or [unit for unit in names if states[unit].broken]
                raise self._blame(guilty, f"systemctl {verb} failed", complaint, since)
        return do

    def _blame(self, guilty: list[str], what: str, complaint: str, since: float) -> PyhostError:
        """Return the error that has the words of the first guilty unit."""
        if not guilty:
            return blame(what, complaint)
        unit, *others = guilty
        words = self.systemd.words(unit, since)
        also = f" (and of {', '.join(others)})" if others else ""
        taken = "Address already in use" in words
        advice = "somebody else has this address; on the host, `ss -lntxp` tells who listens" if taken else ""
        said = "\n".join(filter(None, (complaint, words, advice)))
        return blame(f"{what} of {unit}{also}", said, application=_application(unit))

    def _prove(self, units: t.Collection[str], since: float, quiet: bool) -> None:
        """Wait until all units are active, and have been for a moment; `quiet` units had no reason to change."""
        begin = self.host.clock()
        first = states = self.systemd.show(units)
        while True:
            age = self.host.clock() - begin
            bad = [unit for unit, state in states.items() if state.broken or state.restarts > first[unit].restarts]
            waiting = [unit for unit, state in states.items() if state.active != "active"]
            if age > START_TIMEOUT:
                bad = bad or waiting
            if bad:
                state = states[bad[0]]
                raise self._blame(sorted(bad), "the start", f"{state.active} ({state.sub})", since)
            if not waiting and (quiet or age >= SETTLED):
                return
            self.host.sleep(POLL)
            states = self.systemd.show(units)

    def _probe(self, logged: int, since: float) -> None:
        """Wait until the web server answers with the new generation; its log had that many bytes at that second."""
        probe = self.wish.probe
        if probe is None:
            return
        end = self.host.clock() + probe.timeout
        while (answer := self.host.fetch(probe.url, probe.host, probe.timeout)) != probe.generation:
            # A reload may kill long after it was asked for; every second without a server counts.
            broken = {unit: state for unit, state in self.systemd.show(self.wish.units).items() if state.broken}
            if broken:
                state = broken[min(broken)]
                raise self._blame(sorted(broken), "the start", f"{state.active} ({state.sub})", since)
            if self.host.clock() > end:
                name = f" (Host: {probe.host})" if probe.host else ""
                raise PyhostError(
                    f"probe: {probe.url}{name} did not answer the new generation {probe.generation} within "
                    f"{probe.timeout:g} s; its last answer: {answer or 'nothing'}{probe.said(logged)}")
            self.host.sleep(POLL)

    def _workers(self, states: t.Mapping[str, Unit]) -> dict[str, set[int]]:
        """Return the processes that the main process of each unit has started; a reload leaves itself alone."""
        mains = {unit: state.main for unit, state in states.items() if state.main}
        started = self.host.children(mains.values())
        return {unit: started[main] for unit, main in mains.items()}

    def _to_ask(self, plan: Plan) -> list[Request]:
        """Return the requests whose file changes.

        Without `partial` only those that are answered well before, and of whose unit nothing else changes: the web
        server may have to be told first.
        """
        changes = {str(change.path): change for change in plan.changes}
        requests = [request for request in self.wish.requests if request.file in changes]
        if self.wish.partial:
            return requests
        asked = {request.file for request in requests}
        others = {*plan.journal.brought, *plan.journal.dropped, *(
            entry.unit for entry in self.wish.entries if entry.path in changes.keys() - asked)}
        return [request for request in requests if changes[request.file].before and request.unit not in others
                and not request.complaint(self.host.ask(request.url, request.host, request.timeout, request.mount))]

    def _ask(self, requests: t.Sequence[Request], workers: dict[str, set[int]], since: float) -> None:
        """Ask again and again until `workers` have given way to others."""
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
            bad = [unit for unit, state in states.items()
                   if state.broken or state.restarts > first[unit].restarts]
            if bad:
                raise self._blame(bad, "the start", "its new processes did not stay", since)
            for request in requests:
                # Whether they stay is to be seen in time, so no single answer is waited for.
                answer = self.host.ask(request.url, request.host, request.timeout if last else SETTLED, request.mount)
                complaint = request.complaint(answer)
                if complaint and (last or status_of(answer)):
                    words = self.systemd.words(request.unit, since) if request.unit else ""
                    raise RefusedError(f"{complaint}\n{words}".strip(), request)
            if last or self.host.clock() > repeat:
                # Or nobody asked it to go: an earlier reload was still under way. Where one is now, this does nothing.
                self._do(since)("reload", left)
                repeat = self.host.clock() + REPEAT
            if last:
                return
            self.host.sleep(POLL)

    def _stop(self, units: t.Iterable[str]) -> None:
        """Stop and disable units, and what their sockets started."""
        names = set(units)
        for verb, chosen in (("disable --now", names), ("stop", self._with_served(names) - names)):
            complaint = self.systemd.do(verb, chosen)
            if complaint:
                raise PyhostError(complaint)

    def _with_served(self, units: t.Collection[str]) -> set[str]:
        """Return the units and what their sockets started."""
        services = self.systemd.show(served_by(unit) for unit in units if unit.endswith(".socket"))
        return {*units, *(service for service, state in services.items() if state.up)}

    # Taking back, and healing

    def _roll_back(self, mine: Manifest, journal: Journal, error: Exception, in_service: bool) -> None:
        """Put the old files back in place, and in service where the new ones were."""
        try:
            if in_service:
                self._withdraw(journal)
            self._restore(journal)
        except Exception as worse:
            raise PyhostError(
                f"{_words(error)}\nTaking the change back failed too: {_words(worse)}; the next run tries again",
                **getattr(error, "details", {})) from error
        try:
            if in_service:
                self._serve_again(mine, journal, error)
        except Exception:
            # The manifest says by now what the next run has to make up.
            self._close(self.wish.part)
            raise
        if mine.refused:
            # A disk that is full now is no reason to leave the rest undone.
            with contextlib.suppress(OSError):
                mine.save(self.store.manifest_path(self.wish.part))
        self._close(self.wish.part)

    def _serve_again(self, mine: Manifest, journal: Journal, error: Exception) -> None:
        """Put the old files in service; where that fails, the next run has to make it up."""
        theirs = {unit for unit, was in journal.brought.items() if was["up"]}
        try:
            since = self.host.now()
            # Those of another part may be down because of what this one tried.
            enabled = {unit for unit in theirs if journal.brought[unit]["enabled"]}
            # A reload may still be under way, and a second one be ignored. Behind a socket nobody notices a restart.
            again = {unit: "restart" if f"{unit.removesuffix('.service')}.socket" in mine.units else verb
                     for unit, verb in journal.touched.items()}
            self._settle(
                {*mine.units, *enabled},
                {unit: verb for unit, verb in again.items() if unit not in journal.brought or unit in theirs},
                [command for command in journal.commands if shlex.join(command) in mine.ran],
                journal.paths, since)
            self._do(since)("start", theirs - enabled)
            self._prove({*mine.units, *theirs}, since, quiet=True)
        except Exception as worse:
            mine.forget(journal)
            if self.store.manifest_path(self.wish.part).exists():
                mine.save(self.store.manifest_path(self.wish.part))
            raise PyhostError(
                f"{_words(error)}\nThe old files are back, but not in service: {_words(worse)}",
                **getattr(error, "details", {})) from error

    def _withdraw(self, journal: Journal) -> None:
        """Bring units that were not ours to where they were; a unit that is no longer there needs nothing."""
        states = self.systemd.show(journal.brought)
        there = {unit: was for unit, was in journal.brought.items() if states[unit].load != "not-found"}
        down = [unit for unit, was in there.items() if not was["up"]]
        services = [served_by(unit) for unit in down if unit.endswith(".socket")]
        self.systemd.do("stop", [*down, *services])
        self.systemd.do("disable", [unit for unit, was in there.items() if not was["enabled"]])
        self.systemd.do("mask", [unit for unit, was in there.items() if was["masked"]])
        self.systemd.do("reset-failed", down)

    def _reinstate(self, journal: Journal) -> None:
        """Let what was to be replaced answer visitors again; where that fails, its own part's next run tells."""
        were = {unit: journal.brought[unit] for unit in journal.retired}
        # Nothing of this may keep the part's own next run from its work.
        with contextlib.suppress(Exception):
            self._settle({unit for unit, was in were.items() if was["up"] and was["enabled"]}, {}, (), journal.paths,
                         self.host.now())
        self.systemd.do("start", (unit for unit, was in were.items() if was["up"] and not was["enabled"]))

    def _restore(self, journal: Journal) -> None:
        """Put back what was there; doing it twice, or half and then again, comes to the same."""
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

    def _heal(self, part: str, journal: Journal) -> None:
        """Take back what a killed run left half done, or finish what it had committed."""
        manifest = self.store.manifest(part)
        if manifest.transaction == journal.transaction:
            self._finish(part, journal)
            return
        self._withdraw(journal)
        self._restore(journal)
        self._reinstate(journal)
        manifest.forget(journal)
        if self.store.manifest_path(part).exists():
            manifest.save(self.store.manifest_path(part))
        self._close(part)

    def _finish(self, part: str, journal: Journal) -> None:
        """Clear up after a transaction that was committed."""
        for path in journal.paths:
            old(path).unlink(missing_ok=True)
        for other, names in journal.taken.items():
            theirs = self.store.manifest(other)
            for name in names:
                unit = theirs.files.pop(name, {"unit": name})["unit"]
                theirs.loaded.pop(unit, None)
            theirs.units = [unit for unit in theirs.units if unit not in names]
            remove_folders(map(Path, theirs.folders))
            if theirs.files or theirs.units:
                theirs.save(self.store.manifest_path(other))
            else:
                self.store.manifest_path(other).unlink(missing_ok=True)
            self.store.prune(other)
        remove_folders(map(Path, self.store.manifest(part).folders))
        self._close(part)

    def _close(self, part: str) -> None:
        new(self.store.manifest_path(part)).unlink(missing_ok=True)
        self.store.journal_path(part).unlink(missing_ok=True)
        sync([self.store.folder])
        self.store.prune(part)


def _with(below: dict[str, dict[str, str]], above: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """Return digests of files laid over others."""
    return {name: {**below.get(name, {}), **above.get(name, {})} for name in {**below, **above}}


def _application(unit: str) -> str | None:
    """Return the application that a unit's name tells."""
    name = unit.rpartition(".")[0]
    return name.removeprefix("pyhost-") if name.startswith("pyhost-") else None


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    return str(error) if isinstance(error, (PyhostError, OSError)) else unforeseen(error)
