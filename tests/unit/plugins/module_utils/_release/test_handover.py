# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Data that goes from one account to another, with all that the old one may have left in it."""

from __future__ import annotations

import os
import pwd
import socket
from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.pyhost.web.plugins.module_utils._release import handover
from ansible_collections.pyhost.web.plugins.module_utils._release.handover import Handover, Ids, hand_over, regroup
from ansible_collections.pyhost.web.plugins.module_utils._release.release import Layout
from ansible_collections.pyhost.web.plugins.module_utils._release.tree import TreeError

OLD, NEW, OTHER = Ids(4001, 4101), Ids(4002, 4102), Ids(4003, 4103)
NOBODY = pwd.getpwnam("nobody")
GAMES = pwd.getpwnam("games")


def give(path: Path, ids: Ids) -> Path:
    """Let a path belong to an account."""
    os.chown(path, ids.uid, ids.gid, follow_symlinks=False)
    return path


def make(path: Path, ids: Ids = OLD) -> Path:
    """Make a file of an account."""
    path.write_text("x", encoding="utf-8")
    return give(path, ids)


def whose(path: Path) -> Ids:
    """Return whose a path is; a link for itself."""
    info = path.lstat()
    return Ids(info.st_uid, info.st_gid)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The data folder of an application."""
    folder = tmp_path / "lib/shop"
    folder.mkdir(parents=True)
    return give(folder, OLD)


def test_all_that_is_its_own_is_handed_over(data: Path) -> None:
    (data / "deep").mkdir()
    give(data / "deep", OLD)
    os.mkfifo(data / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(data / "socket"))
    found = [data, data / "deep", give(data / "fifo", OLD), give(data / "socket", OLD), make(data / "deep/file")]
    (data / "link").symlink_to("deep/file")
    found.append(give(data / "link", OLD))
    odd = Path(os.fsdecode(os.fsencode(data) + b"/\xff"))
    found.append(make(odd))
    hand_over(data, OLD, NEW)
    assert {whose(path) for path in found} == {NEW}


def test_what_is_somebody_elses_stays(data: Path) -> None:
    root = make(data / "root", Ids(0, 0))
    other = make(data / "other", OTHER)
    published = make(data / "published", Ids(OLD.uid, OTHER.gid))
    readable = make(data / "readable", Ids(0, OLD.gid))
    hand_over(data, OLD, NEW)
    assert whose(root) == Ids(0, 0)
    assert whose(other) == OTHER
    assert whose(published) == Ids(NEW.uid, OTHER.gid)
    assert whose(readable) == Ids(0, NEW.gid)


def test_links_are_not_followed(data: Path, tmp_path: Path) -> None:
    shadow = make(tmp_path / "shadow", Ids(0, 0))
    neighbour = tmp_path / "neighbour"
    neighbour.mkdir()
    give(neighbour, OLD)
    inside = make(neighbour / "file")
    for name, goal in (("shadow", shadow), ("neighbour", neighbour)):
        (data / name).symlink_to(goal)
        give(data / name, OLD)
    hand_over(data, OLD, NEW)
    assert whose(shadow) == Ids(0, 0)
    assert whose(neighbour) == whose(inside) == OLD
    assert whose(data / "shadow") == NEW


def test_a_file_that_has_a_name_outside_is_refused_before_anything_changes(data: Path, tmp_path: Path) -> None:
    outside = make(tmp_path / "neighbours")
    make(data / "a")
    (data / "b").hardlink_to(outside)
    with pytest.raises(TreeError, match="/b has a hard link outside "):
        hand_over(data, OLD, NEW)
    assert {whose(path) for path in (outside, data, data / "a")} == {OLD}


def test_a_file_of_others_with_a_name_outside_is_left_alone(data: Path, tmp_path: Path) -> None:
    (data / "b").hardlink_to(make(tmp_path / "roots", Ids(0, OLD.gid)))
    hand_over(data, OLD, NEW)
    assert whose(tmp_path / "roots") == Ids(0, OLD.gid)


def test_names_of_one_file_inside_are_its_own(data: Path) -> None:
    first = make(data / "a")
    (data / "b").hardlink_to(first)
    hand_over(data, OLD, NEW)
    assert whose(first) == NEW


def test_a_folder_that_is_a_link_is_not_followed(data: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(data)
    with pytest.raises(OSError, match=r"symbolic|directory"):
        hand_over(tmp_path / "link", OLD, NEW)
    assert whose(data) == OLD


def test_folders_without_end_are_refused(data: Path) -> None:
    deep = data
    for _level in range(handover.DEPTH + 1):
        deep /= "d"
        deep.mkdir()
    with pytest.raises(TreeError, match="nested more than 200 folders deep"):
        hand_over(data, OLD, NEW)
    assert whose(data) == OLD


def test_nobody_else_gets_in_afterwards(data: Path) -> None:
    data.chmod(0o777)
    hand_over(data, OLD, NEW)
    assert data.stat().st_mode & 0o7777 == 0o710


def test_a_release_for_another_group(tmp_path: Path) -> None:
    for part in ("code", "venv"):
        (tmp_path / part).mkdir()
        give(tmp_path / part, Ids(0, OLD.gid))
        make(tmp_path / part / "file", Ids(0, OLD.gid))
    (tmp_path / "code/link").symlink_to(make(tmp_path / "outside", Ids(0, OLD.gid)))
    give(tmp_path / "code/link", Ids(0, OLD.gid))
    regroup(tmp_path, NEW.gid)
    changed = [tmp_path / name for name in ("code", "venv", "code/file", "venv/file", "code/link")]
    assert {whose(path) for path in changed} == {Ids(0, NEW.gid)}
    assert whose(tmp_path / "outside") == Ids(0, OLD.gid)


class Units:
    """A service manager with the units of one application."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __call__(self, words: Sequence[str]) -> str:
        self.calls.append(" ".join(words))
        return "pyhost-shop.service enabled\npyhost-shop.socket enabled\n" if words[0] == "list-unit-files" else ""


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A host on which `games` runs shop."""
    made = Layout(tmp_path / "srv", tmp_path / "lib", tmp_path / "cache")
    code = made.releases("shop") / "1/code"
    for folder in (code, made.data("shop"), made.scratch("shop")):
        folder.mkdir(parents=True)
        give(folder, Ids(GAMES.pw_uid, GAMES.pw_gid))
    (made.app("shop") / "current").symlink_to("releases/1")
    return made


def test_another_account_and_back(layout: Layout) -> None:
    units = Units()
    (layout.scratch("shop") / "poisoned").touch()
    change = Handover(layout, {"shop": "nobody"}, units)
    assert "the application still runs as 'games'" in change.problems()[0]
    assert change.begin() == []
    assert units.calls == ["stop -- pyhost-shop.*"]
    assert whose(layout.data("shop")) == Ids(NOBODY.pw_uid, NOBODY.pw_gid)
    assert not layout.scratch("shop").exists()
    # The module runs twice where sources are sent.
    assert Handover(layout, {"shop": "nobody"}, units).forsaken() == ["games"]
    # No release could be built, in this run or in the one after an interrupted one.
    again = Handover(layout, {"shop": "nobody"}, units)
    assert again.begin() == []
    again.undo(again.accounts)
    assert whose(layout.data("shop")) == Ids(GAMES.pw_uid, GAMES.pw_gid)
    assert units.calls[-1] == "start pyhost-shop.service pyhost-shop.socket"


def test_the_same_account(layout: Layout) -> None:
    units = Units()
    change = Handover(layout, {"shop": "games"}, units)
    assert change.problems() == change.begin() == change.forsaken() == []
    change.undo(change.accounts)
    assert units.calls == []
    assert layout.scratch("shop").is_dir()


def test_an_account_whose_data_was_lost_is_not_forsaken(layout: Layout) -> None:
    layout.data("shop").rmdir()
    assert Handover(layout, {"shop": "games"}, Units()).forsaken() == []


def test_data_that_cannot_be_handed_over(layout: Layout, tmp_path: Path) -> None:
    (layout.data("shop") / "b").hardlink_to(make(tmp_path / "neighbours", Ids(GAMES.pw_uid, GAMES.pw_gid)))
    units = Units()
    change = Handover(layout, {"shop": "nobody"}, units)
    [problem] = change.begin()
    assert problem.startswith("app shop: user: ")
    assert "a hard link outside" in problem
    change.undo(change.accounts)
    assert whose(layout.data("shop")) == Ids(GAMES.pw_uid, GAMES.pw_gid)
    assert units.calls[-1] == "start pyhost-shop.service pyhost-shop.socket"


def test_an_account_with_other_data_is_not_forsaken(layout: Layout) -> None:
    layout.data("blog").mkdir()
    give(layout.data("blog"), Ids(GAMES.pw_uid, GAMES.pw_gid))
    change = Handover(layout, {"shop": "nobody"}, Units())
    change.begin()
    assert change.forsaken() == []


def test_a_release_of_another_account_can_be_used(layout: Layout) -> None:
    change = Handover(layout, {"shop": "nobody"}, Units())
    change.fit([("shop", "1")])
    assert (layout.app("shop") / "current/code").stat().st_gid == NOBODY.pw_gid
