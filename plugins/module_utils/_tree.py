# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Folders that another user made and that root takes over: nothing here follows a symbolic link of theirs."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Opening a pipe must not wait for its other end.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class TreeError(Exception):
    """A file that must not be taken over or published; the text names it."""


def seal(folder: Path, uid: int, gid: int) -> None:
    """Gives a user's folder to root, readable for the group `gid`, writable for nobody else.

    Raises TreeError at the first file that does not belong to `uid`: it would be a hard link to somebody else's.
    """
    handle = os.open(folder, _FOLDER)
    try:
        _seal(handle, str(folder), uid, gid)
    finally:
        os.close(handle)


def _seal(handle: int, shown: str, uid: int, gid: int) -> None:
    # The folder comes first: from then on the user can put nothing else into it.
    _take(handle, shown, uid, gid)
    with os.scandir(handle) as entries:
        names = [entry.name for entry in entries]
    for name in names:
        path = f"{shown}/{name}"
        info = os.stat(name, dir_fd=handle, follow_symlinks=False)
        if stat.S_ISLNK(info.st_mode):
            _check_owner(info, path, uid)
            os.chown(name, 0, 0, dir_fd=handle, follow_symlinks=False)
        elif stat.S_ISDIR(info.st_mode):
            inner = os.open(name, _FOLDER, dir_fd=handle)
            try:
                _seal(inner, path, uid, gid)
            finally:
                os.close(inner)
        elif stat.S_ISREG(info.st_mode):
            inner = os.open(name, _FILE, dir_fd=handle)
            try:
                _take(inner, path, uid, gid)
            finally:
                os.close(inner)
        else:
            raise TreeError(f"{path} is no file, folder or link; a release must not contain it")


def _check_owner(info: os.stat_result, path: str, uid: int) -> None:
    if info.st_uid != uid:
        raise TreeError(f"{path} belongs to the user ID {info.st_uid}, not to the application; it may be a hard link")


def _take(handle: int, path: str, uid: int, gid: int) -> None:
    info = os.fstat(handle)
    _check_owner(info, path, uid)
    is_open = stat.S_ISDIR(info.st_mode) or info.st_mode & stat.S_IXUSR
    os.fchown(handle, 0, gid)
    os.fchmod(handle, 0o750 if is_open else 0o640)


def publish(code: Path, public: Path, paths: Iterable[str], allowed: Iterable[Path]) -> None:
    """Makes files and folders of a sealed release readable for all under `public`, by the same relative paths.

    Symbolic links are published as what they point to, which has to be in one of the folders `allowed`.
    Raises TreeError for what is missing and for links that lead elsewhere.
    """
    roots = [root.resolve() for root in allowed]
    _folder(public)
    for path in paths:
        if not os.path.lexists(code / path):
            raise TreeError(f"static: '{path}' is neither in the code nor made by a setup step")
        parent = public
        for part in Path(path).parts[:-1]:
            parent /= part
            _folder(parent)
        _publish(code / path, public / path, roots, ())


def _folder(path: Path) -> None:
    path.mkdir(exist_ok=True)
    path.chmod(0o755)


def _publish(source: Path, target: Path, roots: list[Path], above: tuple[Path, ...]) -> None:
    try:
        real = source.resolve(strict=True)
    except (OSError, RuntimeError):
        raise TreeError(f"static: the link {source} leads nowhere") from None
    if not any(real.is_relative_to(root) for root in roots) or real in above:
        raise TreeError(f"static: the link {source} leads out of the release or in a circle, to {real}")
    if real.is_dir():
        _folder(target)
        for entry in sorted(real.iterdir()):
            _publish(entry, target / entry.name, roots, (*above, real))
    elif not target.exists():
        # The same file twice costs no space; in the code folder nobody but the application's group reaches it.
        real.chmod(0o644)
        target.hardlink_to(real)


def remove(path: Path) -> bool:
    """Removes a file, link or folder with all that is in it; returns whether there was one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
        return True
    if os.path.lexists(path):
        path.unlink()
        return True
    return False


def write(path: Path, text: str, mode: int) -> None:
    """Writes a file so that after a crash there is all of it or nothing."""
    new = path.with_name(f"{path.name}.new")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)
    sync(path.parent)


def link(path: Path, target: str) -> None:
    """Points a symbolic link to `target` in one step."""
    new = path.with_name(f"{path.name}.new")
    remove(new)
    new.symlink_to(target)
    new.rename(path)
    sync(path.parent)


def sync(folder: Path) -> None:
    """Brings a folder's entries to the disk."""
    handle = os.open(folder, _FOLDER)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def size(path: Path) -> int:
    """Returns the bytes of the disk that a folder takes with all in it; a file with several names counts once."""
    found = [path.lstat()]
    for _folder, folders, files, handle in os.fwalk(path):
        for name in (*folders, *files):
            # Who runs as its user may remove a file meanwhile.
            with contextlib.suppress(FileNotFoundError):
                found.append(os.stat(name, dir_fd=handle, follow_symlinks=False))
    return sum({(info.st_dev, info.st_ino): info.st_blocks * 512 for info in found}.values())
