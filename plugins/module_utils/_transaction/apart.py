# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A transaction in which the failure of one application is its own: it stays as it was, the others get their change.

Private to the collection.
"""

from __future__ import annotations

from pathlib import Path

from .._errors import PyhostError
from .host import Host
from .manifest import Store
from .run import Outcome, Transaction
from .wish import Wish


def run(host: Host, state: Path, wish: Wish, *, check: bool = False) -> tuple[Outcome, dict[str, str]]:
    """Bring the host to the desired state; return what was done, and why applications stayed as they were.

    A failure that belongs to no application rolls all back, and is raised as PyhostError.
    """
    store = Store(state)
    failures: dict[str, str] = {}
    while True:
        try:
            kept = wish.keeping(failures, store.manifest(wish.component))
            return Transaction(host, state, kept, check).run(), failures
        except PyhostError as error:
            name = str(error.details.get("application"))
            if name in failures or not _is_in(name, wish):
                raise PyhostError("\n".join([*failures.values(), str(error)]), **error.details) from error
            failures[name] = _told(name, error)


def _is_in(name: str, wish: Wish) -> bool:
    return any(name in entry.applications for entry in wish.entries)


def _told(name: str, error: PyhostError) -> str:
    head = f"application {name}: "
    return f"{head}{str(error).removeprefix(head)}"
