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


def _tests() -> set[str]:
    """Return the names of all tests, and of the files that hold them."""
    files = [path for folder in ("molecule", "tests") for path in (ROOT / folder).rglob("test_*.py")]
    functions = re.findall(r"^ *def (test_\w+)", "".join(path.read_text() for path in files), re.MULTILINE)
    return {*functions, *(path.stem for path in files)}


def test_what_shows_a_control_exists() -> None:
    assert {name for row in TABLE["controls"] for name in row.get("seen", ())} - _tests() == set()


def test_the_tests_that_the_page_names_exist() -> None:
    named = re.findall(r"`(test_[\w…]+)", (ROOT / "docs" / "security-evidence.md").read_text())
    assert named
    patterns = [name.replace("…", r"\w+") for name in named]
    assert [name for name in patterns if not any(re.fullmatch(name, test) for test in _tests())] == []
