# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Applications that are rolled back to an earlier release: to which one, and what prevents it."""

from __future__ import annotations

import difflib
import os
from collections.abc import Collection, Mapping

from . import tree
from .release import Layout, before, complete_releases, is_name, target


class Rollback:
    """The rollback of each application in `wanted`: to the release named there, or to the one that was live before.

    Nothing is built, and nothing is noted: the release that is given up is not one to roll back to later.
    """

    def __init__(self, layout: Layout, wanted: Mapping[str, str]) -> None:
        self.layout = layout
        self.wanted = dict(wanted)
        self.releases: dict[str, str] = {}
        """Application -> release, for those that have one."""

    def problems(self, present: Collection[str]) -> list[str]:
        """Finds the releases; `present` are applications that get a new one. Returns what hinders, one line each."""
        return [
            f"app {name}: {problem}"
            for name, release in sorted(self.wanted.items())
            if (problem := self._problem(name, release, present))
        ]

    def _problem(self, name: str, release: str, present: Collection[str]) -> str:
        if not is_name(name):
            return "this is not a valid name of an application"
        if name in present:
            return "rollback: this application is in apps too. Remove it from one of the two."
        folder = self.layout.releases(name)
        current = target(self.layout.app(name) / "current")
        if not current:
            return "no release is live on this host. Run pyhost.web.site first."
        known = complete_releases(folder)
        others = [f"{other} (built {known[other]['created'][:16]}Z)" for other in known if other != current]
        there = f"Other releases on this host: {', '.join(others) or 'none'}"
        if release and release not in known:
            near = difflib.get_close_matches(release, known, n=1)
            hint = f"Did you mean '{near[0]}'? " if near else ""
            return f"release '{release}' is not on this host. {hint}Live: {current}. {there}"
        chosen = release or before(folder, current)
        if not chosen:
            return f"no release was live before {current}. {there}"
        python = folder / chosen / "venv" / "bin" / "python"
        if python.is_symlink() and not python.exists():
            made_with = known[chosen].get("python", os.path.realpath(python))
            return (
                f"release '{chosen}' needs the interpreter that it was built with ({made_with}), which this host no"
                f" longer has. Install it, or choose another release. {there}"
            )
        self.releases[name] = chosen
        return ""

    def in_line(self, *, wanted: bool = False) -> str:
        """The releases that `next` of each application names (or, if `wanted`, will name), one a line."""
        lines = {name: target(self.layout.app(name) / "next") for name in self.wanted}
        lines |= self.releases if wanted else {}
        return "".join(f"{name}: {release or '-'}\n" for name, release in lines.items())

    def switch(self, is_check: bool) -> list[str]:
        """Points `next` of each application to its release; returns the names of those where it changed."""
        changed = []
        for name, release in self.releases.items():
            link = self.layout.app(name) / "next"
            if target(link) != release:
                changed.append(name)
                if not is_check:
                    tree.link(link, f"releases/{release}")
        return changed

    def results(self) -> dict[str, dict[str, object]]:
        """Each application's release, as the module returns those that it built."""
        return {
            name: {
                "release": release,
                "built": False,
                "revision": complete_releases(self.layout.releases(name))[release].get("revision", ""),
            }
            for name, release in self.releases.items()
        }
