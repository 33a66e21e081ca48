# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""IDs, markers and which releases stay."""

from __future__ import annotations

import json
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.pyhost.web.plugins.module_utils._release import release
from ansible_collections.pyhost.web.plugins.module_utils._release.release import App, Interpreter

PYTHON = Interpreter("/usr/bin/python3.13", "3.13", has_venv=True)
SHOP = App(
    name="shop",
    user="shop",
    source={"git": "https://git.example.org/shop.git"},
    requirements=["Django==5.2.8"],
    setup=[{"run": "migrate", "once": True}],
    static={"/static/": "static/"},
    env={"KEY": "secret"},
    wsgi="shop.wsgi:application",
)

OTHER: dict[str, dict[str, t.Any]] = {
    "requirements": {"requirements": ["Django==5.2.9"]},
    "no requirements": {"requirements": []},
    "the source's requirements": {"requirements": None},
    "account": {"user": "web"},
    "setup": {"setup": [{"run": "migrate --noinput", "once": True}]},
    "static": {"static": {"/static/": "public"}},
    "wsgi": {"wsgi": "shop.wsgi:app"},
}

SAME: dict[str, dict[str, t.Any]] = {
    "environment": {"env": {"KEY": "other"}},
    "name": {"name": "boutique"},
    "where static files appear": {"static": {"/assets/": "static"}},
    "where the same commit comes from": {"source": {"path": "./shop"}},
    "who runs a step": {"setup": [{"run": "migrate", "once": False}]},
    "kept releases": {"keep": 1},
}


def made(app: App = SHOP, revision: str = "c0ffee", python: Interpreter = PYTHON, installer: str = "auto") -> str:
    """The ID of a release."""
    return release.release_id(app, revision, python, installer)


@pytest.mark.parametrize("case", OTHER)
def test_another_release(case: str) -> None:
    assert made(replace(SHOP, **OTHER[case])) != made()


@pytest.mark.parametrize("case", SAME)
def test_the_same_release(case: str) -> None:
    assert made(replace(SHOP, **SAME[case])) == made()


def test_what_the_host_adds() -> None:
    others = [
        made(revision="beef"),
        made(python=replace(PYTHON, version="3.14")),
        made(python=replace(PYTHON, path="/opt/python")),
        made(installer="uv"),
    ]
    assert len({made(), *others}) == 5
    assert len(made()) == 16


PROBLEMS = {
    "wsgi without callable": ({"wsgi": "shop.wsgi"}, "wsgi: 'shop.wsgi' is not a WSGI callable"),
    "wsgi is code": ({"wsgi": "shop:f()"}, "wsgi: 'shop:f()' is not a WSGI callable"),
    "static leads out": ({"static": {"/a": "../x"}}, "static./a: '../x' is not inside the release"),
    "static leads out in the middle": ({"static": {"/a": "b/../../x"}}, "static./a: 'b/../../x' is not inside"),
    "static is all of the code": ({"static": {"/a": "./"}}, "static./a: './' is not inside the release"),
    "environment": ({"env": {"A-B": "x"}}, "env.A-B: this is not a valid name of an environment variable"),
    "two sources": ({"source": {"git": "x", "path": "y"}}, "source: several origins given"),
    "an option for git": ({"source": {"git": "--upload-pack=x"}}, "source.git: '--upload-pack=x' is not a URL"),
}


@pytest.mark.parametrize("case", PROBLEMS)
def test_problems(case: str) -> None:
    change, words = PROBLEMS[case]
    (problem,) = replace(SHOP, **change).problems()
    assert problem.startswith(words)


def test_no_problems() -> None:
    assert SHOP.problems() == []
    assert replace(SHOP, wsgi="a.b:c.d", static={"/m/": "/var/lib/pyhost/shop/media"}).problems() == []


@pytest.mark.parametrize("name", ["", "-a", "../x", "a/b", "A", "a.b", "1a", "a" * 65])
def test_names_that_are_none(name: str) -> None:
    assert not release.is_name(name)


