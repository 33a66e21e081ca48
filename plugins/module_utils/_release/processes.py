# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The processes of an account, and their end."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from pathlib import Path

from . import tree

_PATIENCE = 10.0
"""Seconds that processes may take to die, though nothing can keep them from it but the kernel."""

_HELPER = 5.0
"""Seconds that one signal may take."""

_LAST = 65533
"""The last of the user IDs that systemd and Debian give to nobody."""

# As the account, it may signal all its processes. They cannot signal it: its other two IDs are not theirs.
_KILL = """
import os, signal, sys
stranger, uid = map(int, sys.argv[1:])
os.setgroups([])
os.setresuid(stranger, uid, stranger)
os.kill(-1, signal.SIGKILL)
"""


def processes(uid: int, proc: Path = Path("/proc")) -> list[str]:
    """Return the processes that have a user ID in any of its ways (real, effective, saved, of files)."""
    found = []
    for folder in proc.glob("[0-9]*"):
        state = _status(folder)
        if str(uid) in state.get("Uid", "").split() and _is_alive(folder, state):
            found.append(f"{folder.name} ({ascii(state['Name'].strip())[1:-1]})")
    return sorted(found)


def _is_alive(process: Path, state: dict[str, str]) -> bool:
    """Whether any thread goes on: the first one, whose state is that of the process, may end before the others."""
    threads = map(_status, _tasks(process))
    return any(each.get("State", "X").split()[0] not in "ZX" for each in (state, *threads))


def _tasks(process: Path) -> list[Path]:
    # A process may end while it is looked at.
    with contextlib.suppress(OSError):
        return [*(process / "task").iterdir()]
    return []


def _status(folder: Path) -> dict[str, str]:
    with contextlib.suppress(OSError):
        text = (folder / "status").read_text("utf-8", "replace")
        return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return {}


def end_processes(name: str, uid: int) -> None:
    """Kills every process of an account, which is locked; raises TreeError if any of them does not end.

    In one call of the kernel: one that forks meanwhile does not get away.
    """
    end = time.monotonic() + _PATIENCE
    while True:
        _kill(uid)
        left = processes(uid)
        if not left:
            return
        if time.monotonic() > end:
            raise tree.TreeError(
                f"absent: processes of the account '{name}' do not end: {', '.join(left)}. End them, and run again."
            )
        time.sleep(0.2)


def _kill(uid: int) -> None:
    stranger = next(number for number in range(_LAST, 0, -1) if number != uid and not processes(number))
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(
            [sys.executable, "-I", "-S", "-c", _KILL, str(stranger), str(uid)],
            cwd="/", env={}, capture_output=True, check=False, timeout=_HELPER,
        )  # fmt: skip
