# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Unpacks an archive. Runs on the host as a program of its own, with the application's rights and interpreter.

python _unpack.py ARCHIVE FOLDER [--strip]
"""

from __future__ import annotations

import functools
import os
import shutil
import stat
import sys
import tarfile
import typing as t
import zipfile
from dataclasses import dataclass
from pathlib import Path

DEEPEST = 200
MOST_LINKS = 40
"""The kernel follows no more on one way, so what lies behind them is out of reach."""


class Refused(Exception):
    """The archive has a member that may not be unpacked."""


@dataclass
class Member:
    """A file (with `open`), a link (with `target`) or a folder (with neither) of an archive."""

    parts: list[str]
    is_program: bool = False
    time: float | None = None
    target: str = ""
    open: t.Callable[[], t.IO[bytes]] | None = None


def unpack(path: Path, folder: Path, strip: bool) -> None:
    """Unpacks a tar or zip archive into an existing folder; with `strip` without a single folder at its top.

    Raises Refused before anything is written, or at the first damaged member; OSError where the folder takes no more.
    """
    try:
        if tarfile.is_tarfile(path):
            with tarfile.open(path) as tar:
                _write(list(_tar(tar)), folder, strip)
        elif zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                _write(list(_zip(archive)), folder, strip)
        else:
            raise Refused("the file is not a tar or zip archive")
    except (Refused, OSError):
        raise
    except Exception as problem:
        # What tarfile, zipfile and their decompressors raise for nonsense is not listed anywhere.
        raise Refused(f"the file is damaged ({problem})") from problem


def _tar(archive: tarfile.TarFile) -> t.Iterator[Member]:
    for info in archive:
        member = Member(_parts(info.name), bool(info.mode & stat.S_IXUSR), info.mtime)
        if info.issym():
            member.target = info.linkname
        elif info.isreg() or info.islnk():
            # A hard link's content is that of the member which it names.
            _parts(info.linkname)
            member.open = functools.partial(_content, archive, info)
        elif not info.isdir():
            raise Refused(f"member {info.name!r} is not a file, folder or link")
        yield member


def _content(archive: tarfile.TarFile, info: tarfile.TarInfo) -> t.IO[bytes]:
    content = archive.extractfile(info)
    if content is None:
        raise Refused(f"member {info.name!r} is a hard link to something that is not a file")
    return content


def _zip(archive: zipfile.ZipFile) -> t.Iterator[Member]:
    for info in archive.infolist():
        mode = info.external_attr >> 16
        member = Member(_parts(info.filename), bool(mode & stat.S_IXUSR))
        if stat.S_ISLNK(mode):
            member.target = archive.read(info).decode("utf-8")
        elif stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise Refused(f"member {info.filename!r} is not a file, folder or link")
        elif not info.is_dir():
            member.open = functools.partial(archive.open, info)
        yield member


def _parts(name: str) -> list[str]:
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts or "\0" in name:
        raise Refused(f"member {name!r} leads out of the archive's folder")
    if len(parts) > DEEPEST:
        raise Refused(f"member {name[:80]!r}… is more than {DEEPEST} folders deep")
    return parts


def _write(members: list[Member], folder: Path, strip: bool) -> None:
    members = [member for member in members if member.parts]
    is_file_on_top = any(len(member.parts) == 1 and (member.open or member.target) for member in members)
    if strip and not is_file_on_top and len({member.parts[0] for member in members}) == 1:
        for member in members:
            del member.parts[0]
    links = {tuple(member.parts): member.target for member in members if member.target}
    for parts, target in links.items():
        if leads_out(parts, links):
            raise Refused(f"link {'/'.join(parts)!r} leads out of the archive's folder, to {target!r}")
    for member in members:
        path = folder.joinpath(*member.parts)
        parent = path.parent if member.open or member.target else path
        parent.mkdir(parents=True, exist_ok=True)
        if member.open:
            with member.open() as source, path.open("wb") as file:
                shutil.copyfileobj(source, file)
            path.chmod(stat.S_IRWXU if member.is_program else stat.S_IRUSR | stat.S_IWUSR)
            if member.time is not None:
                os.utime(path, (member.time, member.time))
    # Made last, so that no other member can be written through one of them.
    for member in members:
        if member.target:
            folder.joinpath(*member.parts).symlink_to(member.target)


def leads_out(link: tuple[str, ...], links: t.Mapping[tuple[str, ...], str]) -> bool:
    """Return whether a link leaves the folder in which `links` are, on its way through the other ones."""
    where: list[str] = []
    todo = [*reversed(link)]
    followed = 0
    while todo:
        part = todo.pop()
        if part == "..":
            if not where:
                return True
            where.pop()
        elif part not in ("", "."):
            where.append(part)
        target = links.get(tuple(where))
        if target is None or part in ("", ".", ".."):
            continue
        if target.startswith("/"):
            return True
        followed += 1
        if followed > MOST_LINKS:
            return False
        where.pop()
        todo += reversed(target.split("/"))
    return False


if __name__ == "__main__":
    try:
        unpack(Path(sys.argv[1]), Path(sys.argv[2]), "--strip" in sys.argv[3:])
    except (Refused, OSError) as problem:
        raise SystemExit(f"the archive cannot be unpacked: {problem}") from None
