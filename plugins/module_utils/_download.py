# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Downloads of the host."""

from __future__ import annotations

import hashlib
import typing as t
from collections.abc import Callable
from pathlib import Path


def fetch_with(open_url: Callable[..., t.Any], ca_path: str | None) -> Callable[[str, Path], str]:
    """A function that brings a URL to a file and returns its SHA-256, with Ansible's `open_url`."""

    def fetch(url: str, file: Path) -> str:
        total = hashlib.sha256()
        with open_url(url, timeout=60, ca_path=ca_path, http_agent="pyhost.web") as answer, file.open("wb") as out:
            while chunk := answer.read(1 << 20):
                total.update(chunk)
                out.write(chunk)
        return total.hexdigest()

    return fetch
