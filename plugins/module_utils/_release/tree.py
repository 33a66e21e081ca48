# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Folders that another user made and that root takes over: nothing here follows a symbolic link of theirs."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from .._errors import PyhostError
from .._fs import Node, replace

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Opening a pipe must not wait for its other end.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

MOST_REPEATED = 10_000
"""So many files and folders may be published once more, by links to folders: a few links can name billions."""


class TreeError(PyhostError):
    """A file that must not be taken over or published; the text names it."""


def seal(folder: Path, uid: int, gid: int) -> None:
    """Gives a user's folder to root, readable for the group `gid`, writable for nobody else.

    What somebody has open for writing, or under another name, is replaced by a copy, which takes no more of the disk
    than the file did. Raises TreeError at the first file that does not belong to `uid`: it would be a hard link to
    somebody else's.
    """
    # Trees may be deeper than there are handles, and than the longest path: one handle goes down and up again. The way
    # up is safe, because nobody else can move what is in a folder of root.
    handle = os.open(folder, _FOLDER)
    try:
        path, pending = [str(folder)], [_take_folder(handle, str(folder), uid, gid)]
        with _copies(handle) as copies:
            while pending:
                if pending[-1]:
                    name = pending[-1].pop()
                    shown = "/".join((*path, name))
                    if not _seal_entry(handle, name, shown, uid, gid, copies):
                        continue
                    handle = _move(handle, name)
                    pending.append(_take_folder(handle, shown, uid, gid))
                    path.append(name)
                else:
                    pending.pop()
                    path.pop()
                    handle = _move(handle, "..") if pending else handle
    finally:
        os.close(handle)


@contextlib.contextmanager
def _copies(parent: int) -> Iterator[int]:
    """Yield a folder for one copy of each file, which the names of the file become links to; it goes at the end."""
    name = f".{secrets.token_hex(16)}"
    os.mkdir(name, 0o700, dir_fd=parent)
    handle = os.open(name, _FOLDER, dir_fd=parent)
    parent = os.dup(parent)
    try:
        yield handle
    finally:
        with os.scandir(handle) as made:
            for copy in made:
                os.unlink(copy.name, dir_fd=handle)
        os.close(handle)
        os.rmdir(name, dir_fd=parent)
        os.close(parent)


def _move(handle: int, name: str) -> int:
    there = os.open(name, _FOLDER, dir_fd=handle)
    os.close(handle)
    return there


def _take_folder(handle: int, shown: str, uid: int, gid: int) -> list[str]:
    """Takes over a folder and returns what is in it: from then on the user can put nothing else into it."""
    _take(handle, shown, uid, gid)
    return os.listdir(handle)


def _seal_entry(parent: int, name: str, shown: str, uid: int, gid: int, copies: int) -> bool:
    """Takes over a file or link; returns whether it is a folder, of which nothing is taken over yet."""
    info = os.stat(name, dir_fd=parent, follow_symlinks=False)
    if stat.S_ISLNK(info.st_mode):
        _check_owner(info, shown, uid)
        os.chown(name, 0, 0, dir_fd=parent, follow_symlinks=False)
    elif stat.S_ISREG(info.st_mode):
        handle = os.open(name, _FILE, dir_fd=parent)
        try:
            if _take_file(handle, shown, uid, gid, copies):
                _replace(parent, name, _copy(handle, copies, gid), copies)
        finally:
            os.close(handle)
    elif not stat.S_ISDIR(info.st_mode):
        raise TreeError(f"{shown} is not a file, folder or link, so a release must not contain it. Remove it.")
    return stat.S_ISDIR(info.st_mode)


def _take_file(handle: int, shown: str, uid: int, gid: int, copies: int) -> bool:
    """Takes over a file, unless it has other names; returns whether a copy has to take its place."""
    info = os.fstat(handle)
    _check_owner(info, shown, uid)
    # The last of its names has no other ones any more, but the copy is there.
    if info.st_nlink > 1 or os.access(_copy_name(info), os.F_OK, dir_fd=copies):
        return True
    _take(handle, shown, uid, gid)
    return _is_written(handle)


def _replace(parent: int, name: str, copy: str, copies: int) -> None:
    """Let a name stand for a copy from now on."""
    new = f".{secrets.token_hex(16)}"
    os.link(copy, new, src_dir_fd=copies, dst_dir_fd=parent)
    os.rename(new, name, src_dir_fd=parent, dst_dir_fd=parent)


def _copy(handle: int, copies: int, gid: int) -> str:
    """Return the name of the copy of a file in the folder `copies`; it is made for the first name of the file."""
    info = os.fstat(handle)
    name = _copy_name(info)
    with contextlib.suppress(FileExistsError):
        copy = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=copies)
        try:
            _copy_data(handle, copy, info.st_size)
            os.fchown(copy, 0, gid)
            os.fchmod(copy, _mode(info))
            # Compiled code remembers the time of its source.
            os.utime(copy, ns=(info.st_atime_ns, info.st_mtime_ns))
        finally:
            os.close(copy)
    return name


def _copy_name(info: os.stat_result) -> str:
    # A number is free again once the last name is replaced. Only a process of the user can put another file of the same
    # user under it, whose text is the user's in either case.
    return f"{info.st_dev}-{info.st_ino}"


