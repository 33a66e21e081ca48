# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the operating system rejects, for the user."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from ._layout import CACHE, ROOT, STATE

TOPS = (Path(STATE), Path(CACHE), Path(ROOT))
DU_TIMEOUT = 30
MOST = 3


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
    largest = ", ".join(f"{folder} ({size >> 20} MiB)" for folder, size in _largest(fullest))
    who = f" The largest folders of applications on it: {largest}." if largest else ""
    return f"The disk of {fullest} has {room[fullest] >> 20} MiB left. Make room, and run again.{who}"


def _largest(place: Path) -> list[tuple[Path, int]]:
    """Return the largest folders of applications on the disk of a place, and their bytes; none if that takes long."""
    device = place.stat().st_dev
    folders = [folder for top in TOPS if top.is_dir() for folder in top.iterdir()]
    there = [str(folder) for folder in folders if not folder.is_symlink() and folder.stat().st_dev == device]
    if not there:
        return []
    command = ["du", "--summarize", "--one-file-system", "--block-size=1", "--", *there]
    try:
        # What goes meanwhile makes du complain, and count the others.
        done = subprocess.run(command, capture_output=True, timeout=DU_TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    sizes = [line.split(b"\t", 1) for line in done.stdout.splitlines() if b"\t" in line]
    found = [(Path(os.fsdecode(name)), int(size)) for size, name in sizes]
    return sorted(found, key=lambda one: one[1], reverse=True)[:MOST]
