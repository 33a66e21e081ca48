# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which accounts applications get, on a host that is two lists; the commands do what they do on Debian."""

from __future__ import annotations

import grp
import itertools
import pwd
import shlex
import typing as t
from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.pyhost.web.plugins.module_utils._errors import PyhostError
from ansible_collections.pyhost.web.plugins.module_utils._lock import alone
from ansible_collections.pyhost.web.plugins.module_utils._release.accounts import (
    OWN,
    RETIRED,
    SHARED,
    Accounts,
    Host,
    User,
    is_ours,
    is_retired,
    users_of,
)

NO_LOGIN = "/usr/sbin/nologin"


class FakeHost(Host):
    """A Debian with an administrator's login and the groups of its packages."""

    def __init__(self) -> None:
        self.passwd: dict[str, pwd.struct_passwd] = {}
        self.groups: dict[str, grp.struct_group] = {}
        self.expired: set[str] = set()
        self.add("root", 0, 0, "root", "/bin/bash")
        self.add("games", 5, 60, "games", NO_LOGIN)
        self.add("deploy", 1000, 1000, "Ansible", "/bin/bash")
        self.add("media", 110, 110, "", NO_LOGIN)
        self.add("mixed", 111, 110, "", NO_LOGIN)
        self.groups["choir"] = grp.struct_group(("choir", "x", 29, ["alice"]))

    def add(self, name: str, uid: int, gid: int, comment: str, shell: str) -> None:
        """Make an account, and a group of its name if that number is free."""
        self.passwd[name] = pwd.struct_passwd((name, "x", uid, gid, comment, "/", shell))
        if not self.group(gid):
            self.groups[name] = grp.struct_group((name, "x", gid, []))

    def account(self, key: str | int) -> pwd.struct_passwd | None:
        return next((one for one in self.passwd.values() if key in (one.pw_name, one.pw_uid)), None)

    def group(self, key: str | int) -> grp.struct_group | None:
        return next((one for one in self.groups.values() if key in (one.gr_name, one.gr_gid)), None)

    def accounts(self) -> list[pwd.struct_passwd]:
        return list(self.passwd.values())

    def run(self, command: Sequence[str], text: str = "") -> None:
        if command[0] == "usermod":
            options = dict(itertools.pairwise(command))
            old = self.passwd[command[-1]]
            self.add(old.pw_name, old.pw_uid, old.pw_gid, options["--comment"], old.pw_shell)
            (self.expired.add if options["--expiredate"] else self.expired.discard)(old.pw_name)
            return
        assert list(command) == ["systemd-sysusers", "-"]
        groups = {}
        for kind, name, number, *rest in map(shlex.split, text.splitlines()):
            if kind == "g":
                groups[name] = int(number)
                continue
            # As systemd does: the highest number that is free for both.
            free = next(n for n in range(999, 100, -1) if not self.account(n) and not self.group(n))
            uid = int(number.split(":")[0]) if number != "-" else free
            self.add(name, uid, groups.get(name, uid), rest[0], rest[2])

    def delete(self, name: str) -> None:
        """What userdel does."""
        self.groups.pop(self.passwd.pop(name).pw_name, None)


@pytest.fixture
def host() -> FakeHost:
    """The host of a test."""
    return FakeHost()


@pytest.fixture
def accounts(host: FakeHost, tmp_path: Path) -> Accounts:
    """Its accounts."""
    return Accounts(host, tmp_path / "pyhost-accounts.conf", tmp_path / "lock")


def own(name: str) -> User:
    """An application with an account of its own."""
    return User(name, (name,), is_named=False)


def named(name: str, *apps: str) -> User:
    """An account that applications name."""
    return User(name, apps or ("shop",), is_named=True)


REJECTED: dict[str, tuple[User, str]] = {
    "a login": (own("deploy"), "It can log in, so it must not run an application"),
    "a login that is named": (named("deploy"), "It can log in, so it must not run an application"),
    "root": (named("root"), "It belongs to the system"),
    "a system's": (named("games"), "It belongs to the system"),
    "a service's": (own("media"), "To use that account, write `user: media`."),
    "a group with members": (own("choir"), "the group 'choir' (gid 29) exists on this host, and would become"),
    "a group, named": (named("choir"), "the group 'choir' (gid 29) exists on this host, and would become"),
    "in a group of others": (named("mixed"), "It has a primary group other than 'mixed'"),
}


@pytest.mark.parametrize("case", REJECTED)
def test_rejected(accounts: Accounts, case: str) -> None:
    user, words = REJECTED[case]
    [problem] = accounts.problems([user, own("free")])
    assert problem.startswith(f"app {', '.join(user.apps)}: user: ")
    assert words in problem


def test_all_problems_are_told_at_once(accounts: Accounts) -> None:
    assert len(accounts.problems([own("deploy"), own("choir"), named("root")])) == 3


def test_an_account_that_is_named_is_used_as_it_is(host: FakeHost, accounts: Accounts) -> None:
    before = dict(host.passwd)
    assert accounts.problems([named("media")]) == []
    assert accounts.provide([named("media")]) == []
    assert host.passwd == before
    assert "media" not in accounts.register.read_text()


