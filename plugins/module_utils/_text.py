# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Texts that hosts and applications write: made printable before they reach a terminal, a message or a page.

Private to the collection.
"""

from __future__ import annotations

import re
import traceback
import typing as t
from collections.abc import Mapping
from pathlib import Path

LONGEST = 20_000
"""Characters of a text in a message; of a longer one the beginning and the end are kept."""

DEEPEST = 50
"""Levels of a result that are passed on."""

CUT = re.compile(r"…|\s?\[[0-9]{1,20} characters omitted\]\s?")
"""What stands in a text where some of it was left out; a secret may have been cut there."""

_BREAK = re.compile(r"\r\n?|[\x0b\x0c]")
_REST_OF_CHARACTER = bytes(range(0x80, 0xC0))
_NUMBER = re.compile(r"[0-9]{1,20}")


def decode(data: bytes) -> str:
    """Return bytes of unknown origin as text; what is not UTF-8 becomes ``\\xff``."""
    return data.decode("utf-8", "backslashreplace")


def escaped(text: str, keep: str = "\n\t") -> str:
    """Return a text in which every character that is not printable is a Python escape, except those in C(keep).

    That covers control characters of both sets, overrides of the writing direction, and halves of surrogate pairs.
    """
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() or character in keep else _escape(character)
                   for character in text)  # fmt: skip


def _escape(character: str) -> str:
    # How Python stands in for a byte that is not UTF-8.
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()


def shortened(text: str, longest: int, between: str = "\n") -> str:
    """Return about C(longest) characters of a text: its beginning and its end, and how many were left out."""
    if len(text) <= longest:
        return text
    half = longest // 2
    return f"{text[:half]}{between}[{len(text) - 2 * half} characters omitted]{between}{text[-half:]}"


def beginning(text: str, longest: int) -> str:
    """Return the first C(longest) characters of a text, with C(…) at the end where there are more."""
    return text if len(text) <= longest else f"{text[:longest]}…"


def end_of(data: bytes | bytearray, longest: int, errors: str = "backslashreplace") -> str:
    """Return the last C(longest) bytes as text, with C(…) in front where there are more."""
    if len(data) <= longest:
        return data.decode("utf-8", errors)
    return "…" + data[-longest:].lstrip(_REST_OF_CHARACTER).decode("utf-8", errors)


def printable(text: str, longest: int = LONGEST) -> str:
    """Return a text for a message: printable, with C(\\n) as the only line break, and about C(longest) characters."""
    return escaped(_BREAK.sub("\n", shortened(text, longest)))


def last_lines(text: str, most: int = 20) -> str:
    """Return what a program wrote last, for a message: at most C(most) lines; of a long one its beginning and end."""
    lines = [line.rstrip() for line in re.split(r"[\r\n]+", text) if line.strip()]
    return "\n".join(shortened(line, 2000, " ") for line in lines[-most:])


def one_line(text: str, longest: int = 300) -> str:
    """Return a text for one line of a message, with its line breaks as spaces, and at most C(longest) characters."""
    words = escaped(" ".join(beginning(text, longest * 2).split()), keep="")
    return words if len(words) <= longest else beginning(words, longest - 1)


def clean(value: t.Any, longest: int | None = None, depth: int = DEEPEST) -> t.Any:
    """Return a result, of any nesting, with every text in it printable, and bounded where C(longest) is given.

    What is printable stays the same object.
    """
    if isinstance(value, str):
        text = escaped(value) if longest is None else printable(value, longest)
        return value if text == value else text
    if not depth:
        return None if isinstance(value, (Mapping, list, tuple)) else value
    if isinstance(value, Mapping):
        return {clean(key, longest, 0): clean(member, longest, depth - 1) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean(member, longest, depth - 1) for member in value]
    return value


def counted(count: int, noun: str) -> str:
    """Return C(1 problem), or C(2 problems)."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def number(text: str) -> int | None:
    """Return a number of ASCII digits; None for anything else, also for what int() takes and for endless digits."""
    return int(text) if _NUMBER.fullmatch(text) else None


def unforeseen(error: BaseException) -> str:
    """Return an error that nobody expected as one line: what it says, and where in the code it arose."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"unexpected {type(error).__name__}{where}: {one_line(str(error))}. Please report this as a bug."
