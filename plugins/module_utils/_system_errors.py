# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the operating system rejects, for the user."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable
from pathlib import Path


def described(problem: OSError, path: Path | None = None) -> str:
    """Return what this process itself could not do at a path, and what helps where the disk is full."""
    place = Path(os.fsdecode(problem.filename)) if problem.filename and not path else path
    if not place:
        return problem.strerror or str(problem)
    text = f"{place}: {problem.strerror}"
    if problem.errno not in (errno.ENOSPC, errno.EDQUOT):
        return text
    there = next(folder for folder in (place, *place.parents) if folder.exists())
    return f"{text}\n{make_room([there])}"


def make_room(folders: Iterable[Path]) -> str:
    """Return the advice for the fullest of these folders."""
    room = {folder: shutil.disk_usage(folder).free for folder in folders if folder.exists()}
    fullest = min(room, key=room.__getitem__)
    return f"The disk of {fullest} has {room[fullest] >> 20} MiB left. Make room, and run again."
