# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An application that gets another account: its data goes to the new one, and back if its release cannot be built.

Everything is told by the host itself: whose the data is, and which account the live release was built for. So an
interrupted run needs no notes, and the next one goes on from where it was.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import stat
import subprocess
import typing as t
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import tree
from .release import Layout

DEPTH = 200
"""Folders inside each other that are walked through: each one needs an open handle."""

_NAME = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC

Run = t.Callable[[Sequence[str]], str]


@dataclass(frozen=True)
class Ids:
    """The numbers of an account and of its group."""

    uid: int
    gid: int


def hand_over(folder: Path, old: Ids, new: Ids) -> None:
    """Give what belongs to `old` in a folder to `new`; what is somebody else's stays, and no link is followed.

    Raises TreeError, before anything has changed, for a file that also has a name outside of the folder: it may be
    another application's.
    """
    names: dict[tuple[int, int], int] = {}
    linked: dict[tuple[int, int], tuple[str, int]] = {}
    for _handle, info, path in _tour(folder):
        if not stat.S_ISDIR(info.st_mode) and old.uid == info.st_uid and info.st_nlink > 1:
            key = (info.st_dev, info.st_ino)
            names[key] = names.get(key, 0) + 1
            linked[key] = (path, info.st_nlink)
    for key, (path, count) in linked.items():
        if count > names[key]:
            raise _outside(path, folder)
    for handle, info, path in _tour(folder):
        if info.st_uid != old.uid and info.st_gid != old.gid:
            continue
        if not stat.S_ISDIR(info.st_mode) and info.st_nlink > names.get((info.st_dev, info.st_ino), 1):
            # It came meanwhile, or it is in the old account's group, but not its own.
            if info.st_uid != old.uid:
                continue
            raise _outside(path, folder)
        # Through the handle: what has taken the place of the name meanwhile is not touched.
        os.chown(
            f"/proc/self/fd/{handle}",
            new.uid if info.st_uid == old.uid else -1,
            new.gid if info.st_gid == old.gid else -1,
        )
        if path == str(folder):
            _close(handle)


def _outside(path: str, folder: Path) -> tree.TreeError:
    return tree.TreeError(
        f"user: {_shown(path)} has a hard link outside {folder}, so it may belong to another application."
        " Replace it with a copy, or remove it."
    )


def _close(handle: int) -> None:
    """Let nobody but its owner and the front end into a data folder, whatever the old account allowed."""
    with contextlib.suppress(OSError):
        os.removexattr(f"/proc/self/fd/{handle}", "system.posix_acl_access")
    Path(f"/proc/self/fd/{handle}").chmod(0o710)


def _tour(folder: Path) -> Iterator[tuple[int, os.stat_result, str]]:
    """Yield a handle of a folder and of all in it, with what it is and how it is shown; a folder before its content."""
    handle = os.open(folder, _FOLDER | os.O_NOFOLLOW)
    try:
        yield from _inside(handle, str(folder), 0)
    finally:
        os.close(handle)


def _inside(handle: int, shown: str, depth: int) -> Iterator[tuple[int, os.stat_result, str]]:
    if depth > DEPTH:
        top = _shown(shown)[:200]
        raise tree.TreeError(
            f"user: {top}… is nested more than {DEPTH} folders deep. Remove the folders below that depth."
        )
    yield handle, os.fstat(handle), shown
    with os.scandir(handle) as entries:
        names = [entry.name for entry in entries]
    for name in names:
        try:
            inner = os.open(name, _NAME, dir_fd=handle)
        except FileNotFoundError:
            continue
        try:
            info = os.fstat(inner)
            if not stat.S_ISDIR(info.st_mode):
                yield inner, info, f"{shown}/{name}"
                continue
            listed = os.open(f"/proc/self/fd/{inner}", _FOLDER)
        finally:
            os.close(inner)
        try:
            yield from _inside(listed, f"{shown}/{name}", depth + 1)
        finally:
            os.close(listed)


def _shown(path: str) -> str:
    return path.encode("utf-8", "backslashreplace").decode()


def regroup(release: Path, gid: int) -> None:
    """Let the group `gid` read a sealed release in place of the group that it was sealed for."""
    try:
        old = (release / "code").stat().st_gid
    except FileNotFoundError:
        return
    if old == gid:
        return
    for part in (release / "venv", release / "code"):
        if part.is_symlink() or not part.is_dir():
            continue
        for handle, info, path in _tour(part):
            if info.st_uid == 0 and info.st_gid == old and path != str(part):
                os.chown(f"/proc/self/fd/{handle}", -1, gid)
        # Last: it tells whether this has been done.
        os.chown(part, -1, gid, follow_symlinks=False)


