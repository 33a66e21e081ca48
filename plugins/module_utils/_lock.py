# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A lock that lets one run at a time work on something.

Private to the collection.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
import typing as t
from collections.abc import Callable
from pathlib import Path

from ._errors import PyhostError

TIMEOUT = 120.0
"""Seconds after which a run that waits for another one gives up, where nothing takes longer."""


@contextlib.contextmanager
def alone(
    lock: Path,
    timeout: float = TIMEOUT,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> t.Iterator[int]:
    """Hold the lock, a file in a folder of root; yield its handle, which a child may inherit.

    Raises PyhostError when another run still holds it after C(timeout) seconds.
    """
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        end = clock() + timeout
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if clock() >= end:
                    raise PyhostError(
                        f"another run has held {lock} for more than {timeout:g} seconds. Wait for that run to end, or"
                        " stop it. Then run again."
                    ) from None
                sleep(0.5)
        yield handle
    finally:
        os.close(handle)
