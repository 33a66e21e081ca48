# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Applications that are not wanted any more: what is removed of them, and what stays."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from .._transaction.manifest import Store
from . import tree
from .accounts import Accounts, is_ours, is_retired
from .handover import account_of
from .release import Layout, is_name

_PATIENCE = 10.0
"""Seconds that processes may take to die, though nothing can keep them from it but the kernel."""


class Removal:
    """All but the data of the applications `absent`; of those in `purge` the data too, and their accounts are retired.

    `users` are accounts that other applications need.
    """

    def __init__(
        self,
        layout: Layout,
        absent: Iterable[str],
        purge: Iterable[str],
        users: Iterable[str],
        accounts: Accounts | None = None,
    ) -> None:
        self.layout = layout
        self.absent = list(dict.fromkeys(absent))
        self.purge = list(dict.fromkeys(purge))
        self.users = set(users)
        self.accounts = accounts or Accounts()
        self.sizes: dict[str, int] = {}
        """What the folders that went held, in bytes."""

    def problems(self, present: Iterable[str], *, is_check: bool = False) -> list[str]:
        """What forbids the removal; `present` are the names of applications that have to stay."""
        found = [f"absent: '{name}' is no name of an application" for name in self.absent if not is_name(name)]
        found += [f"absent: '{name}' is among apps too" for name in self.absent if name in set(present)]
        found += [f"purge: '{name}' is not in absent" for name in self.purge if name not in self.absent]
        return found + ([] if is_check else list(self._live()))

    def _live(self) -> Iterator[str]:
        """Yield which applications a back end still runs: it would start processes whose account is retired."""
        for part, manifest in Store(self.layout.state / ".manifest").manifests().items():
            for name in self.absent:
                if {f"pyhost-{name}.service", f"pyhost-{name}.socket"} & {*manifest.units} or (
                    f"{self.layout.app(name)}/current" in manifest.files
                ):
                    yield f"absent: '{name}' is still live on this host ({part}); run the playbook site without --tags"

    def remove(self, is_check: bool) -> list[str]:
        """Removes; returns the folders that went and the accounts that were retired (that would be).

        The data goes last: until then a run that was interrupted finds out again whose it was.
        """
        gone: list[str] = []
        for name in self.absent:
            self._remove((self.layout.app(name), self.layout.scratch(name)), gone, is_check=is_check)
        retired = self._to_retire()
        if not is_check:
            for name, uid in retired.items():
                end_processes(name, uid)
                self.accounts.retire(name)
        self._remove(map(self.layout.data, self.purge), gone, is_check=is_check)
        return [*gone, *(f"user {name}" for name in retired)]

    def _remove(self, folders: Iterable[Path], gone: list[str], *, is_check: bool) -> None:
        for folder in folders:
            if os.path.lexists(folder):
                gone.append(str(folder))
                self.sizes[str(folder)] = tree.size(folder)
                if not is_check:
                    tree.remove(folder)

    def _to_retire(self) -> dict[str, int]:
        """Return the accounts that only purged applications had, with their numbers: theirs is the data.

        An account that the role `app` did not make is somebody else's, whatever its name.
        """
        data = dict(self._owners())
        used = {uid for folder, uid in data.items() if folder not in self.purge}
        found = [account_of(data[name]) if name in data else None for name in self.purge]
        found += map(self.accounts.host.account, self.purge)
        return {
            account.pw_name: account.pw_uid
            for account in found
            if account
            and is_ours(account)
            and not is_retired(account)
            and account.pw_uid not in used
            and account.pw_name not in self.users
        }

    def _owners(self) -> Iterator[tuple[str, int]]:
        with contextlib.suppress(FileNotFoundError):
            for folder in self.layout.state.iterdir():
                yield folder.name, folder.lstat().st_uid


def processes(uid: int, proc: Path = Path("/proc")) -> list[str]:
    """Return the processes that have a user ID in any of its ways (real, effective, saved, of files)."""
    found = []
    for file in proc.glob("[0-9]*/status"):
        # A process may end while it is looked at.
        with contextlib.suppress(OSError):
            lines = dict(line.split(":", 1) for line in file.read_text("utf-8", "replace").splitlines() if ":" in line)
            if str(uid) in lines["Uid"].split() and lines["State"].split()[0] not in "ZX":
                found.append(f"{file.parent.name} ({ascii(lines['Name'].strip())[1:-1]})")
    return sorted(found)


def end_processes(name: str, uid: int) -> None:
    """Kills every process of an account; raises TreeError if any of them does not end.

    In one call of the kernel, and by that account itself: one that forks meanwhile does not get away.
    """
    end = time.monotonic() + _PATIENCE
    while left := processes(uid):
        if time.monotonic() > end:
            raise tree.TreeError(
                f"purge: processes of the account '{name}' do not end: {', '.join(left)}; end them, and run again"
            )
        # It may have as many processes as it can have; some of them end in a moment.
        with contextlib.suppress(OSError):
            subprocess.run(
                ["/bin/sh", "-c", "kill -KILL -1"], user=uid, group=_group(uid), extra_groups=[], cwd="/", env={},
                capture_output=True, check=False,
            )  # fmt: skip
        if processes(uid):
            time.sleep(0.2)


def _group(uid: int) -> int:
    """Return the primary group of an account; that of nobody where there is no such account."""
    account = account_of(uid)
    return account.pw_gid if account else 65534
