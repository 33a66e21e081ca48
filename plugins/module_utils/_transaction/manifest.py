# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host remembers: what each part owns, and the transaction that is under way.

Private to the collection.
"""

from __future__ import annotations

import dataclasses
import itertools
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

FILE: dict[str, t.Any] = {
    "unit": str | None, "verb": str | None, "secret": bool, "absent": bool, "original": bool,
}  # fmt: skip
"""What a manifest has of a file; what is missing there is None or false."""


def _misfit(value: t.Any, kind: t.Any, where: str) -> str:
    """Return where a value of JSON is not of a type, which is made of str, bool, None, dict, list and tuple."""
    outer, inner = t.get_origin(kind), t.get_args(kind)
    if outer is dict:
        members = [(member, inner[1], f"{where}.{key}") for key, member in value.items()] if isinstance(
            value, dict) else None
    elif outer in (list, tuple):
        kinds = itertools.repeat(inner[0]) if outer is list else inner
        fits = isinstance(value, list) and (outer is list or len(value) == len(inner))
        pairs = zip(value, kinds, strict=False) if fits else ()
        members = [(*pair, f"{where}[{index}]") for index, pair in enumerate(pairs)] if fits else None
    else:
        members = [] if kind is t.Any or isinstance(value, kind) else None
    if members is None:
        return f"{where} is {type(value).__name__}"
    return next(filter(None, (_misfit(*member) for member in members)), "")


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
            values = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except (ValueError, RecursionError) as error:
            raise cls._damaged(path, str(error)) from error
        kinds = {name: kind for name, kind in t.get_type_hints(cls).items() if t.get_origin(kind) is not t.ClassVar}
        if not isinstance(values, dict):
            raise cls._damaged(path, f"it is {type(values).__name__}")
        wrong = [f"{name} is unknown" for name in values if name not in kinds]
        wrong += [words for name in values if name in kinds and (words := _misfit(values[name], kinds[name], name))]
        wrong = wrong or list(cls._wrong(values))
        if wrong:
            raise cls._damaged(path, wrong[0])
        return cls(**values)

    @classmethod
    def _wrong(cls, _values: dict[str, t.Any]) -> t.Iterator[str]:
        """Yield what types do not tell; may fill in what is missing."""
        yield from ()

    @classmethod
    def _damaged(cls, path: Path, why: str) -> PyhostError:
        return PyhostError(
            f"{path}: is damaged ({one_line(why)}); nothing was changed. Restore it from a backup, or move it away and "
            f"run again: {cls.LOSES}")

    @property
    def node(self) -> Node:
        """The file."""
        text = json.dumps(dataclasses.asdict(self), indent=1, sort_keys=True)
        return Node(f"{text}\n".encode(), 0o600, os.geteuid(), os.getegid())

    def save(self, path: Path) -> None:
        """Write it."""
        replace(path, self.node)


def _by_path(digests: dict[str, t.Any]) -> dict[str, t.Any]:
    return {key: paths for key, paths in digests.items() if isinstance(paths, dict)}


@dataclass
class Manifest(Record):
    """What a part owns, and what of it is in service."""

    LOSES = "files of this part that nobody wants any more then stay, and units that it has are restarted"

    files: dict[str, dict[str, t.Any]] = field(default_factory=dict)
    """Path -> `unit`, `verb`, `secret`, `absent` (nothing shall be there), `original` (what was there comes back)."""
    folders: list[str] = field(default_factory=list)
    """Folders that were made for the files."""
    units: list[str] = field(default_factory=list)
    loaded: dict[str, dict[str, t.Any]] = field(default_factory=dict)
    """Unit -> verb -> path -> digest of the file that the unit had when it last did that."""
    ran: dict[str, t.Any] = field(default_factory=dict)
    """Command -> path -> digest of the file when it last ran."""
    refused: dict[str, str] = field(default_factory=dict)
    """Link -> target that had to be taken back when part of this was put in service."""

    def __post_init__(self) -> None:
        """Take what the first versions noted, one digest of all files, for not loaded."""
        self.loaded = {unit: _by_path(verbs) for unit, verbs in self.loaded.items()}
        self.ran = _by_path(self.ran)

    @classmethod
    def _wrong(cls, values: dict[str, t.Any]) -> t.Iterator[str]:
        for path, entry in values.get("files", {}).items():
            for key, kind in FILE.items():
                value = entry.setdefault(key, None if isinstance(None, kind) else False)
                if not isinstance(value, kind):
                    yield f"files.{path}.{key} is {type(value).__name__}"

    def forget(self, journal: Journal) -> None:
        """Take all that a transaction may have touched for not loaded."""
        for unit in journal.touched:
            self.loaded.pop(unit, None)
        for words in map(shlex.join, journal.commands):
            # That the command belongs to our files stays known.
            if words in self.ran:
                self.ran[words] = {}

    def same(self, other: Manifest) -> bool:
        """Whether both mean the same; folders that went meanwhile do not matter."""
        return dataclasses.replace(self, transaction="", folders=[]) == \
            dataclasses.replace(other, transaction="", folders=[])


@dataclass
class Journal(Record):
    """All that is needed to take a transaction back, or to finish one that was committed."""

    LOSES = "what the interrupted run changed then stays, with the old files beside the new (.NAME.pyhost-old)"

    swaps: list[tuple[str, bool]] = field(default_factory=list)
    """Paths that change, and whether there was something before."""
    folders: list[str] = field(default_factory=list)
    """Folders that are made, parents first."""
    touched: dict[str, str] = field(default_factory=dict)
    """Unit -> verb."""
    commands: list[list[str]] = field(default_factory=list)
    brought: dict[str, dict[str, bool]] = field(default_factory=dict)
    """Units that were not ours -> whether they were `up`, `enabled`, `masked`."""
    dropped: list[str] = field(default_factory=list)
    retired: list[str] = field(default_factory=list)
    """Units of parts that are replaced; they are among `brought`."""
    taken: dict[str, list[str]] = field(default_factory=dict)
    """Other parts -> paths and units that move from their manifests to ours."""

    @property
    def paths(self) -> list[Path]:
        """Paths that change."""
        return [Path(path) for path, _content in self.swaps]


class Store:
    """The folder that has the records of all parts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = folder / ".lock"

    def manifest_path(self, part: str) -> Path:
        """Where a part's manifest is."""
        return self.folder / f"{part}.json"

    def journal_path(self, part: str) -> Path:
        """Where a part's journal is while a transaction is under way."""
        return self.folder / f"{part}.journal"

    def manifest(self, part: str) -> Manifest:
        """Return what a part owns; nothing when it has not run yet."""
        return Manifest.load(self.manifest_path(part)) or Manifest()

    def manifests(self) -> dict[str, Manifest]:
        """Return what each part owns."""
        return {path.stem: self.manifest(path.stem) for path in sorted(self.folder.glob("[a-z0-9_]*.json"))}

    def journals(self) -> dict[str, Journal]:
        """Return the transactions that were killed."""
        found = {path.stem: Journal.load(path) for path in sorted(self.folder.glob("[a-z0-9_]*.journal"))}
        return {part: journal for part, journal in found.items() if journal}

    def original_path(self, part: str, path: str) -> Path:
        """Where that which was at a path before us is kept."""
        return self.folder / f"{part}.original" / path.lstrip("/")

    def original(self, part: str, path: str) -> Node | None:
        """Return what was at a path before us."""
        return look(self.original_path(part, path))

    def prune(self, part: str) -> None:
        """Remove originals that are in their place again."""
        files = self.manifest(part).files
        kept = {self.original_path(part, path) for path, entry in files.items() if entry["original"]}
        top = self.folder / f"{part}.original"
        for path in sorted(top.rglob("*"), reverse=True):
            if path.is_symlink() or not path.is_dir():
                if path not in kept:
                    path.unlink()
            elif not any(path.iterdir()):
                path.rmdir()
        if top.is_dir() and not any(top.iterdir()):
            top.rmdir()

    def sweep(self) -> None:
        """Remove records that a killed run has not finished writing."""
        for path in self.folder.glob(".*.pyhost-new"):
            path.unlink()