def test_new_accounts_are_made_once(host: FakeHost, accounts: Accounts) -> None:
    users = users_of([{"name": "shop", "user": "shop", "named": False}, {"name": "blog", "user": "web", "named": True}])
    assert accounts.provide(users, is_check=True) == ["shop", "web"]
    assert "shop" not in host.passwd
    assert not accounts.register.exists()
    assert accounts.provide(users) == ["shop", "web"]
    assert (host.passwd["shop"].pw_gecos, host.passwd["web"].pw_gecos) == (OWN, SHARED)
    assert accounts.provide(users) == []
    assert accounts.problems(users) == []


def test_a_retired_account_keeps_its_number(host: FakeHost, accounts: Accounts) -> None:
    accounts.provide([own("shop")])
    number = host.passwd["shop"].pw_uid
    accounts.retire("shop")
    accounts.retire("shop")
    assert host.passwd["shop"].pw_gecos == OWN + RETIRED
    assert "shop" in host.expired
    accounts.provide([own("blog")])
    assert host.passwd["blog"].pw_uid != number
    assert accounts.problems([own("shop")]) == []
    assert accounts.provide([own("shop")]) == ["shop"]
    assert (host.passwd["shop"].pw_uid, host.passwd["shop"].pw_gecos) == (number, OWN)
    assert "shop" not in host.expired


def test_others_are_never_retired(host: FakeHost, accounts: Accounts) -> None:
    before = dict(host.passwd)
    for name in ("deploy", "media", "none"):
        accounts.retire(name)
    assert host.passwd == before


@pytest.mark.parametrize("is_wanted", [True, False], ids=["wanted", "unwanted"])
def test_a_deleted_account_comes_back_with_its_numbers(host: FakeHost, accounts: Accounts, is_wanted: bool) -> None:
    accounts.provide([own("shop")])
    old = host.passwd["shop"]
    host.delete("shop")
    wanted = [own("blog"), *([own("shop")] if is_wanted else [])]
    assert accounts.problems(wanted) == []
    assert accounts.provide(wanted) == ["blog", "shop"]
    assert host.passwd["shop"] == old
    assert host.passwd["blog"].pw_uid != old.pw_uid


def test_a_deleted_account_whose_number_is_taken(host: FakeHost, accounts: Accounts) -> None:
    accounts.provide([own("shop")])
    number = host.passwd["shop"].pw_uid
    host.delete("shop")
    host.add("alice", number, number, "", "/bin/bash")
    [problem] = accounts.problems([own("shop")])
    assert "was deleted on this host" in problem
    assert "now belong to alice, but" in problem
    assert accounts.provide([own("blog")]) == ["blog"]
    assert "shop" not in host.passwd


def test_an_account_that_others_had_is_shared_only_if_it_is_named(host: FakeHost, accounts: Accounts) -> None:
    accounts.provide([named("web", "shop", "blog")])
    accounts.retire("web")
    [problem] = accounts.problems([own("web")])
    assert "and other applications have used it" in problem
    assert accounts.problems([named("web", "wiki")]) == []
    # One that is shared later on is no longer that application's own.
    accounts.provide([own("shop")])
    assert accounts.provide([named("shop", "shop", "wiki")]) == ["shop"]
    assert host.passwd["shop"].pw_gecos == SHARED


def test_two_names_for_one_number(host: FakeHost, accounts: Accounts) -> None:
    accounts.provide([own("shop")])
    number = host.passwd["shop"].pw_uid
    host.add("alias", number, number, "", NO_LOGIN)
    [problem] = accounts.problems([own("shop")])
    assert "has the same user ID (999) as alias" in problem


GECOS: dict[str, tuple[str, tuple[bool, bool]]] = {
    "own": (OWN, (True, False)),
    "shared": (SHARED, (True, False)),
    "retired": (OWN + RETIRED, (True, True)),
    "somebody's": ("Alice", (False, False)),
    "somebody's with such an end": ("Alice" + RETIRED, (False, False)),
}


@pytest.mark.parametrize("case", GECOS)
def test_comments(case: str) -> None:
    comment, expected = GECOS[case]
    account = pwd.struct_passwd(("x", "x", 1, 1, comment, "/", NO_LOGIN))
    assert (is_ours(account), is_retired(account)) == expected


def test_applications_that_share() -> None:
    apps: list[dict[str, t.Any]] = [
        {"name": "shop", "user": "web", "named": True},
        {"name": "web", "user": "web", "named": False},
    ]
    assert users_of(apps) == [User("web", ("shop", "web"), is_named=False)]


def test_a_run_that_never_ends_keeps_the_others_waiting_for_a_while_only(accounts: Accounts) -> None:
    accounts.provide([own("shop")])
    accounts.lock_timeout = 0
    with alone(accounts.lock), pytest.raises(PyhostError, match=r"another run has held .*lock"):
        accounts.retire("shop")
