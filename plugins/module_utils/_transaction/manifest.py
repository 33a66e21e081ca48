# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host remembers: what each component owns, and the transaction that is under way.

Private to the collection.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import shlex
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from .._errors import PyhostError
from .._fs import Node, look, replace
from .._text import one_line

RECORD = t.TypeVar("RECORD", bound="Record")


class _Misfit(Exception):
    """A value of JSON is not of its type."""


@functools.cache
def _kinds(record: t.Any) -> dict[str, t.Any]:
    """Return the types of a dataclass's fields."""
    kinds = t.get_type_hints(record)
    return {member.name: kinds[member.name] for member in dataclasses.fields(record)}


def _read(value: t.Any, kind: t.Any, where: str = "") -> t.Any:
    """Return a value of JSON as one of a type, which is made of str, bool, None, dict, list, tuple and dataclasses."""
    outer, inner = t.get_origin(kind), t.get_args(kind)
    if dataclasses.is_dataclass(kind) and isinstance(value, dict):
        kinds = _kinds(t.cast("t.Hashable", kind))
        members = {name: f"{where}.{name}" if where else name for name in value}
        for name in value.keys() - kinds.keys():
            raise _Misfit(f"{members[name]} is unknown")
        return t.cast(t.Any, kind)(**{name: _read(value[name], kinds[name], members[name]) for name in value})
    if outer is dict and isinstance(value, dict):
        return {key: _read(member, inner[1], f"{where}.{key}") for key, member in value.items()}
    if outer is list and isinstance(value, list):
        return [_read(member, inner[0], f"{where}[{index}]") for index, member in enumerate(value)]
    if outer is tuple and isinstance(value, list) and len(value) == len(inner):
        pairs = zip(value, inner, strict=True)
        return tuple(_read(member, kind, f"{where}[{index}]") for index, (member, kind) in enumerate(pairs))
    if outer in (dict, list, tuple) or not isinstance(value, kind):
        raise _Misfit(f"{where or 'the top level'} is of the wrong type")
    return value


@dataclass
class Record:
    """A JSON file, replaced in one step."""

    LOSES: t.ClassVar[str]
    """What a run without this record does not know."""

    transaction: str = ""
    """Which transaction wrote it: it was committed when manifest and journal agree."""

    @classmethod
    def load(cls: type[RECORD], path: Path) -> RECORD | None:
        """Return the record, None where there is none; raise PyhostError where it is damaged."""
        try:
            return t.cast("RECORD", _read(json.loads(path.read_bytes()), cls))
        except FileNotFoundError:
            return None
        except (ValueError, RecursionError, _Misfit) as error:
            raise PyhostError(
                f"{path}: this file is damaged ({one_line(str(error))}). Nothing was changed. Restore the file from a"
                f" backup. If you have none, move it away and run again: {cls.LOSES}."
            ) from error

    @property
    def node(self) -> Node:
        """The file."""
        text = json.dumps(dataclasses.asdict(self), indent=1, sort_keys=True)
        return Node(f"{text}\n".encode(), 0o600, os.geteuid(), os.getegid())

    def save(self, path: Path) -> None:
        """Write it."""
        replace(path, self.node)


@dataclass(frozen=True)
class File:
    """What a manifest has of a file."""

    unit: str | None = None
    verb: str | None = None
    """What the unit needs when the file changes: C(reload) or C(restart)."""
    secret: bool = False
    absent: bool = False
    """Nothing shall be there."""
    original: bool = False
    """What was there before is kept, and restored when the file goes."""
    applications: list[str] = field(default_factory=list)
    """Those that it is about."""


@dataclass(frozen=True)
class Was:
    """What a unit was like before a transaction."""

    up: bool = False
    enabled: bool = False
    masked: bool = False


Digests: t.TypeAlias = "dict[str, dict[str, str]]"
"""Name -> path -> digest of the file."""


