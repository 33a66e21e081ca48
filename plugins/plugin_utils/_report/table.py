# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The status of all hosts as text for a terminal."""

from __future__ import annotations

import typing as t
import unicodedata
from collections.abc import Sequence

from ...module_utils._text import escaped
from .report import Item, Report, until, worst

COLUMNS = (
    "",
    "HOST",
    "WHAT",
    "SERVER",
    "STATE",
    "PROCESSES",
    "MEMORY",
    "RESTARTS",
    "RELEASE",
    "SINCE (UTC)",
    "KEPT",
    "HEALTH",
)
NUMBERS = {"PROCESSES", "MEMORY", "RESTARTS", "KEPT"}
NOTHING = "–"


def table(report: Report) -> str:
    """Return one table of all hosts, and below it what is wrong and what was left."""
    rows = [row for name, host in report["hosts"].items() for row in _rows(name, host)]
    parts = [layout([list(COLUMNS), *rows])] if rows else ["No hosts."]
    ends = [
        f"{name}: {one['site']} {until(one)}" for name, host in report["hosts"].items() for one in host["certificates"]
    ]
    parts += listed("Certificates", ends)
    parts += listed("Needs attention", report["problems"])
    parts += listed("On the hosts, but not in the inventory", report["orphans"])
    if not report["problems"]:
        parts.append("Everything in the inventory is healthy.\n")
    return "\n".join(parts)


def layout(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of text, the first with the columns' names, so that each column begins below its name."""
    clean = [[escaped(cell, keep="") for cell in row] for row in rows]
    widths = [max(map(width, column)) for column in zip(*clean, strict=True)]
    lines = []
    for row in clean:
        cells = []
        for name, cell, wide in zip(clean[0], row, widths, strict=True):
            gap = " " * (wide - width(cell))
            cells.append(gap + cell if name in NUMBERS else cell + gap)
        lines.append("  ".join(cells).rstrip() + "\n")
    return "".join(lines)


def width(text: str) -> int:
    """Return the columns that a terminal needs for a text."""
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )


def server(app: Item) -> str:
    """Return the back end of an application, with the protocol where that says more."""
    return ", ".join(dict.fromkeys(filter(None, (app["backend"], app["protocol"])))) or NOTHING


def memory(size: int | None) -> str:
    """Return bytes as people read them."""
    if size is None:
        return NOTHING
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.1f} MiB"


def moment(since: str) -> str:
    """Return a time without its seconds."""
    return since[:16].replace("T", " ") or NOTHING


def health(answers: Sequence[Item]) -> str:
    """Return the answer that matters, with its time."""
    answer = worst(answers)
    if answer is None:
        return "not checked"
    if answer["status"] is None:
        return str(answer["error"])
    return f"{answer['status']} in {answer['seconds'] * 1000:.0f} ms"


def count(value: int | None) -> str:
    """Return a number, where there is one."""
    return NOTHING if value is None else str(value)


def _rows(name: str, host: Item) -> t.Iterator[list[str]]:
    for front_end in host["front_ends"]:
        title = f"{front_end['name']} {front_end['version']}".strip()
        yield [_mark(host), name, "front end", title, front_end["state"], *[""] * 7]
    if not host["front_ends"] and not host["applications"]:
        yield [_mark(host), name, *[NOTHING] * 3, *[""] * 7]
    for app in host["applications"]:
        yield [
            _mark(app),
            name,
            app["name"],
            server(app),
            app["state"],
            count(app["processes"]),
            memory(app["memory"]),
            count(app["restarts"]),
            app["release"][:8] or NOTHING,
            moment(app["since"]),
            count(app["releases"]),
            health(app["answers"]),
        ]


def _mark(item: Item) -> str:
    return " " if item["healthy"] else "!"


def listed(title: str, lines: Sequence[str]) -> list[str]:
    """Return lines below their title, as one part of a text; none where there are none."""
    return [f"{title}:\n" + "".join(f"- {escaped(line, keep='')}\n" for line in lines)] if lines else []
