# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What goes with an application, and what stays."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest
from ansible_collections.pyhost.web.plugins.module_utils._release import removal
from ansible_collections.pyhost.web.plugins.module_utils._release.accounts import OWN, RETIRED, Accounts, Host
from ansible_collections.pyhost.web.plugins.module_utils._release.release import Layout
from ansible_collections.pyhost.web.plugins.module_utils._release.removal import Removal
from ansible_collections.pyhost.web.plugins.module_utils._release.tree import TreeError
from ansible_collections.pyhost.web.plugins.module_utils._transaction.manifest import Manifest, Store


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
    "path": (["../etc"], [], "absent: '../etc' is not a valid name of an application"),
    "present": (["blog"], [], "absent: 'blog' is in apps too. Remove it from one of the two."),
    "purge alone": ([], ["shop"], "purge: 'shop' is not in absent. Add it there."),
}


@pytest.mark.parametrize("case", PROBLEMS)
def test_problems(layout: Layout, case: str) -> None:
    absent, purge, words = PROBLEMS[case]
    assert Removal(layout, absent, purge, []).problems(["blog"]) == [words]


class Retired(Accounts):
    """Accounts of a host on which `games` was made for applications, and `nobody` was not."""

    def __init__(self, host: Host | None = None) -> None:
        super().__init__(host or Database())
        self.retired: list[str] = []

    def retire(self, name: str) -> None:
        self.retired.append(name)


class Database(Host):
    """The accounts of the host."""

    def account(self, key: str | int) -> pwd.struct_passwd | None:
        account = super().account(key)
        return account and pwd.struct_passwd((*account[:4], OWN if account.pw_name == "games" else "", *account[5:]))


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The accounts whose processes were ended."""
    names: list[str] = []
    monkeypatch.setattr(removal, "end_processes", lambda name, _uid: names.append(name))
    monkeypatch.setattr(removal, "account_of", Database().account)
    return names


def give(path: Path, user: str) -> None:
    """Let a path belong to an account."""
    os.chown(path, pwd.getpwnam(user).pw_uid, -1)


RETIRE: dict[str, tuple[dict[str, str], list[str], list[str], list[str]]] = {
    # Owners of data; applications that are purged; accounts of applications that stay; what is retired.
    "with another name": ({"shop": "games"}, ["shop"], [], ["games"]),
    "shared with data that stays": ({"shop": "games", "blog": "games"}, ["shop"], [], []),
    "shared with an application that stays": ({"shop": "games"}, ["shop"], ["games"], []),
    "shared by two that are purged": ({"shop": "games", "blog": "games"}, ["shop", "blog"], [], ["games"]),
    "not ours": ({"shop": "nobody"}, ["shop"], [], []),
    "of the same name, not ours": ({}, ["nobody"], [], []),
    "of the same name, when the data is gone": ({}, ["games"], [], ["games"]),
}


@pytest.mark.parametrize("case", RETIRE)
def test_accounts(layout: Layout, ended: list[str], case: str) -> None:
    owners, purge, users, expected = RETIRE[case]
    for name, user in owners.items():
        give(layout.data(name), user)
    accounts = Retired()
    announced = Removal(layout, purge, purge, users, accounts).remove(is_check=True)
    assert accounts.retired == ended == []
    gone = Removal(layout, purge, purge, users, accounts).remove(is_check=False)
    assert accounts.retired == ended == expected
    assert [name for name in gone if name.startswith("user ")] == [f"user {name}" for name in expected]
    assert sorted(announced) == sorted(gone)


def test_an_account_is_locked_before_its_processes_end(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else cron could start new ones in between."""
    accounts = Retired()
    locked: list[list[str]] = []
    monkeypatch.setattr(removal, "end_processes", lambda _name, _uid: locked.append(accounts.retired.copy()))
    monkeypatch.setattr(removal, "account_of", Database().account)
    give(layout.data("shop"), "games")
    Removal(layout, ["shop"], ["shop"], [], accounts).remove(is_check=False)
    assert locked == [["games"]]


