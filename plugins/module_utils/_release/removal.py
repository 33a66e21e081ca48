# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Applications that are not wanted any more: what is removed of them, and what stays."""

from __future__ import annotations

import contextlib
import os
import pwd
from collections.abc import Iterable, Iterator
from pathlib import Path

from .._transaction.manifest import Store
from . import tree
from .accounts import Accounts, is_ours, is_retired
from .handover import account_of
from .processes import end_processes, processes
from .release import Layout, is_name


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
        found = [f"absent: '{name}' is not a valid name of an application" for name in self.absent if not is_name(name)]
        found += [
            f"absent: '{name}' is in apps too. Remove it from one of the two."
            for name in self.absent
            if name in set(present)
        ]
        found += [f"purge: '{name}' is not in absent. Add it there." for name in self.purge if name not in self.absent]
        return found + ([] if is_check else list(self._live()))

    def _live(self) -> Iterator[str]:
        """Yield which applications a back end still runs: it would start processes whose account is retired."""
        for part, manifest in Store(self.layout.state / ".manifest").manifests().items():
            for name in self.absent:
                if {f"pyhost-{name}.service", f"pyhost-{name}.socket"} & {*manifest.units} or (
                    f"{self.layout.app(name)}/current" in manifest.files
                ):
                    yield f"absent: '{name}' is still live on this host ({part}). Run pyhost.web.site without --tags."

    def remove(self, is_check: bool) -> list[str]:
        """Removes; returns the folders that went and the accounts that were retired (that would be).

        The data goes last: until then a run that was interrupted finds out again whose it was.
        """
        gone: list[str] = []
        purged = self._accounts(self.purge, self.purge)
        if not is_check:
            # First, as what starts processes (cron, a shell) must not start new ones meanwhile.
            for account in purged:
                self.accounts.retire(account.pw_name)
            for account in self._to_end(purged):
                end_processes(account.pw_name, account.pw_uid)
        for name in self.absent:
            self._remove((self.layout.app(name), self.layout.scratch(name)), gone, is_check=is_check)
        self._remove(map(self.layout.data, self.purge), gone, is_check=is_check)
        return [*gone, *(f"user {account.pw_name}" for account in purged if not is_retired(account))]

    def _to_end(self, purged: list[pwd.struct_passwd]) -> Iterator[pwd.struct_passwd]:
        """Yield the accounts whose processes must not go on: they could fill folders while these are removed."""
        going = [name for name in self.absent if self._has_folders(name)]
        for account in dict.fromkeys([*purged, *self._accounts(going, self.absent)]):
            # A retired account had its end, unless that run was interrupted.
            if not is_retired(account) or processes(account.pw_uid):
                yield account

    def _has_folders(self, name: str) -> bool:
        return os.path.lexists(self.layout.app(name)) or os.path.lexists(self.layout.scratch(name))

    def _remove(self, folders: Iterable[Path], gone: list[str], *, is_check: bool) -> None:
        for folder in folders:
            if os.path.lexists(folder):
                gone.append(str(folder))
                self.sizes[str(folder)] = tree.size(folder)
                if not is_check:
                    try:
                        tree.remove(folder)
                    except tree.TreeError as problem:
                        raise tree.TreeError(
                            f"absent: {problem}. Stop the process that still writes there, and run again."
                        ) from None

    def _accounts(self, names: list[str], gone: list[str]) -> list[pwd.struct_passwd]:
        """Return the accounts of applications that nobody needs but the applications `gone`: theirs is the data.

        An account that the role `app` did not make is somebody else's, whatever its name.
        """
        data = dict(self._owners())
        used = {uid for folder, uid in data.items() if folder not in gone}
        found = [account_of(data[name]) if name in data else None for name in names]
        found += map(self.accounts.host.account, names)
        return [
            account
            for account in dict.fromkeys(found)
            if account and is_ours(account) and account.pw_uid not in used and account.pw_name not in self.users
        ]

    def _owners(self) -> Iterator[tuple[str, int]]:
        with contextlib.suppress(FileNotFoundError):
            for folder in self.layout.state.iterdir():
                yield folder.name, folder.lstat().st_uid
