# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a command within a time limit, whatever it prints and whatever it leaves behind.

Private to the collection.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
import typing as t
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from ._text import end_of

LIMIT = 900.0
"""Seconds that a command may take by default."""

LARGEST = 16 * 1024 * 1024
"""Bytes of each output that are kept: the last ones."""

LATE = 124
"""Status of a command that was ended at its limit, as of timeout(1)."""

NOT_STARTED = 127

AFTERWARDS = 0.5
"""Seconds in which the output of a command that has ended must be read: a process that it left may write forever."""

LANGUAGE = MappingProxyType({"LC_ALL": "C.UTF-8"})
"""The words of commands are read, so they must be in one language."""

TO_END = 10
"""Seconds after which a command that ignores SIGTERM is killed."""

POLL = 0.1


def run(
    command: Sequence[str],
    limit: float = LIMIT,
    pass_fds: Sequence[int] = (),
    environment: Mapping[str, str] = LANGUAGE,
) -> tuple[int, str, str]:
    """Return status, output and error output of a command; C(limit) is seconds for all of it.

    A command that cannot be started has the status 127, as in a shell. Bytes that are not UTF-8 become lone surrogates,
    as in file names. An output of which the beginning was not kept starts with C(…).
    """
    pipe = subprocess.PIPE
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, start_new_session=True, pass_fds=pass_fds,
            env={**os.environ, **environment},
        )  # fmt: skip
    except OSError as error:
        return NOT_STARTED, "", f"{command[0]}: {error.strerror}"
    with process:
        try:
            kept = _read(process, time.monotonic() + limit)
            is_late = process.poll() is None
        finally:
            _end(process)
    output, complaints = (end_of(text, LARGEST, "surrogateescape") for text in kept)
    if is_late:
        return LATE, output, f"{complaints.rstrip()}\nstopped after {limit:g} s".strip()
    return process.returncode, output, complaints


def _read(process: subprocess.Popen[bytes], end: float) -> tuple[bytearray, bytearray]:
    """Return the end of both outputs, when the process has ended or its time is over."""
    kept = bytearray(), bytearray()
    has_ended = False
    with selectors.DefaultSelector() as selector:
        for stream, text in zip((process.stdout, process.stderr), kept, strict=True):
            selector.register(t.cast("t.IO[bytes]", stream), selectors.EVENT_READ, text)
        while selector.get_map() and (left := end - time.monotonic()) > 0:
            for key, _events in selector.select(min(left, POLL)):
                piece = os.read(key.fd, 65536)
                key.data.extend(piece)
                # One byte more shows that something was cut.
                del key.data[: -LARGEST - 1]
                if not piece:
                    selector.unregister(key.fileobj)
            if not has_ended and process.poll() is not None:
                has_ended, end = True, min(end, time.monotonic() + AFTERWARDS)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(max(0, end - time.monotonic()))
    return kept


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process that still runs, with all that it started and that is still in its session."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(TO_END)
