# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Folders of the controller as sources of releases: what they contain, and how they travel."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

EXCLUDED = frozenset((".git", ".hg", ".svn", "__pycache__", ".venv", ".tox", "node_modules"))


class FolderError(Exception):
    """A folder that cannot be a source; the text says why."""


def entries(folder: Path) -> Iterator[tuple[str, Path, os.stat_result]]:
    """All that belongs to the source, sorted: relative name, path, status.

    Raises FolderError for what cannot travel.
    """

    def visit(where: Path, prefix: str) -> Iterator[tuple[str, Path, os.stat_result]]:
        for path in sorted(where.iterdir(), key=lambda path: path.name):
            if path.name in EXCLUDED or path.name.endswith(".pyc"):
                continue
            name = f"{prefix}{path.name}"
            info = path.lstat()
            if stat.S_ISLNK(info.st_mode):
                _check_link(name, str(path.readlink()))
            elif not stat.S_ISDIR(info.st_mode) and not stat.S_ISREG(info.st_mode):
                raise FolderError(f"'{name}' is no file, folder or link")
            yield name, path, info
            if stat.S_ISDIR(info.st_mode):
                yield from visit(path, f"{name}/")

    yield from visit(folder, "")


def _check_link(name: str, target: str) -> None:
    where = os.path.normpath("/".join([*name.split("/")[:-1], target]))
    if target.startswith("/") or where == ".." or where.startswith("../"):
        raise FolderError(f"the link '{name}' leads out of the folder, to '{target}'")


def digest(folder: Path) -> str:
    """SHA-256 over names, kinds, x-bits and contents; times, owners and other modes do not count."""
    total = hashlib.sha256()
    for name, path, info in entries(folder):
        if stat.S_ISLNK(info.st_mode):
            what = ["link", str(path.readlink())]
        elif stat.S_ISDIR(info.st_mode):
            what = ["folder"]
        else:
            what = ["program" if info.st_mode & stat.S_IXUSR else "file", file_digest(path)]
        total.update(json.dumps([name, *what]).encode("utf-8") + b"\n")
    return total.hexdigest()


def find(origin: str, folders: Sequence[Path]) -> Path:
    """A path as users expect it: beside the inventory, else beside the playbook (the ``folders``, in that order).

    Raises FolderError where there is none.
    """
    path = Path(origin).expanduser()
    candidates = [folder / path for folder in folders] or [path]
    for candidate in candidates:
        if candidate.exists():
            return candidate
    places = " or ".join(f"'{candidate}'" for candidate in dict.fromkeys(candidates))
    raise FolderError(f"'{origin}' does not exist on the controller; looked for {places}")


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def pack(folder: Path, file: Path) -> None:
    """Writes the source as a tar.gz."""
    with tarfile.open(file, "w:gz", compresslevel=6, format=tarfile.PAX_FORMAT) as archive:
        for name, path, info in entries(folder):
            member = tarfile.TarInfo(name)
            member.mtime = int(info.st_mtime)
            member.mode = 0o755 if info.st_mode & stat.S_IXUSR else 0o644
            if stat.S_ISLNK(info.st_mode):
                member.type, member.linkname = tarfile.SYMTYPE, str(path.readlink())
                archive.addfile(member)
            elif stat.S_ISDIR(info.st_mode):
                member.type = tarfile.DIRTYPE
                archive.addfile(member)
            else:
                with path.open("rb") as content:
                    # Of the open file: its size may have changed since it was listed.
                    member.size = os.fstat(content.fileno()).st_size
                    archive.addfile(member, content)
