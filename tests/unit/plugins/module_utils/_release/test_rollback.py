# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rollback: to which release, and what is reported where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.pyhost.web.plugins.module_utils._release.release import Layout, complete, note_change
from ansible_collections.pyhost.web.plugins.module_utils._release.rollback import Rollback


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A host on which shop had three releases and blog one; wiki was built and never put in service."""
    layout = Layout(tmp_path / "srv", tmp_path / "lib", tmp_path / "cache")
    for app, releases in {"shop": ("01aa", "02bb", "03cc"), "blog": ("01aa",), "wiki": ("01aa",)}.items():
        current = ""
        for release in releases:
            folder = layout.releases(app) / release
            folder.mkdir(parents=True)
            complete(folder, {"revision": f"of {release}"})
            note_change(layout.releases(app), current, release)
            current = release
        for name in ("next", "current"):
            if name == "next" or app != "wiki":
                (layout.app(app) / name).symlink_to(f"releases/{current}")
    return layout


def _next(layout: Layout, app: str = "shop") -> str:
    return (layout.app(app) / "next").readlink().name


@pytest.mark.parametrize(("release", "goal"), [("", "02bb"), ("01aa", "01aa"), ("03cc", "03cc")])
def test_way_back(layout: Layout, release: str, goal: str) -> None:
    back = Rollback(layout, {"shop": release})
    assert back.problems(()) == []
    for is_check in (True, False):
        assert back.switch(is_check) == (["shop"] if goal != "03cc" else [])
        assert _next(layout) == (goal if not is_check else "03cc")
    assert back.switch(False) == []
    assert back.in_line(wanted=True) == f"shop: {goal}\n"
    assert back.results() == {"shop": {"release": goal, "built": False, "revision": f"of {goal}"}}


def test_twice_is_further_back(layout: Layout) -> None:
    for goal in ("02bb", "01aa"):
        back = Rollback(layout, {"shop": ""})
        assert back.problems(()) == []
        back.switch(False)
        current = layout.app("shop") / "current"
        current.unlink()
        current.symlink_to(f"releases/{goal}")
        assert _next(layout) == goal
    assert Rollback(layout, {"shop": ""}).problems(()) != []


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"blog": ""}, ["app blog: no release was live before 01aa. Other releases on this host: none"]),
        ({"wiki": ""}, ["app wiki: no release is live on this host. Run pyhost.web.site first."]),
        ({"gone": ""}, ["app gone: no release is live on this host. Run pyhost.web.site first."]),
        (
            {"shop": "02bc"},
            ["app shop: release '02bc' is not on this host. Did you mean '02bb'? Live: 03cc.", "02bb (built 20"],
        ),
        ({"shop": "../02bb"}, ["app shop: release '../02bb' is not on this host"]),
        ({"../shop": ""}, ["app ../shop: this is not a valid name of an application"]),
        ({"new": ""}, ["app new: rollback: this application is in apps too"]),
        ({"wiki": "", "blog": "ff"}, ["app blog: release 'ff'", "app wiki: no release is live"]),
    ],
)
def test_problems(layout: Layout, wanted: dict[str, str], words: list[str]) -> None:
    back = Rollback(layout, wanted)
    told = "\n".join(back.problems({"new"}))
    for word in words:
        assert word in told
    assert back.switch(False) == []


def test_an_incomplete_release_is_no_way_back(layout: Layout) -> None:
    (layout.releases("shop") / "02bb" / ".complete").unlink()
    assert "'02bb' is not on this host" in Rollback(layout, {"shop": "02bb"}).problems(())[0]
    back = Rollback(layout, {"shop": ""})
    assert back.problems(()) == []
    assert back.releases == {"shop": "01aa"}


@pytest.mark.parametrize("release", ["", "02bb"])
def test_a_release_whose_interpreter_is_gone_is_no_way_back(layout: Layout, release: str, tmp_path: Path) -> None:
    python = layout.releases("shop") / "02bb/venv/bin/python"
    python.parent.mkdir(parents=True)
    interpreter = tmp_path / "python3.11"
    python.symlink_to(interpreter)
    (problem,) = Rollback(layout, {"shop": release}).problems(())
    assert problem.startswith(
        f"app shop: release '02bb' needs the interpreter that it was built with ({interpreter}), "
    )
    assert "Install it, or choose another release. Other releases on this host: 02bb" in problem
    interpreter.touch()
    assert Rollback(layout, {"shop": release}).problems(()) == []
