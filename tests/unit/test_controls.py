# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The table of controls is whole: none is left out, and what shows one is there."""

from __future__ import annotations

import re
import typing as t
from collections import Counter
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TABLE: dict[str, t.Any] = yaml.safe_load((ROOT / "tests/controls/controls.yml").read_text())


@pytest.mark.parametrize("name", TABLE["lists"])
def test_each_control_of_a_list_is_in_one_row(name: str) -> None:
    told = Counter(number for row in TABLE["controls"] for number in str(row["names"].get(name, "")).split())
    assert told == Counter(TABLE["lists"][name].split())


@pytest.mark.parametrize("row", TABLE["controls"], ids=lambda row: row["asks"])
def test_a_row_says_what_is_done(row: dict[str, t.Any]) -> None:
    assert row["here"] in {"kept", "differs", "yours"}
    assert row["here"] == "kept" or row["why"]
    assert row["here"] == "yours" or any(key in row for key in ("nginx", "apache", "seen", "why"))


def test_what_shows_a_control_exists() -> None:
    tests = "".join(path.read_text() for folder in ("molecule", "tests") for path in (ROOT / folder).rglob("test_*.py"))
    there = set(re.findall(r"^def (test_\w+)", tests, re.MULTILINE))
    assert {name for row in TABLE["controls"] for name in row.get("seen", ())} - there == set()
