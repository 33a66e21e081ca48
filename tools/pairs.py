"""usage: python -m tools.pairs, in the root of the project, after `make molecule SCENARIO=matrix`

Write what that scenario saw, front end by front end, into docs/pairs.md.
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass
from pathlib import Path

import yaml

from plugins.plugin_utils._catalog import BACK_ENDS, FRONT_ENDS, protocols

ROOT = Path(__file__).resolve().parent.parent
SEEN = ROOT / ".cache" / "pairs.json"
DOCS = ROOT / "docs" / "pairs.md"
DIFFERENCES = ROOT / "tests" / "http" / "differences.yml"
BEGIN, END = "<!-- made by python -m tools.pairs -->", "<!-- end of what is made -->"

FAILS, UNTESTED, NONE = "fails", "not tested", "–"


@dataclass(frozen=True)
class Way:
    """A back end and the protocol by which it is reached."""

    back_end: str
    protocol: str

    def __str__(self) -> str:
        return self.back_end if self.back_end == self.protocol else f"{self.back_end} {self.protocol}"


WAYS = [Way(name, protocol) for name, row in BACK_ENDS.items() for protocol in row.serves]


def leads(front_end: str, way: Way) -> set[bool]:
    """Return whether a way leads from a front end to the same host (True), to another (False), to both or none."""
    return {same for same in (True, False) if way.protocol in protocols(front_end, way.back_end, same_host=same)}


def reached(front_end: str) -> list[Way]:
    """Return the ways from a front end to back ends on any host."""
    return [way for way in WAYS if leads(front_end, way)]


def kept(front_end: str, way: Way) -> str:
    """Return the verdict where all claims are kept."""
    there = leads(front_end, way)
    return "works" if len(there) == 2 else f"works {'on the same host' if True in there else 'from another host'}"


@dataclass
class Seen:
    """What a run saw: front end -> way -> verdict, and front end -> before it, seconds without an answer."""

    verdicts: dict[str, dict[str, str]]
    gaps: dict[str, dict[str, float]]

    @classmethod
    def read(cls, text: str) -> Seen:
        """Return what the page says."""
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
        ways = rows[0][1:] if rows else []
        verdicts = {
            row[0]: {way: re.sub(r" \(.*", "", cell) for way, cell in zip(ways, row[1:], strict=True)}
            for row in rows[2:]
        }
        gaps: dict[str, dict[str, float]] = {}
        for after, before, seconds in re.findall(r"^- (\w+) after (\w+): ([\d.]+) s$", text, re.MULTILINE):
            gaps.setdefault(after, {})[before] = float(seconds)
        return cls(verdicts, gaps)

    def update(self, newer: Seen) -> None:
        """Take over the front ends that another run saw; it may have had no Cherokee."""
        self.verdicts |= newer.verdicts
        self.gaps |= newer.gaps


def page() -> str:
    """Return the page as it is."""
    return DOCS.read_text()


def committed() -> Seen:
    """Return what the page says."""
    return Seen.read(page().split(BEGIN)[1].split(END)[0])


def finished(seen: Seen) -> str:
    """Return the page with what was seen; rows, columns and differences are today's."""
    differences: list[dict[str, t.Any]] = yaml.safe_load(DIFFERENCES.read_text())

    def cell(front_end: str, way: Way) -> str:
        if way not in reached(front_end):
            return NONE
        notes = [
            str(number)
            for number, row in enumerate(differences, 1)
            if row["front_end"] == front_end and way.protocol in row.get("protocols", [way.protocol])
        ]
        verdict = seen.verdicts.get(front_end, {}).get(str(way), UNTESTED)
        return f"{verdict} ({', '.join(notes)})" if notes else verdict

    lines = [f"| | {' | '.join(map(str, WAYS))} |", "|---|" + "---|" * len(WAYS)]
    lines += [f"| {name} | {' | '.join(cell(name, way) for way in WAYS)} |" for name in FRONT_ENDS]
    if differences:
        lines += ["", "## What differs", ""]
        lines += [
            f"{number}. {row['front_end']}{' (' + ', '.join(row['protocols']) + ')' if row.get('protocols') else ''}:"
            f" {row['what']}"
            for number, row in enumerate(differences, 1)
        ]
    gaps = [
        f"- {after} after {before}: {seconds} s"
        for after in FRONT_ENDS
        for before, seconds in sorted(seen.gaps.get(after, {}).items())
    ]
    if gaps:
        lines += ["", "## How long nobody answered when the front end changed", "", *gaps]
    before, rest = page().split(BEGIN)
    return f"{before}{BEGIN}\n{chr(10).join(lines)}\n{END}{rest.split(END)[1]}"


def main() -> None:
    """Write the page."""
    seen = committed()
    seen.update(Seen(**json.loads(SEEN.read_text())))
    DOCS.write_text(finished(seen))


if __name__ == "__main__":
    main()