def test_processes_end_before_any_folder_goes(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    def end(name: str, uid: int) -> None:
        assert (name, layout.app("shop").is_dir(), layout.scratch("shop").is_dir()) == ("games", True, True)
        ended.append(name)

    ended: list[str] = []
    monkeypatch.setattr(removal, "end_processes", end)
    monkeypatch.setattr(removal, "account_of", Database().account)
    give(layout.data("shop"), "games")
    accounts = Retired()
    # Without purge too, but the account stays as it is.
    Removal(layout, ["shop"], [], [], accounts).remove(is_check=False)
    assert (ended, accounts.retired) == (["games"], [])
    # Once there is nothing to remove, nothing ends.
    Removal(layout, ["shop"], [], [], accounts).remove(is_check=False)
    assert ended == ["games"]


SHARED: dict[str, tuple[list[str], list[str], list[str], list[str]]] = {
    # Absent, purged, accounts of applications that stay; whose processes end.
    "data that stays": (["shop"], [], [], []),
    "an application that stays": (["shop", "blog"], [], ["games"], []),
    "two that go": (["shop", "blog"], [], [], ["games"]),
    "two that go, one with its data": (["shop", "blog"], ["shop"], [], ["games"]),
}


@pytest.mark.parametrize("case", SHARED)
def test_processes_of_a_shared_account(layout: Layout, ended: list[str], case: str) -> None:
    absent, purge, users, expected = SHARED[case]
    for name in ("shop", "blog"):
        give(layout.data(name), "games")
    accounts = Retired()
    Removal(layout, absent, purge, users, accounts).remove(is_check=False)
    assert ended == expected
    assert accounts.retired == []


class Locked(Database):
    """The host after a run that was interrupted when it had locked the account."""

    def account(self, key: str | int) -> pwd.struct_passwd | None:
        account = super().account(key)
        return account and pwd.struct_passwd((*account[:4], account.pw_gecos + RETIRED, *account[5:]))


def test_an_interrupted_run_is_finished(layout: Layout, ended: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "account_of", Locked().account)
    monkeypatch.setattr(removal, "processes", lambda _uid: ["1 (left)"])
    give(layout.data("shop"), "games")
    gone = Removal(layout, ["shop"], ["shop"], [], Retired(Locked())).remove(is_check=False)
    assert ended == ["games"]
    assert not [name for name in gone if name.startswith("user ")]


def test_what_cannot_be_removed_says_what_to_do(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    def remove(path: Path) -> bool:
        raise TreeError(f"rm: cannot remove '{path}': Directory not empty")

    monkeypatch.setattr(removal.tree, "remove", remove)
    with pytest.raises(
        TreeError, match=r"^absent: rm: .*Directory not empty. Stop the process that still writes there"
    ):
        Removal(layout, ["shop"], [], []).remove(is_check=False)


def test_data_stays_until_processes_have_ended(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    def end(name: str, uid: int) -> None:
        raise TreeError("they do not end")

    monkeypatch.setattr(removal, "end_processes", end)
    monkeypatch.setattr(removal, "account_of", Database().account)
    give(layout.data("shop"), "games")
    with pytest.raises(TreeError):
        Removal(layout, ["shop"], ["shop"], [], Retired()).remove(is_check=False)
    assert layout.data("shop").is_dir()


def test_what_still_runs_is_not_removed(layout: Layout) -> None:
    Store(layout.state / ".manifest").folder.mkdir()
    Manifest(units=["pyhost-shop.service"]).save(Store(layout.state / ".manifest").manifest_path("backend_uwsgi"))
    removal = Removal(layout, ["shop"], ["shop"], [])
    [problem] = removal.problems([])
    assert "'shop' is still live on this host (backend_uwsgi)" in problem
    # A dry run stops nothing before it comes here.
    assert removal.problems([], is_check=True) == []
