# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files and symbolic links: read, and replaced in one step.

Private to the collection.
"""

from __future__ import annotations

import contextlib
import os
import stat
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ._errors import PyhostError

MANAGED = "Managed by Ansible (pyhost.web)"
"""How a file says that it is ours; such a file is never taken for the distribution's own."""


@dataclass(frozen=True)
class Node:
    """What is, or shall be, at a path: a regular file, or a symbolic link (whose `mode` is None)."""

    data: bytes
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None

    @property
    def text(self) -> str:
        """The content, or the link's target, as a diff shows it."""
        text = self.data.decode(errors="replace")
        return f"-> {text}\n" if self.mode is None else text

    @property
    def private(self) -> bool:
        """Whether not everybody may read it."""
        return self.mode is not None and not self.mode & stat.S_IROTH


def look(path: Path) -> Node | None:
    """Return what is at the path, None where there is nothing; a folder, a device and the like is an error."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        raise PyhostError(f"{path}: a folder above it is a file. Remove that file.") from None
    if stat.S_ISLNK(found.st_mode):
        return Node(os.fsencode(path.readlink()))
    if stat.S_ISREG(found.st_mode):
        return Node(path.read_bytes(), stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid)
    kind = "a folder" if stat.S_ISDIR(found.st_mode) else "a device, pipe or socket"
    raise PyhostError(f"{path}: this is {kind}, but must be a file or a symbolic link. Remove it.")


def new(path: Path) -> Path:
    """Return where the successor of a file waits; a dot in front, so that no server's `include` sees it."""
    return path.with_name(f".{path.name}.pyhost-new")


def old(path: Path) -> Path:
    """Return where the predecessor of a file is kept until its successor has proved itself."""
    return path.with_name(f".{path.name}.pyhost-old")


def write(path: Path, node: Node, durable: bool = True) -> None:
    """Make a file or link that is not there yet; `durable`: return only when the content of a file is on the disk."""
    if node.mode is None:
        path.symlink_to(os.fsdecode(node.data))
        return
    # Nobody may open it before owner and mode are right.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            if node.uid is not None and node.gid is not None:
                os.fchown(handle, node.uid, node.gid)
            os.fchmod(handle, node.mode)
            file.write(node.data)
            file.flush()
            if durable:
                os.fsync(handle)
    except OSError as error:
        # What fails on a handle does not know its name.
        raise OSError(error.errno, error.strerror, str(path)) from error


def replace(path: Path, node: Node) -> None:
    """Put a file or link in place in one step, complete after a crash too; folders above it are made."""
    make_folders(missing_folders([path]))
    new(path).unlink(missing_ok=True)
    try:
        write(new(path), node)
    except OSError:
        new(path).unlink(missing_ok=True)
        raise
    new(path).rename(path)
    sync([path.parent])


def missing_folders(paths: t.Iterable[Path], is_folder: t.Callable[[Path], bool] = Path.is_dir) -> list[Path]:
    """Return the folders that have to be made for these paths, parents first."""
    checked: set[Path] = set()
    missing: set[Path] = set()
    for path in paths:
        for folder in path.parents:
            if folder in checked:
                break
            checked.add(folder)
            if is_folder(folder):
                break
            missing.add(folder)
    return sorted(missing)


def make_folders(folders: t.Iterable[Path], mode: int = 0o755) -> None:
    """Make folders whatever the umask; `folders` has parents first."""
    for folder in folders:
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(mode)
        sync([folder.parent])


def remove_folders(folders: t.Iterable[Path]) -> None:
    """Remove those folders that are empty."""
    for folder in sorted(folders, reverse=True):
        # Somebody else's file in it, or somebody else removed it: not ours to judge.
        with contextlib.suppress(OSError):
            folder.rmdir()


def sync(folders: t.Iterable[Path]) -> None:
    """Make what was named, renamed or removed in these folders survive a crash; a folder that is gone needs nothing."""
    for folder in set(folders):
        with contextlib.suppress(FileNotFoundError):
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