@dataclass
class Manifest(Record):
    """What a component owns, and what of it is active."""

    LOSES = "files that the role no longer needs are then kept, and its units are restarted"

    files: dict[str, File] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    """Folders that were made for the files."""
    units: list[str] = field(default_factory=list)
    loaded: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    """Unit -> verb -> path -> digest of the file that the unit had when it last did that."""
    ran: dict[str, dict[str, str]] = field(default_factory=dict)
    """Command -> path -> digest of the file when it last ran."""
    refused: dict[str, str] = field(default_factory=dict)
    """Link -> target that was rolled back after it had become active."""
    origin: str = ""
    """Which list it was made from."""
    run: str = ""
    """Which run of Ansible changed it last."""

    def forget(self, journal: Journal) -> None:
        """Count all that a transaction may have touched as not loaded."""
        for unit in journal.touched:
            self.loaded.pop(unit, None)
        for words in map(shlex.join, journal.commands):
            # That the command belongs to our files stays known.
            if words in self.ran:
                self.ran[words] = {}

    def same(self, other: Manifest) -> bool:
        """Whether both mean the same; when they were written and folders that went meanwhile do not matter."""
        one, another = (dataclasses.replace(each, transaction="", run="", folders=[]) for each in (self, other))
        return one == another


@dataclass
class Journal(Record):
    """All that is needed to roll a transaction back, or to finish one that was committed."""

    LOSES = (
        "the changes of the interrupted run are then kept, and the old files remain beside the new ones"
        " (.NAME.pyhost-old)"
    )

    swaps: list[tuple[str, bool]] = field(default_factory=list)
    """Paths that change, and whether there was something before."""
    folders: list[str] = field(default_factory=list)
    """Folders that are made, parents first."""
    touched: dict[str, str] = field(default_factory=dict)
    """Unit -> verb."""
    commands: list[list[str]] = field(default_factory=list)
    brought: dict[str, Was] = field(default_factory=dict)
    """Units that were not ours."""
    dropped: list[str] = field(default_factory=list)
    retired: list[str] = field(default_factory=list)
    """Units of components that are replaced; they are among `brought`."""
    taken: dict[str, list[str]] = field(default_factory=dict)
    """Other components -> paths and units that move from their manifests to ours."""

    @property
    def paths(self) -> list[Path]:
        """Paths that change."""
        return [Path(path) for path, _content in self.swaps]


class Store:
    """The folder that has the records of all components."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = folder / ".lock"

    def manifest_path(self, component: str) -> Path:
        """Where a component's manifest is."""
        return self.folder / f"{component}.json"

    def journal_path(self, component: str) -> Path:
        """Where a component's journal is while a transaction is under way."""
        return self.folder / f"{component}.journal"

    def manifest(self, component: str) -> Manifest:
        """Return what a component owns; nothing when it has not run yet."""
        return Manifest.load(self.manifest_path(component)) or Manifest()

    def manifests(self) -> dict[str, Manifest]:
        """Return what each component owns."""
        return {path.stem: self.manifest(path.stem) for path in sorted(self.folder.glob("[a-z0-9_]*.json"))}

    def journals(self) -> dict[str, Journal]:
        """Return the transactions that were interrupted."""
        found = {path.stem: Journal.load(path) for path in sorted(self.folder.glob("[a-z0-9_]*.journal"))}
        return {component: journal for component, journal in found.items() if journal}

    def original_path(self, component: str, path: str) -> Path:
        """Where a file that was at a path before us is kept."""
        return self.folder / f"{component}.original" / path.lstrip("/")

    def original(self, component: str, path: str) -> Node | None:
        """Return the file that was at a path before us."""
        return look(self.original_path(component, path))

    def prune(self, component: str) -> None:
        """Remove originals that are in their place again."""
        files = self.manifest(component).files
        kept = {self.original_path(component, path) for path, known in files.items() if known.original}
        top = self.folder / f"{component}.original"
        for path in sorted(top.rglob("*"), reverse=True):
            if path.is_symlink() or not path.is_dir():
                if path not in kept:
                    path.unlink()
            elif not any(path.iterdir()):
                path.rmdir()
        if top.is_dir() and not any(top.iterdir()):
            top.rmdir()

    def sweep(self) -> None:
        """Remove records that an interrupted run has not finished writing."""
        for path in self.folder.glob(".*.pyhost-new"):
            path.unlink()