def _copy_data(source: int, copy: int, size: int) -> None:
    """Copy a file's first bytes; where it has holes, so has the copy."""
    end = 0
    while (start := _seek(source, end, os.SEEK_DATA)) < size:
        end = min(_seek(source, start, os.SEEK_HOLE), size)
        # Where the file system can, both share their blocks.
        while start < end and (copied := os.copy_file_range(source, copy, end - start, start, start)):
            start += copied
    os.ftruncate(copy, size)


def _seek(handle: int, at: int, whence: int) -> int:
    """Return where the next data or hole begins; behind the last data, where no file can have any."""
    try:
        return os.lseek(handle, at, whence)
    except OSError as problem:
        if problem.errno != errno.ENXIO:
            raise
        return sys.maxsize


def _is_written(handle: int) -> bool:
    """Whether somebody may still have this file of root open for writing, or mapped."""
    # The kernel grants no lease then.
    try:
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError:
        # File systems without leases are among them.
        return True
    return False


def _check_owner(info: os.stat_result, path: str, uid: int) -> None:
    if info.st_uid != uid:
        raise TreeError(
            f"{path} belongs to the user ID {info.st_uid}, not to the application. It may be a hard link: replace it"
            " with a copy."
        )


def _mode(info: os.stat_result) -> int:
    return 0o750 if stat.S_ISDIR(info.st_mode) or info.st_mode & stat.S_IXUSR else 0o640


def _take(handle: int, path: str, uid: int, gid: int) -> None:
    info = os.fstat(handle)
    _check_owner(info, path, uid)
    os.fchown(handle, 0, gid)
    os.fchmod(handle, _mode(info))


def publish(code: Path, public: Path, paths: Iterable[str], allowed: Iterable[Path]) -> None:
    """Makes files and folders of a sealed release readable for all under `public`, by the same relative paths.

    Symbolic links are published as what they point to, which has to be in one of the folders `allowed`.
    Raises TreeError for what is missing, for links that lead elsewhere, and where links name too much again.
    """
    roots = [root.resolve() for root in allowed]
    _folder(public)
    todo: list[tuple[Path, Path, tuple[Path, ...]]] = []
    for path in paths:
        if not os.path.lexists(code / path):
            raise TreeError(
                f"static: '{path}' is neither in the code nor created by a setup step. For uploads, write an absolute"
                " path, such as /var/lib/pyhost/APP/media."
            )
        parent = public
        for part in Path(path).parts[:-1]:
            parent /= part
            _folder(parent)
        todo.append((code / path, public / path, ()))
    done: set[Path] = set()
    repeated = 0
    while todo:
        source, target, above = todo.pop()
        real = _published(source, roots, above)
        if real.is_dir():
            _folder(target)
            inside = [(entry, target / entry.name, (*above, real)) for entry in real.iterdir()]
            repeated += len(inside) + 1 if real in done else 0
            done.add(real)
            todo += inside
        elif not target.exists():
            # The same file twice costs no space; in the code folder nobody but the application's group reaches it.
            real.chmod(0o644)
            target.hardlink_to(real)
        if repeated > MOST_REPEATED:
            raise TreeError(
                f"static: links to folders, such as those on the way to {source}, publish more than"
                f" {MOST_REPEATED} files twice. Publish each folder once."
            )


def _folder(path: Path) -> None:
    path.mkdir(exist_ok=True)
    path.chmod(0o755)


def _published(source: Path, roots: list[Path], above: tuple[Path, ...]) -> Path:
    """Return the file or folder that is published for `source`, which lies in the last of those `above`."""
    if above and not source.is_symlink():
        return source
    try:
        real = source.resolve(strict=True)
    except (OSError, RuntimeError) as problem:
        if getattr(problem, "errno", None) == errno.ENAMETOOLONG:
            raise
        raise TreeError(
            f"static: the target of the link {source} does not exist. Create it in `setup`, or remove the link."
        ) from None
    if not any(real.is_relative_to(root) for root in roots) or real in above:
        raise TreeError(
            f"static: the link {source} leads out of the release or in a circle, to {real}. Replace it with a copy."
        )
    return real


def remove(path: Path) -> bool:
    """Removes a file, link or folder with all that is in it, however deep; returns whether there was one."""
    if path.is_dir() and not path.is_symlink():
        _tool("rm", "--recursive", "--force", "--", str(path))
        return True
    if os.path.lexists(path):
        path.unlink()
        return True
    return False


def _tool(name: str, *arguments: str) -> str:
    """Return what a tool of the system printed; of one that only complained, raises TreeError with that."""
    program = shutil.which(name) or name
    done = subprocess.run(
        [program, *arguments], capture_output=True, encoding="utf-8", errors="backslashreplace", check=False
    )
    if done.returncode and not done.stdout:
        raise TreeError(f"{name}: {done.stderr.strip()}")
    return done.stdout


def write(path: Path, text: str, mode: int) -> None:
    """Write a file so that after a crash there is all of it or nothing."""
    replace(path, Node(text.encode(), mode))


def link(path: Path, target: str) -> None:
    """Point a symbolic link to `target` in one step."""
    replace(path, Node(target.encode()))


def size(path: Path) -> int:
    """Returns the bytes of the disk that a folder takes with all in it; a file with several names counts once."""
    # Who runs as its user may remove a file meanwhile: du complains, and counts the others.
    return int(_tool("du", "--summarize", "--block-size=1", "--", str(path)).split()[0])
