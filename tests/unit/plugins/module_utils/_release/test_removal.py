# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What goes with an application, and what stays."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import time
from pathlib import Path

import pytest
from ansible_collections.pyhost.web.plugins.module_utils._release import removal
from ansible_collections.pyhost.web.plugins.module_utils._release.accounts import OWN, Accounts, Host
from ansible_collections.pyhost.web.plugins.module_utils._release.release import Layout
from ansible_collections.pyhost.web.plugins.module_utils._release.removal import Removal, end_processes, processes
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
    "path": (["../etc"], [], "absent: '../etc' is no name of an application"),
    "present": (["blog"], [], "absent: 'blog' is among apps too"),
    "purge alone": ([], ["shop"], "purge: 'shop' is not in absent"),
}


@pytest.mark.parametrize("case", PROBLEMS)
def test_problems(layout: Layout, case: str) -> None:
    absent, purge, words = PROBLEMS[case]
    assert Removal(layout, absent, purge, []).problems(["blog"]) == [words]


class Retired(Accounts):
    """Accounts of a host on which `games` was made for applications, and `nobody` was not."""

    def __init__(self) -> None:
        super().__init__(Database())
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


def test_processes_of_an_account(tmp_path: Path) -> None:
    uids = {1: "0\t0\t0\t0", 2: "7\t0\t0\t0", 3: "0\t7\t0\t0", 4: "0\t0\t7\t0", 5: "0\t0\t0\t7", 6: "77\t77\t77\t77"}
    for pid, uid in uids.items():
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "status").write_text(f"Name:\tuwsgi\nState:\tS (sleeping)\nUid:\t{uid}\n")
    (tmp_path / "8").mkdir()
    (tmp_path / "8/status").write_text("Name:\tuwsgi\nState:\tZ (zombie)\nUid:\t7\t7\t7\t7\n")
    assert processes(7, tmp_path) == ["2 (uwsgi)", "3 (uwsgi)", "4 (uwsgi)", "5 (uwsgi)"]


def test_processes_end_however_often_they_fork() -> None:
    uid = 61234
    forks = "while :; do sleep 1000 & sleep 0.01; done"
    with subprocess.Popen(["/bin/sh", "-c", forks], user=uid, group=uid, extra_groups=[]) as process:
        while len(processes(uid)) < 3:
            time.sleep(0.05)
        end_processes("shop", uid)
        assert processes(uid) == []
        assert process.wait(5) == -signal.SIGKILL