def test_marker(tmp_path: Path) -> None:
    folder = tmp_path / "0123456789abcdef"
    folder.mkdir()
    assert release.marker(folder) is None
    release.complete(folder, {"revision": "c0ffee"})
    noted = release.marker(folder)
    assert noted
    assert noted["revision"] == "c0ffee"
    assert [path.name for path in folder.iterdir()] == [".complete"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"release": "of-another-folder"}'])
def test_markers_that_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / ".complete").write_text(text, encoding="utf-8")
    assert release.marker(tmp_path) is None


def releases(folder: Path, *names: str) -> None:
    """Makes complete releases, the newest last; those whose names begin with an x are incomplete."""
    for age, name in enumerate(names):
        (folder / name).mkdir()
        if not name.startswith("x"):
            noted = {"release": name, "created": "2026-01-01T00:00:00", "number": age}
            (folder / name / ".complete").write_text(json.dumps(noted), encoding="utf-8")


OBSOLETE: dict[str, tuple[int, tuple[str, ...], list[str]]] = {
    "the oldest": (2, (), ["a", "b", "x1", "x2"]),
    "not those in use": (2, ("a",), ["b", "x1", "x2"]),
    "not those in use, even if incomplete": (2, ("x1",), ["a", "b", "x2"]),
    "none but leftovers": (9, ("",), ["x1", "x2"]),
}


@pytest.mark.parametrize("case", OBSOLETE)
def test_obsolete(tmp_path: Path, case: str) -> None:
    keep, used, gone = OBSOLETE[case]
    releases(tmp_path, "a", "x1", "b", "c", "d", "x2")
    assert release.obsolete(tmp_path, keep, used) == gone


def test_nothing_is_obsolete_where_nothing_is(tmp_path: Path) -> None:
    assert release.obsolete(tmp_path / "never", 1, ()) == []


def life(folder: Path, *lines: str) -> None:
    """Plays a life: `> b` puts a release in service, `! b` tries to, `< a` goes back to one."""
    current = ""
    for line in lines:
        how, name = line.split()
        if not (folder / name).exists():
            (folder / name).mkdir()
            release.complete(folder / name, {})
        if how != "<":
            release.note_change(folder, current, name)
        current = current if how == "!" else name


BEFORE: dict[str, tuple[str, dict[str, str]]] = {
    "the first": ("> a", {"a": ""}),
    "one after the other": ("> a, > b, > c", {"c": "b", "b": "a", "a": ""}),
    "back, and further back": ("> a, > b, > c, < b, < a", {"b": "a", "a": ""}),
    "back, and forth again": ("> a, > b, < a, > b", {"b": "a", "a": ""}),
    "back, then another": ("> a, > b, < a, > c", {"c": "a"}),
    "one that was there already": ("> a, > b, > c, > a", {"a": "c", "c": "b"}),
    "never one that did not come up": ("> a, ! b, > c", {"c": "a"}),
    "nor one that did not come up again": ("> a, > b, > c, ! a, > d", {"d": "c", "c": "b", "b": ""}),
}


@pytest.mark.parametrize("case", BEFORE)
def test_before(tmp_path: Path, case: str) -> None:
    lines, ways = BEFORE[case]
    life(tmp_path, *lines.split(", "))
    assert {name: release.before(tmp_path, name) for name in ways} == ways


def test_a_clock_that_is_set_back_changes_no_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter(f"2026-01-01T0{9 - hour}:00:00" for hour in range(9))
    monkeypatch.setattr(release, "_now", lambda: next(times))
    life(tmp_path, "> a", "> b", "> c", "> d")
    assert [release.before(tmp_path, name) for name in "dcba"] == ["c", "b", "a", ""]
    assert list(release.complete_releases(tmp_path)) == ["c", "d", "b", "a"]
    assert release.obsolete(tmp_path, 2, ()) == ["a", "b"]


def test_what_was_in_service_lately_is_not_obsolete(tmp_path: Path) -> None:
    life(tmp_path, "> a", "> b", "> c", "> a", "> d")
    assert release.obsolete(tmp_path, 2, ()) == ["b", "c"]
