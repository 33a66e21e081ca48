# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose list of applications a component is made from.

Private to the collection. A run removes what its list does not have, which is right for what the same list had before,
and a mistake where it is another list: that of the playbook C(site) and that of a role alone, on one host.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .._errors import PyhostError
from .manifest import Manifest
from .stage import Change, applications
from .wish import Wish


def reject_removal(wish: Wish, mine: Manifest, taken: Mapping[str, Manifest], changes: Sequence[Change]) -> None:
    """Raise PyhostError where a run would remove applications of another list, or of an earlier task of its own.

    `taken` are the other components that lose something.
    """
    if wish.partial or not wish.origin:
        return
    wanted = {name for entry in wish.entries for name in applications(entry.content or "")}
    problems = []
    for component, theirs in {wish.component: mine, **taken}.items():
        is_twice = component == wish.component and theirs.run == wish.run != ""
        if not theirs.origin or (theirs.origin == wish.origin and not is_twice):
            continue
        before = (change.before for change in changes if str(change.path) in theirs.files)
        gone = {name for node in before if node for name in applications(node.text)} - wanted
        if gone:
            whose = _twice(component) if is_twice else _another(wish, theirs.origin)
            problems.append(f"{component}: this run would remove {', '.join(sorted(gone))}, {whose}")
    if problems:
        raise PyhostError("\n".join(problems))


def _another(wish: Wish, owner: str) -> str:
    return (
        f"which the list '{owner}' set up on this host. The list of this run is '{wish.origin}'. Nothing was"
        f" changed. To keep these applications, add them to '{wish.origin}'. To remove them, run once with"
        f" `-e {wish.component}_list={owner}`."
    )


def _twice(component: str) -> str:
    return (
        f"which an earlier task of this run set up. Nothing was changed. {component} removes applications that its list"
        " does not contain. Call the role once for each host, with all applications in one list."
    )


def warnings(wish: Wish, mine: Manifest) -> list[str]:
    """Return a sentence where the component changes to another list."""
    if wish.partial or not wish.origin or mine.origin in ("", wish.origin):
        return []
    return [f"{wish.component}: the list on this host changes from '{mine.origin}' to '{wish.origin}'."]
