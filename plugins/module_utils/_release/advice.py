# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is reported of a step that failed: its own words, and what helps."""

from __future__ import annotations

import contextlib
import re
import traceback
from collections.abc import Iterator
from pathlib import Path

from .._errors import PyhostError
from .._system_errors import described, make_room
from .sandbox import BUILD
from .step import Outcome, Step, StepError

# Where steps have their temporary files.
_TEMPORARY = str(Path("/var", "tmp"))
_NO_ROOM = re.compile("No space left on device|Disk quota exceeded")
# How a shell and systemd-run report that a process was killed, and others that there is no memory left.
_KILLED = (137, 255)
_NO_MEMORY = re.compile("^Killed|MemoryError|Cannot allocate memory|Killed signal|signal: 9|SIGKILL", re.MULTILINE)
# How pip, uv and git report that they got no answer.
_NO_ANSWER = re.compile(
    "connection broken by|establish a new connection|error sending request|dns error|connect error"
    "|resolve host|unable to connect|Failed to connect|Connection (refused|timed out|reset)|not read from remote"
)
_REACH = {
    "requirements": "the package index must be reached from this host; build_env sets another one (PIP_INDEX_URL) or a"
    " proxy (HTTPS_PROXY)",
    "source.git": "the server must be reached from this host; a commit of 40 digits that was fetched before needs none",
}


def unforeseen(problem: Exception) -> str:
    """Return what went wrong, with the place in the code where nobody expected it; the caller masks secrets."""
    if isinstance(problem, PyhostError):
        return str(problem)
    if isinstance(problem, OSError):
        return described(problem)
    return "\n".join(
        ["this should not happen, please report it", *traceback.format_exception(problem, limit=-5)]
    ).rstrip()


def told(step: Step, outcome: Outcome) -> str:
    """Return the output of a step that failed, and what the user can do where the output does not say so."""
    advice = ""
    if outcome.late and step.sandbox is BUILD:
        advice = "build_timeout allows no step more; find out what it waits for, or allow more"
    elif _NO_ROOM.search(outcome.said):
        advice = make_room(Path(folder.lstrip("-")) for folder in (*step.writable, _TEMPORARY))
    elif _NO_ANSWER.search(outcome.said):
        advice = _REACH.get(step.name.removeprefix("server_"), "")
    elif outcome.status in _KILLED or _NO_MEMORY.search(outcome.said):
        advice = "if it was killed for its memory: a build may use as much as the application; raise limits.memory"
    return f"{outcome.said}\n{advice}".strip()


@contextlib.contextmanager
def as_step(name: str, path: Path) -> Iterator[None]:
    """Turn an OSError of this process into a failure of the step."""
    try:
        yield
    except OSError as problem:
        raise StepError(f"{name}: {described(problem, path)}") from problem
