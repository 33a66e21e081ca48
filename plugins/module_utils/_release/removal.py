# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Applications that are not wanted any more: what is removed of them, and what stays."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Iterable
from pathlib import Path

from . import tree
from .release import Layout, is_name

ACCOUNT = "Python web application"
"""Comment of the accounts that the role `app` makes."""


class Removal:
    """All but the data of the applications `absent`; of those in `purge` the data and the account too.

    `users` are accounts that other applications need.
    """

    def __init__(self, layout: Layout, absent: Iterable[str], purge: Iterable[str], users: Iterable[str]) -> None:
        self.layout = layout
        self.absent = list(dict.fromkeys(absent))
        self.purge = list(dict.fromkeys(purge))
        self.users = set(users)
        self.sizes: dict[str, int] = {}
        """What the folders that went held, in bytes."""

    def problems(self, present: Iterable[str]) -> list[str]:
        """What forbids the removal; `present` are the names of applications that have to stay."""
        found = [f"absent: '{name}' is no name of an application" for name in self.absent if not is_name(name)]
        found += [f"absent: '{name}' is among apps too" for name in self.absent if name in set(present)]
        found += [f"purge: '{name}' is not in absent" for name in self.purge if name not in self.absent]
        return found

    def remove(self, is_check: bool) -> list[str]:
        """Removes; returns the folders and accounts that went (that would go)."""
        gone = []
        for folder in self._folders():
            if os.path.lexists(folder):
                gone.append(str(folder))
                self.sizes[str(folder)] = tree.size(folder)
                if not is_check:
                    tree.remove(folder)
        for name in self.purge:
            if self._is_own_account(name):
                gone.append(f"user {name}")
                if not is_check:
                    _delete_account(name)
        return gone

    def _folders(self) -> list[Path]:
        folders = [folder for name in self.absent for folder in (self.layout.app(name), self.layout.scratch(name))]
        return folders + [self.layout.data(name) for name in self.purge]

    def _is_own_account(self, name: str) -> bool:
        """An account of that name may be somebody's: the comment tells those that the role `app` made."""
        try:
            return name not in self.users and pwd.getpwnam(name).pw_gecos == ACCOUNT
        except KeyError:
            return False


def _delete_account(name: str) -> None:
    done = subprocess.run(["userdel", name], capture_output=True, text=True, check=False)
    if done.returncode:
        raise tree.TreeError(f"purge: the account '{name}' was not deleted: {done.stderr.strip()}")
