# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sites of the host's operator that the server reads too.

Private to the collection. Of two sites of one name a server uses one, and does not say so: the other one is hidden.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .._fs import MANAGED

# Characters of a file; a longer one is no configuration.
LARGEST = 1024 * 1024


@dataclass(frozen=True)
class OwnSites:
    """Where they are, how they name their hosts, and the host names that are published here."""

    files: tuple[str, ...] = ()
    """Folders, and a pattern of file names in each."""
    pattern: str = ""
    """Its first group has host names with white space between."""
    names: tuple[str, ...] = ()

    def warnings(self, component: str) -> Iterator[str]:
        """Yield a sentence for each file with a name that is published here."""
        published = set(self.names)
        folders = ((Path(pattern).parent, Path(pattern).name) for pattern in self.files if published)
        for path in (path for folder, name in folders for path in sorted(folder.glob(name))):
            hidden = sorted(self._named(path) & published)
            if hidden:
                yield (
                    f"{path}: this file contains a site for {', '.join(hidden)}, which {component} publishes too."
                    " Visitors get the application, not the site in this file. Remove the name from this file, or from"
                    " the `domains` of the application."
                )

    def _named(self, path: Path) -> set[str]:
        if not path.is_file():
            return set()
        with path.open(encoding="utf-8", errors="replace") as file:
            text = file.read(LARGEST)
        if MANAGED in text:
            return set()
        found = re.finditer(self.pattern, text, re.MULTILINE | re.IGNORECASE)
        return {name.lower() for each in found for name in t.cast("str", each[1]).split()}
