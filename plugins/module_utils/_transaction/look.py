# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The questions that a comparison asks a host.

Private to the collection. Tests answer them from dictionaries.
"""

from __future__ import annotations

import grp
import pwd
import typing as t
from pathlib import Path

from .._fs import Node, look
from .._systemd import Systemd, Unit
from .manifest import Store


class Look:
    """The real host; nothing here changes it."""

    def __init__(self, store: Store, systemd: Systemd) -> None:
        self._store = store
        self._systemd = systemd

    def file(self, path: str) -> Node | None:
        """Return the file or link at a path, None where there is none; raise PyhostError for a folder and the like."""
        return look(Path(path))

    def original(self, component: str, path: str) -> Node | None:
        """Return what a component keeps of the time before it had this path."""
        return self._store.original(component, path)

    def is_folder(self, path: Path) -> bool:
        """Whether there is a folder."""
        return path.is_dir()

    def link(self, path: str) -> str | None:
        """Return the target of a link, None where there is no link."""
        try:
            return str(Path(path).readlink())
        except OSError:
            return None

    def user(self, name: str) -> int | None:
        """Return the number of a user, None where there is no such user."""
        try:
            return pwd.getpwnam(name).pw_uid
        except KeyError:
            return None

    def group(self, name: str) -> int | None:
        """Return the number of a group, None where there is no such group."""
        try:
            return grp.getgrnam(name).gr_gid
        except KeyError:
            return None

    def succeeds(self, command: t.Sequence[str]) -> bool:
        """Whether a command that changes nothing ends with status 0."""
        return self._systemd.run(command)[0] == 0

    def units(self, names: t.Iterable[str]) -> t.Mapping[str, Unit]:
        """Return the state of units."""
        return self._systemd.show(names)
