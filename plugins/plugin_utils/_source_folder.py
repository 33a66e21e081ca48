# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Folders of the controller as sources of releases: what they contain, and how they travel."""

from __future__ import annotations

import hashlib
import os
import stat
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..module_utils._contents import file_digest, line
from ..module_utils._release.unpack import leads_out
from ._ignore import Ignore


class FolderError(Exception):
    """A folder that cannot be a source; the text says why."""


@dataclass
class Source:
    """All of a folder that belongs to the source, sorted, and what stays behind."""

    folder: Path
    entries: list[tuple[str, Path, os.stat_result]] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    """Names, with what leaves them out; folders end with a slash."""


def source(folder: Path) -> Source:
    """Return what a folder has; raise FolderError for what cannot travel."""
    found = Source(folder)
    ignore = Ignore(folder)
    links: dict[tuple[str, ...], str] = {}
    todo = [*_inside(folder, (), ignore)]
    while todo:
        path, parts = todo.pop()
        name = "/".join(parts)
        info = path.lstat()
        is_folder = stat.S_ISDIR(info.st_mode)
        why = ignore.why(parts, is_folder)
        if why == "built in":
            continue
        if why:
            found.left_out[f"{name}/" if is_folder else name] = why
            continue
        if stat.S_ISLNK(info.st_mode):
            links[parts] = str(path.readlink())
        elif is_folder:
            todo += _inside(path, parts, ignore)
        elif not stat.S_ISREG(info.st_mode):
            raise FolderError(f"'{name}' is not a file, folder or link. Remove it, or list it in .pyhostignore.")
        found.entries.append((name, path, info))
    for parts, target in links.items():
        if target.startswith("/") or leads_out(parts, links):
            raise FolderError(
                f"the link '{'/'.join(parts)}' leads out of the folder, to '{target}'. Replace it with a copy, or"
                " remove it."
            )
    return found


def _inside(folder: Path, parts: tuple[str, ...], ignore: Ignore) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Yield what is in a folder, the last one first: the caller takes it from the end."""
    ignore.enter(parts)
    for path in sorted(folder.iterdir(), key=lambda path: path.name, reverse=True):
        yield path, (*parts, path.name)


def digest(found: Source) -> str:
    """SHA-256 over names, kinds, x-bits and contents; times, owners and other modes do not count."""
    total = hashlib.sha256()
    for name, path, info in found.entries:
        if stat.S_ISLNK(info.st_mode):
            total.update(line(name, "link", str(path.readlink())))
        elif stat.S_ISDIR(info.st_mode):
            total.update(line(name, "folder"))
        else:
            total.update(line(name, "program" if info.st_mode & stat.S_IXUSR else "file", file_digest(path)))
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
    places = ", ".join(f"'{candidate}'" for candidate in dict.fromkeys(candidates))
    raise FolderError(f"'{origin}' does not exist on the controller. These paths were tried: {places}.")


def pack(found: Source, file: Path) -> None:
    """Writes the source as a tar.gz."""
    with tarfile.open(file, "w:gz", compresslevel=6, format=tarfile.PAX_FORMAT) as archive:
        for name, path, info in found.entries:
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
