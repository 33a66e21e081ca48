# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server's own test of a configuration that is not active yet.

Private to the collection. A copy of the real folder gets the changes and lies over the real folder in a mount namespace
of its own, so that every absolute `include` leads into the copy, while the rest of the host sees nothing of it.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
import typing as t
from dataclasses import dataclass
from pathlib import Path

from .._errors import PyhostError
from .._fs import Node, write
from .._text import last_lines
from . import stand_ins
from .host import Host
from .wish import Test

READY = "pyhost: the copy is in place"
PREFIX = "pyhost-staged-"

# $1 the copy, $2 the real folder, $3 an empty folder, $4 what lies over /etc, empty where nothing does, $5 how many
# scratch folders follow, then those, then the command.
# A scratch folder keeps its tree of folders: a test that opens its logs or its pid file finds the places for them.
SCRIPT = f"""
set -e
copy=$1 folder=$2 empty=$3 over=$4 left=$5
shift 5
if [ "$over" ]; then
    mount -t overlay -o "lowerdir=$over:/etc" overlay /etc
fi
mount --bind "$copy" "$folder"
while [ "$left" -gt 0 ]; do
    if [ -d "$1" ]; then
        mount -t tmpfs -o mode=0755 tmpfs "$empty"
        (cd "$1" && find . -xdev -type d -print0 | tar --null --no-recursion -T - -cf -) 2>/dev/null |
            tar -xpf - -C "$empty"
        mount --bind "$empty" "$1"
        umount "$empty" 2>/dev/null || true
    fi
    shift
    left=$((left - 1))
done
echo "{READY}"
exec "$@"
"""

# A path begins where a word does: without that, a long line of slashes would be read once for each of them.
_FILE = r"(?<![^\s:\"'])(?P<file>/[^\s:\"']+)"
_LINE = r"(?P<line>[0-9]{1,9})"
PLACES = (
    re.compile(rf"{_FILE}:{_LINE}"),
    # Apache begins with the file that includes the one in which the error is.
    re.compile(rf"line {_LINE} of {_FILE}(?![^\s:\"']|: Syntax error on line)"),
    re.compile(rf"{_FILE} line:? {_LINE}"),
)
# Of what a test prints, so many lines and characters of each are searched for a place.
_LINES = 1000
_LONGEST_LINE = 1000
# Bytes of a configuration in which an application is looked up.
_LARGEST = 4 * 1024 * 1024
APPLICATION = re.compile(r"^\s*[#;/]+ application (\S+)")


@dataclass(frozen=True)
class Change:
    """One path that gets another content, comes or goes."""

    path: Path
    before: Node | None
    after: Node | None
    secret: bool = False

    @property
    def applications(self) -> list[str]:
        """Return the applications whose lines differ; all that the file names where the lines above them do."""
        before, after = (_sections(node.text) if node else {} for node in (self.before, self.after))
        differ = {name for name in {*before, *after} if before.get(name) != after.get(name)}
        return sorted(({*before, *after} if "" in differ else differ) - {""})


def test_staged(host: Host, test: Test, changes: t.Sequence[Change], check: bool = False) -> bool:
    """Test the folder with the changes in it, while the live files stay as they are.

    With `check`, what the configuration names and an earlier task would have made has a stand-in. Returns False when
    this host does not allow it; raises PyhostError when the server rejects the configuration.
    """
    if not test.folder.is_dir():
        return False
    with tempfile.TemporaryDirectory(prefix=PREFIX) as work:
        copy, empty, over = (Path(work, name) for name in ("copy", "empty", "over"))
        for folder in (copy, empty, over):
            folder.mkdir(mode=0o755)
        status, output = host.run(["cp", "-a", "--", f"{test.folder}/.", str(copy)])
        if status:
            raise PyhostError(f"cannot copy {test.folder}: {last_lines(output)}")
        if not all(_change(copy, test.folder, change) for change in changes):
            return False
        shown = str(over) if check and stand_ins.make(host, test, over) else ""
        script = ["sh", "-c", SCRIPT, "sh", str(copy), str(test.folder), str(empty), shown, str(len(test.scratch))]
        command = ["unshare", "--mount", "--propagation", "private", *script, *test.scratch, *test.command]
        status, output = host.run(command, timeout=120)
        if not output.startswith(READY):
            return False
        reject(test, status, output.removeprefix(READY).strip(), copy)
    return True


def sweep() -> None:
    """Remove the copies that an interrupted run left; they may hold secrets."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        # Others may write to this folder too.
        if path.lstat().st_uid == os.geteuid():
            shutil.rmtree(path, ignore_errors=True)


def test_live(host: Host, test: Test) -> None:
    """Test the folder as it is; raises PyhostError when the server rejects the configuration."""
    reject(test, *host.run(test.command, timeout=120), test.folder)


def reject(test: Test, status: int, output: str, copy: Path) -> None:
    """Raise what the output of a test means; `copy` has the files that were tested."""
    complaint = test.complaint(status, output)
    if complaint is not None:
        # A script of the role is run by a shell: its copy may be where nothing can be executed.
        name = test.command[1] if test.command[0] == "sh" else test.command[0]
        file, line = _place(complaint) or (None, None)
        application = _application(copy, os.path.relpath(file, test.folder), line) if file and line else None
        raise blame(f"{name} rejects the configuration", complaint, application, file=file, line=line)


def _change(copy: Path, folder: Path, change: Change) -> bool:
    """Make a change in the copy; return False when the path leads out of the copy."""
    if not change.path.is_relative_to(folder):
        return True
    path = copy / change.path.relative_to(folder)
    if not path.parent.resolve().is_relative_to(copy.resolve()):
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    if change.after is not None:
        write(path, change.after, durable=False)
    return True


def blame(what: str, words: str, application: str | None = None, **details: t.Any) -> PyhostError:
    """Return the error that has a command's words, and names the application that they are about.

    The words may be an application's own, so nothing that they name is opened.
    """
    head = f"application {application}: {what}" if application else what
    return PyhostError(f"{head}: {last_lines(words)}", application=application, **details)


def _place(words: str) -> tuple[str, int] | None:
    """Return the file and the line that a server's own test names; None where it names none."""
    lines = [line[:_LONGEST_LINE] for line in words.splitlines()[:_LINES]]
    for pattern in PLACES:
        for found in filter(None, map(pattern.search, lines)):
            return found["file"], int(found["line"])
    return None


def _application(folder: Path, name: str, line: int) -> str | None:
    """Return the application whose mark is nearest above a line of a file of the folder; None for any other file."""
    if os.pardir in Path(name).parts:
        return None
    try:
        with open(folder / name, "rb", opener=_open) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
                return None
            lines = file.read(_LARGEST).decode(errors="replace").splitlines()[:line]
    except (OSError, ValueError):
        return None
    return next((found[1] for text in reversed(lines) if (found := APPLICATION.search(text))), None)


def _open(path: str, flags: int) -> int:
    # What is in the place of a file may be a pipe, which nobody writes.
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOFOLLOW)


def applications(text: str) -> set[str]:
    """Return the applications that the text of a file names."""
    return {found[1] for line in text.splitlines() if (found := APPLICATION.search(line))}


def _sections(text: str) -> dict[str, list[str]]:
    """Return the lines below each application's name; those above all names have none."""
    name, found = "", dict[str, list[str]]()
    for line in text.splitlines():
        named = APPLICATION.search(line)
        name = named[1] if named else name
        found.setdefault(name, []).append(line)
    return found
