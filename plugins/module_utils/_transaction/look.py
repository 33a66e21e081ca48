# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The questions that a comparison asks a host.

Private to the collection. Tests answer them from dictionaries.
"""

from __future__ import annotations

import dataclasses
import grp
import pwd
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from .._fs import Node, look
from .._systemd import Systemd, Unit
from .manifest import Store, Was


@dataclass(frozen=True)
class Restored:
    """What the recovery from interrupted runs brings back."""

    files: dict[str, Node | None] = field(default_factory=dict)
    units: dict[str, Was] = field(default_factory=dict)


class Look:
    """The real host; nothing here changes it. `restored` is what a recovery would have brought back."""

    def __init__(self, store: Store, systemd: Systemd, restored: Restored | None = None) -> None:
        self._store = store
        self._systemd = systemd
        self._restored = restored or Restored()

    def file(self, path: str) -> Node | None:
        """Return the file or link at a path, None where there is none; raise PyhostError for a folder and the like."""
        files = self._restored.files
        return files[path] if path in files else look(Path(path))

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
        were = self._restored.units
        states = self._systemd.show(names)
        return {name: _as_it_was(state, were[name]) if name in were else state for name, state in states.items()}


def _as_it_was(state: Unit, was: Was) -> Unit:
    """Return the state of a unit that is brought back to what it was like."""
    # What was up has a file, also where the interrupted run has removed it.
    if state.load == "not-found" and not was.up:
        return state
    load = "masked" if was.masked else "loaded"
    return dataclasses.replace(
        state, load=load, active="active" if was.up else "inactive", file="enabled" if was.enabled else "disabled"
    )
