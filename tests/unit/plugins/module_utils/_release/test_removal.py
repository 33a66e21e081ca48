# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What goes with an application, and what stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.pyhost.web.plugins.module_utils._release.release import Layout
from ansible_collections.pyhost.web.plugins.module_utils._release.removal import Removal


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A host with two applications."""
    made = Layout(tmp_path / "srv", tmp_path / "lib", tmp_path / "cache")
    for name in ("shop", "blog"):
        for folder in (made.releases(name), made.data(name), made.scratch(name)):
            folder.mkdir(parents=True)
    return made


def left(layout: Layout) -> list[str]:
    """The folders that are there."""
    base = layout.root.parent
    return sorted(str(path.relative_to(base)) for path in base.glob("*/*"))


CASES: dict[str, tuple[list[str], bool, list[str]]] = {
    "data stays": ([], False, ["cache/blog", "lib/blog", "lib/shop", "srv/blog"]),
    "data goes too": (["shop"], False, ["cache/blog", "lib/blog", "srv/blog"]),
    "check mode": (["shop"], True, ["cache/blog", "cache/shop", "lib/blog", "lib/shop", "srv/blog", "srv/shop"]),
}


@pytest.mark.parametrize("case", CASES)
def test_remove(layout: Layout, case: str) -> None:
    purge, is_check, expected = CASES[case]
    gone = Removal(layout, ["shop", "never"], purge, []).remove(is_check)
    assert left(layout) == expected
    assert len(gone) == 2 + len(purge)


def test_nothing_to_remove(layout: Layout) -> None:
    assert Removal(layout, ["never"], ["never"], []).remove(is_check=False) == []


def test_links_are_not_followed(layout: Layout) -> None:
    (layout.root / "evil").symlink_to(layout.data("blog"))
    assert Removal(layout, ["evil"], [], []).remove(is_check=False) == [str(layout.root / "evil")]
    assert layout.data("blog").is_dir()


PROBLEMS: dict[str, tuple[list[str], list[str], str]] = {
    "path": (["../etc"], [], "absent: '../etc' is no name of an application"),
    "present": (["blog"], [], "absent: 'blog' is among apps too"),
    "purge alone": ([], ["shop"], "purge: 'shop' is not in absent"),
}


@pytest.mark.parametrize("case", PROBLEMS)
def test_problems(layout: Layout, case: str) -> None:
    absent, purge, words = PROBLEMS[case]
    assert Removal(layout, absent, purge, []).problems(["blog"]) == [words]


def test_accounts_of_others_stay(layout: Layout) -> None:
    # root has the name, but not the comment of accounts that were made for applications.
    assert Removal(layout, ["root"], ["root"], []).remove(is_check=True) == []
