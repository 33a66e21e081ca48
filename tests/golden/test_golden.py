"""What hosts get from today's code is what the golden cases expect; ``make golden`` writes them anew."""

from __future__ import annotations

import pytest
import yaml

from tests.golden import cases


@pytest.mark.parametrize("name", cases.names())
def test_hosts_get_what_is_expected(name: str) -> None:
    for host, tree in cases.produced(name).items():
        for path, text in tree.items():
            expected = cases.place(name, host, path)
            assert expected, f"{name}: nobody expects {path} on {host}"
            assert text == expected.read_text(), f"{path} of {host}, expected in {expected}"


def test_all_that_is_expected_is_made() -> None:
    made = {
        cases.place(name, host, path)
        for name in cases.names()
        for host, tree in cases.produced(name).items()
        for path in tree
    }
    assert cases.stored() - made == set()


def test_the_catalog_has_its_cases() -> None:
    """One front end a folder, one host in it for each back end and protocol."""
    for name, inventory in cases.inventories().items():
        assert yaml.safe_load((cases.CASES / name / "inventory.yml").read_text()) == inventory


def test_every_folder_is_a_case() -> None:
    folders = {path.name for path in cases.CASES.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == {cases.ALL, *cases.names()}