def owner(folder: Path) -> Ids | None:
    """Return whose a folder is; None where there is none."""
    try:
        info = folder.lstat()
    except FileNotFoundError:
        return None
    account = account_of(info.st_uid)
    return Ids(info.st_uid, account.pw_gid if account else info.st_uid)


def account_of(uid: int) -> pwd.struct_passwd | None:
    """Return the account with that number."""
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        return None


def systemctl(words: Sequence[str]) -> str:
    """Run systemctl; return what it prints, raise TreeError with its words if it fails."""
    done = subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise tree.TreeError(f"user: systemctl {words[0]} failed: {done.stderr.strip()}")
    return done.stdout


class Handover:
    """The applications `accounts` (name to user) whose data is another account's than theirs."""

    def __init__(self, layout: Layout, accounts: Mapping[str, str], run: Run = systemctl) -> None:
        self.layout = layout
        self.run = run
        self.accounts = dict(accounts)
        self.stopped: list[str] = []
        """Applications that were stopped."""

    def problems(self) -> list[str]:
        """Return which applications change their account where nothing but their release may change."""
        return [
            f"app {name}: user: the application still runs as '{_name(old.uid)}'. Run pyhost.web.site to move it to the"
            f" account '{self.accounts[name]}'."
            for name, old, _new in self._changes()
        ]

    def begin(self) -> list[str]:
        """Stop the applications whose account changes, and give them their data; return what hinders it, by line.

        What old builds left in the caches is not trusted by the new account, so it goes.
        """
        problems = []
        for name, old, new in list(self._changes()):
            self.stopped.append(name)
            try:
                self.run(["stop", "--", f"pyhost-{name}.*"])
                hand_over(self.layout.data(name), old, new)
            except (tree.TreeError, OSError) as problem:
                problems.append(f"app {name}: {problem}")
        for name in self.accounts:
            account, cache = self._wanted(name), owner(self.layout.scratch(name))
            if account and cache and cache.uid != account.uid:
                tree.remove(self.layout.scratch(name))
            if account and owner(self.layout.data(name)) == Ids(0, 0):
                os.chown(self.layout.data(name), account.uid, -1, follow_symlinks=False)
        return problems

    def undo(self, names: Iterable[str]) -> None:
        """Give the data of these applications back to the accounts of their live releases, and let these run again."""
        for name in set(names).intersection(self.accounts):
            now, live = owner(self.layout.data(name)), self._live(name)
            is_theirs = not (now and live) or now.uid in (0, live.uid)
            if now and live and not is_theirs:
                hand_over(self.layout.data(name), now, live)
            if live and (name in self.stopped or not is_theirs):
                units = self.run(["list-unit-files", "--plain", "--no-legend", "--state=enabled", f"pyhost-{name}.*"])
                names = [line.split()[0] for line in units.splitlines() if line.strip()]
                own = [unit for unit in names if "@." not in unit]
                if own:
                    self.run(["start", *own])

    def forsaken(self) -> list[str]:
        """Return the names of the accounts that live releases were built for, and that have no data any more.

        Their processes are left alone: an Apache that runs live releases may have some until it gets the new ones, and
        would start them again. None of them reaches the data any more.
        """
        folders = list(self.layout.state.iterdir()) if self.layout.state.is_dir() else []
        used = {folder.lstat().st_uid for folder in folders}
        used |= {ids.uid for name in self.accounts if (ids := self._wanted(name))}
        live = {ids.uid for name in self.accounts if (ids := self._live(name))}
        accounts = [account_of(uid) for uid in sorted(live - used)]
        return [account.pw_name for account in accounts if account]

    def fit(self, releases: Iterable[tuple[str, str]]) -> None:
        """Let the account of each application read that release of it, whichever one it was built for."""
        for name, release in releases:
            ids = self._wanted(name) if name in self.accounts else self._live(name)
            if ids and release:
                regroup(self.layout.releases(name) / release, ids.gid)

    def _changes(self) -> Iterator[tuple[str, Ids, Ids]]:
        for name in self.accounts:
            old, new = owner(self.layout.data(name)), self._wanted(name)
            if old and new and old.uid not in (0, new.uid):
                yield name, old, new

    def _wanted(self, name: str) -> Ids | None:
        try:
            account = pwd.getpwnam(self.accounts[name])
        except KeyError:
            return None
        return Ids(account.pw_uid, account.pw_gid)

    def _live(self, name: str) -> Ids | None:
        """Return the account that the live release was built for: the one with the name of its group."""
        try:
            group = grp.getgrgid((self.layout.app(name) / "current" / "code").stat().st_gid)
            account = pwd.getpwnam(group.gr_name)
        except (OSError, KeyError):
            return None
        return Ids(account.pw_uid, account.pw_gid)


def _name(uid: int) -> str:
    account = account_of(uid)
    return account.pw_name if account else str(uid)
