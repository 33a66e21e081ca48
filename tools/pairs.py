"""usage: python -m tools.pairs, in the root of the project, after `make molecule SCENARIO=matrix`

Write what that scenario saw, front end by front end, into docs/pairs.md, and its failed requests into docs/deploy.md.
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from plugins.module_utils._catalog import BACK_ENDS, FRONT_ENDS, protocols

ROOT = Path(__file__).resolve().parent.parent
SEEN = ROOT / ".cache" / "pairs.json"
DOCS = ROOT / "docs" / "pairs.md"
DEPLOY = ROOT / "docs" / "deploy.md"
DIFFERENCES = ROOT / "tests" / "claims" / "differences.yml"
BEGIN, END = "<!-- made by python -m tools.pairs -->", "<!-- end of what is made -->"

FAILS, UNTESTED, NONE = "fails", "not tested", "–"
CHANGES = ("new release", "rollback", "changes in every part", "package upgrade")


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
    """What a run saw.

    Front end -> way -> verdict; front end -> before it, seconds without an answer; front end -> change -> way -> how
    many requests failed, of how many.
    """

    verdicts: dict[str, dict[str, str]] = field(default_factory=dict)
    gaps: dict[str, dict[str, float]] = field(default_factory=dict)
    failed: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)

    @classmethod
    def read(cls, pairs: str, deploy: str) -> Seen:
        """Return what the two pages say."""
        verdicts = {
            front_end: {way: re.sub(r" \(.*", "", cell) for way, cell in cells.items()}
            for front_end, cells in _rows(pairs).items()
        }
        gaps: dict[str, dict[str, float]] = {}
        for after, before, seconds in re.findall(r"^- (\w+) after (\w+): ([\d.]+) s$", pairs, re.MULTILINE):
            gaps.setdefault(after, {})[before] = float(seconds)
        failed: dict[str, dict[str, dict[str, str]]] = {}
        for name, cells in _rows(deploy).items():
            front_end, change = name.split(": ")
            failed.setdefault(front_end, {})[change] = cells
        return cls(verdicts, gaps, failed)

    def update(self, newer: Seen) -> None:
        """Take over the front ends that another run saw; it may have had no Cherokee."""
        self.verdicts |= newer.verdicts
        self.gaps |= newer.gaps
        self.failed |= newer.failed


def _rows(text: str) -> dict[str, dict[str, str]]:
    """Return the cells of a table: row -> column -> cell."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    return {row[0]: dict(zip(rows[0][1:], row[1:], strict=True)) for row in rows[2:]}


def _made(page: Path) -> str:
    return page.read_text().split(BEGIN)[1].split(END)[0]


def _with(page: Path, lines: t.Sequence[str]) -> str:
    before, rest = page.read_text().split(BEGIN)
    return "\n".join([before + BEGIN, *lines, END + rest.split(END)[1]])


def _table(rows: t.Mapping[str, t.Sequence[str]]) -> list[str]:
    head = [f"| | {' | '.join(map(str, WAYS))} |", "|---|" + "---|" * len(WAYS)]
    return head + [f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items()]


def committed() -> Seen:
    """Return what the pages say."""
    return Seen.read(_made(DOCS), _made(DEPLOY))


def measured(seen: Seen) -> str:
    """Return docs/deploy.md with how many requests failed."""
    return _with(
        DEPLOY,
        _table(
            {
                f"{name}: {change}": [seen.failed[name][change].get(str(way), NONE) for way in WAYS]
                for name in FRONT_ENDS
                for change in CHANGES
                if change in seen.failed.get(name, {})
            }
        ),
    )


def finished(seen: Seen) -> str:
    """Return docs/pairs.md with what was seen; rows, columns and differences are today's."""
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

    lines = _table({name: [cell(name, way) for way in WAYS] for name in FRONT_ENDS})
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
    return _with(DOCS, lines)


def main() -> None:
    """Write the pages."""
    seen = committed()
    seen.update(Seen(**json.loads(SEEN.read_text())))
    DOCS.write_text(finished(seen))
    DEPLOY.write_text(measured(seen))


if __name__ == "__main__":
    main()
