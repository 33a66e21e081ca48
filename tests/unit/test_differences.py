"""What differs from front end to front end is on the list, and each line of the list is asserted where its claim is."""

from __future__ import annotations

import ast
import typing as t
from pathlib import Path

import yaml
from ansible_collections.pyhost.web.plugins.module_utils._catalog import FRONT_ENDS

ROOT = Path(__file__).resolve().parents[2]
ROWS: list[dict[str, t.Any]] = yaml.safe_load((ROOT / "tests" / "claims" / "differences.yml").read_text())


def _asked() -> t.Iterator[str]:
    """Yield the name of each difference that a test takes into account."""
    for path in [*(ROOT / "tests").rglob("*.py"), *(ROOT / "molecule").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "differs":
                (claim,) = node.args
                # The matrix asks by the name of what it does meanwhile.
                yield from _changes() if not isinstance(claim, ast.Constant) else [str(claim.value)]


def _changes() -> list[str]:
    tree = ast.parse((ROOT / "tools" / "pairs.py").read_text())
    (found,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "CHANGES"
    )
    return list(ast.literal_eval(found))


def test_every_difference_is_asserted_and_every_one_that_is_asserted_is_listed() -> None:
    claims = {row["claim"] for row in ROWS}
    assert claims <= set(_asked())
    assert set(_asked()) - set(_changes()) <= claims


def test_differences_are_of_front_ends_and_their_protocols() -> None:
    for row in ROWS:
        assert set(row.get("protocols", ())) <= set(FRONT_ENDS[row["front_end"]].speaks), row
