# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The digest of a source that travels: of a folder on the controller, and of what arrived of it on a host.

Private to the collection.
"""

from __future__ import annotations

import hashlib
import json
import re
import stat
import tarfile
from pathlib import Path

CHECKSUM = re.compile(r"sha256:[0-9a-f]{64}")


def line(name: str, kind: str, *content: str) -> bytes:
    """Return what one entry adds to the digest; `kind` is link (with its target), folder, program or file."""
    return json.dumps([name, kind, *content]).encode("utf-8") + b"\n"


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def wrong_checksum(origin: object, found: str, checksum: str) -> str:
    """Return what is wrong with a file that has another checksum than the one that is given."""
    return f"{origin} has the checksum {found}, not {checksum}. Get the file again, or correct the checksum."


def tar_digest(path: Path) -> str:
    """Return the digest of the folder that was packed into this archive. Raises tarfile.TarError, OSError."""
    total = hashlib.sha256()
    with tarfile.open(path) as archive:
        for member in archive:
            if member.issym():
                total.update(line(member.name, "link", member.linkname))
            elif member.isdir():
                total.update(line(member.name, "folder"))
            elif content := archive.extractfile(member):
                kind = "program" if member.mode & stat.S_IXUSR else "file"
                found = hashlib.sha256()
                while chunk := content.read(1 << 20):
                    found.update(chunk)
                total.update(line(member.name, kind, found.hexdigest()))
    return total.hexdigest()
