# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is reported of a step that failed: its own words, and what helps."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from .. import _text
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
# How git and ssh report that they were not let in.
_NO_LOGIN = re.compile(
    "Host key verification failed|Permission denied \\(publickey|Authentication failed|could not read"
    " (Username|Password)"
    "|terminal prompts disabled"
)
# How pip, uv and git report that they got no answer.
_NO_ANSWER = re.compile(
    "connection broken by|establish a new connection|error sending request|dns error|connect error"
    "|resolve host|unable to connect|Failed to connect|Connection (refused|timed out|reset)|not read from remote"
)
_REACH = {
    "requirements": "This host cannot reach the package index. Allow the connection, or set another index or a proxy,"
    " such as `pyhost_build_env: {PIP_INDEX_URL: …, HTTPS_PROXY: …}`.",
    "source.git": "This host cannot reach the git server. Allow the connection, or set `version` to the 40-digit ID of"
    " a commit that was fetched before.",
}
# How builds from source report that the host has no compiler, header or program.
_NO_TOOL = re.compile(
    r"_config executable not found|command '\S*(gcc|cc|g\+\+)' failed|fatal error: \S+\.h: No such file"
    r"|(gcc|cargo|rustc|cmake|pkg-config)\S* (is )?not (found|installed)|linker `cc` not found"
)
_HIDDEN = re.compile(r"No such file or directory: ['\"]/proc/")
_READ_ONLY = re.compile("Read-only file system|readonly database|unable to open database file")
_NO_NETWORK = re.compile("Address family not supported|Network is unreachable|Temporary failure in name resolution")


def unforeseen(problem: Exception) -> str:
    """Return what went wrong, with the place in the code where nobody expected it; the caller masks secrets."""
    if isinstance(problem, PyhostError):
        return str(problem)
    return described(problem) if isinstance(problem, OSError) else _text.unforeseen(problem)


def told(step: Step, outcome: Outcome) -> str:
    """Return the output of a step that failed, and what the user can do where the output does not say so."""
    said, name = outcome.all, step.name.removeprefix("server_")
    advice = ""
    if outcome.late and step.sandbox is BUILD:
        advice = "Find out what the step waits for, or raise `build_timeout`."
    elif _NO_ROOM.search(said):
        advice = make_room(Path(folder.lstrip("-")) for folder in (*step.writable, _TEMPORARY))
    elif name in _REACH and _NO_LOGIN.search(said):
        advice = (
            f"git ran as the account '{step.user}'. Install a key and known_hosts for it in {step.env['HOME']}/.ssh, or"
            " use an https URL with a token (USER:TOKEN@HOST)."
        )
    elif name in _REACH and _NO_ANSWER.search(said):
        advice = _REACH[name]
    elif name in _REACH and _NO_TOOL.search(said):
        advice = (
            "A compiler, header or library is missing. Install its Debian package on the host first, or require a"
            " version that has a wheel."
        )
    elif outcome.status in _KILLED or _NO_MEMORY.search(said):
        advice = "If the step ran out of memory, raise `limits.memory`, which also limits each build step."
    return f"{outcome.said}\n{advice}".strip()


def of_trial(said: str, data: Path, timeout: int, *, network: bool) -> str:
    """Return what the user can do where an application did not come up on trial; empty where its output says it.

    ``data`` is the folder that it may write, ``timeout`` the seconds that it had.
    """
    if "\nTimeout (" in f"\n{said}":
        return f"{timeout} seconds were not enough to import the application and answer. Raise `health.timeout`."
    if not network and _NO_NETWORK.search(said):
        return "The application cannot open network connections. Write `network: true` to allow them."
    if _HIDDEN.search(said):
        return "Write `proc: true` to show the host's files in /proc. Other accounts' processes stay hidden."
    if _READ_ONLY.search(said):
        return (
            f"The application can write only to {data} (STATE_DIRECTORY in its environment), to its `writable_paths`"
            " and to /tmp. Write there, or add the folder to `writable_paths`."
        )
    return ""


@contextlib.contextmanager
def as_step(name: str, path: Path) -> Iterator[None]:
    """Turn an OSError of this process into a failure of the step."""
    try:
        yield
    except OSError as problem:
        raise StepError(f"{name}: {described(problem, path)}") from problem
