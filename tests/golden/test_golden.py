"""What hosts get from today's code is what the golden cases expect; ``make golden`` writes them anew."""

from __future__ import annotations

import pytest
import yaml

from tests.golden import cases


@pytest.mark.parametrize("name", cases.names())
def test_hosts_get_what_is_expected(name: str) -> None:
    """All of it and nothing else: a file that nothing makes any more is a difference too."""
    produced, expected = cases.produced(name), cases.expected(name)
    assert sorted(produced) == sorted(expected)
    for path, text in produced.items():
        assert text == expected[path], path


def test_the_catalog_has_its_cases() -> None:
    """One front end a folder, one host in it for each back end and protocol."""
    for name, inventory in cases.inventories().items():
        assert yaml.safe_load((cases.CASES / name / "inventory.yml").read_text()) == inventory


def test_every_folder_is_a_case() -> None:
    folders = {path.name for path in cases.CASES.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(cases.names())
