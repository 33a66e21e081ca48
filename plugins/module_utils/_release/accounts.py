# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The accounts of applications: which ones they may run as, and that no number is ever given to a second one."""

from __future__ import annotations

import contextlib
import grp
import pwd
import re
import subprocess
import typing as t
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .._errors import PyhostError
from .._lock import TIMEOUT, alone
from . import tree

OWN = "Python web application"
"""Comment of an account that was made for the application of its name."""

SHARED = "Python web applications"
"""Comment of an account that applications name with `user`."""

RETIRED = " (retired)"
"""End of the comment of an account that is kept only because its numbers must not be given again."""

REGISTER = Path("/etc/sysusers.d/pyhost-accounts.conf")
LOCK = Path("/run/pyhost-accounts.lock")

NO_LOGIN = ("nologin", "false")

# Below are the accounts that base-passwd gives the same number on every Debian.
_FIRST = 100
_NOBODY = 65534

_HEAD = """\
# Made by pyhost.web: every account that applications of this host have ever had, with its numbers.
# They stay reserved: a file or process that an application left behind must not become another one's.
"""
_ENTRY = re.compile(r'g (\S+) (\d+)\nu \1 (\d+):\1 "([^"]*)"')


# Home and shell of the accounts.
_NO_HOME = "/nonexistent /usr/sbin/nologin"


class AccountError(PyhostError):
    """An account could not be made or changed; the text says which one, and why."""


@dataclass(frozen=True)
class User:
    """An account that applications of this host need.

    `is_named`: each of them names it with `user`. `is_own`: its only application has the same name.
    """

    name: str
    apps: tuple[str, ...]
    is_named: bool

    @property
    def is_own(self) -> bool:
        """Whether nobody but the application of that name needs it."""
        return self.apps == (self.name,)

    @property
    def comment(self) -> str:
        """The comment of the account, if it is ours."""
        return OWN if self.is_own else SHARED


@dataclass(frozen=True)
class Entry:
    """What the register says about an account."""

    name: str
    uid: int
    gid: int
    comment: str

    def __str__(self) -> str:
        user = f'u {self.name} {self.uid}:{self.name} "{self.comment}" {_NO_HOME}'
        return f"g {self.name} {self.gid}\n{user}\n"


class Host:
    """The account database of this host."""

    def account(self, key: str | int) -> pwd.struct_passwd | None:
        """Return an account by its name or its uid."""
        try:
            return pwd.getpwnam(key) if isinstance(key, str) else pwd.getpwuid(key)
        except KeyError:
            return None

    def group(self, key: str | int) -> grp.struct_group | None:
        """Return a group by its name or its gid."""
        try:
            return grp.getgrnam(key) if isinstance(key, str) else grp.getgrgid(key)
        except KeyError:
            return None

    def accounts(self) -> list[pwd.struct_passwd]:
        """Return all accounts."""
        return pwd.getpwall()

    def run(self, command: Sequence[str], text: str = "") -> None:
        """Run a command with that text as its input; raise AccountError with its words if it fails."""
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        if done.returncode:
            raise AccountError(f"{command[0]} failed: {done.stderr.strip() or f'status {done.returncode}'}")


def is_ours(account: pwd.struct_passwd) -> bool:
    """Whether this collection made the account; users cannot change the comment themselves."""
    return _comment(account) in (OWN, SHARED)


def is_retired(account: pwd.struct_passwd) -> bool:
    """Whether the account is only kept for its numbers."""
    return is_ours(account) and account.pw_gecos.endswith(RETIRED)


def _comment(account: pwd.struct_passwd) -> str:
    return account.pw_gecos.removesuffix(RETIRED)


def users_of(apps: Iterable[Mapping[str, t.Any]]) -> list[User]:
    """Return the accounts of applications, each with `name`, `user` and `named` (whether it names its user)."""
    found: dict[str, list[Mapping[str, t.Any]]] = {}
    for app in apps:
        found.setdefault(app["user"], []).append(app)
    return [
        User(name, tuple(app["name"] for app in group), all(app["named"] for app in group))
        for name, group in sorted(found.items())
    ]


class Accounts:
    """The accounts that applications of this host need, have or had."""

    def __init__(self, host: Host | None = None, register: Path = REGISTER, lock: Path = LOCK) -> None:
        self.host = host or Host()
        self.register = register
        self.lock = lock
        self.lock_timeout = TIMEOUT

    def problems(self, users: Iterable[User]) -> list[str]:
        """Return why applications cannot have their accounts on this host, one line each."""
        known = self._registered()
        return [
            f"app {', '.join(user.apps)}: user: {problem}"
            for user in users
            if (problem := self._problem(user, known.get(user.name)))
        ]

    def provide(self, users: Iterable[User], *, is_check: bool = False) -> list[str]:
        """Make, or use again, the accounts of `users`; return the names of those that change.

        An account that somebody deleted comes back with its numbers, whether an application needs it or not.
        """
        with contextlib.nullcontext() if is_check else alone(self.lock, self.lock_timeout):
            known = self._registered()
            lost = [entry for entry in known.values() if self._is_lost(entry)]
            found = {user: self.host.account(user.name) for user in users}
            missing = [user for user, account in found.items() if not account and user.name not in known]
            again = [user for user, account in found.items() if account and self._differs(user, account)]
            again += [user for user in found if any(entry.name == user.name for entry in lost)]
            names = sorted({entry.name for entry in lost} | {user.name for user in (*missing, *again)})
            if not is_check:
                self._sysusers(map(str, lost))
                # A call of its own: what was lost has to have its numbers back before new ones are chosen.
                self._sysusers(f'u {user.name} - "{user.comment}" {_NO_HOME}\n' for user in missing)
                for user in again:
                    self.host.run(["usermod", "--expiredate", "", "--comment", user.comment, user.name])
                self._remember(known)
            return names

    def retire(self, name: str) -> None:
        """Lock an account of ours for good, and keep its numbers."""
        account = self.host.account(name)
        if not account or not is_ours(account) or is_retired(account):
            return
        comment = f"{account.pw_gecos}{RETIRED}"
        with alone(self.lock, self.lock_timeout):
            self.host.run(["usermod", "--lock", "--expiredate", "1", "--comment", comment, name])
            self._remember(self._registered())

    def _problem(self, user: User, known: Entry | None) -> str:
        """Return why the applications of a user cannot have it; empty where they can."""
        free = "Set `user` to a name that no account and no group of this host has."
        account = self.host.account(user.name)
        if not account:
            return self._missing(user.name, known, free)
        twins = [other.pw_name for other in self.host.accounts() if other.pw_uid == account.pw_uid]
        if any(name != user.name for name in twins):
            others = ", ".join(name for name in twins if name != user.name)
            return f"the account '{user.name}' has the same user ID ({account.pw_uid}) as {others}. {free}"
        what = f"the account '{user.name}' (uid {account.pw_uid}, {account.pw_shell or 'no shell'}) exists on this host"
        if is_ours(account):
            if _comment(account) == SHARED and not user.is_named:
                return f"{what}, and other applications have used it. {free} To share it, write `user: {user.name}`."
            return ""
        what = f"{what}, but pyhost.web did not create it"
        unfit = self._unfit(account)
        if unfit:
            return f"{what}. It {unfit}, so it must not run an application. {free}"
        return "" if user.is_named else f"{what}. {free} To use that account, write `user: {user.name}`."

    def _missing(self, name: str, known: Entry | None, free: str) -> str:
        group = self.host.group(name)
        if group and not (known and known.gid == group.gr_gid):
            what = f"the group '{name}' (gid {group.gr_gid}) exists on this host"
            return f"{what}, and would become the application's. {free}"
        if known:
            account, its_group = self.host.account(known.uid), self.host.group(known.gid)
            others = [account.pw_name] if account else []
            others += [its_group.gr_name] if its_group and its_group.gr_name != name else []
            if others:
                return (
                    f"the account '{name}' was deleted on this host. Its IDs ({known.uid}:{known.gid}) now belong to"
                    f" {', '.join(dict.fromkeys(others))}, but its files still have them. {free}"
                )
        return ""

    def _unfit(self, account: pwd.struct_passwd) -> str:
        """Return why an account that is not ours must not run applications, even if they name it."""
        if account.pw_uid < _FIRST or account.pw_uid == _NOBODY:
            return "belongs to the system"
        if Path(account.pw_shell).name not in NO_LOGIN:
            return "can log in"
        group = self.host.group(account.pw_gid)
        if not group or group.gr_name != account.pw_name:
            return f"has a primary group other than '{account.pw_name}'"
        return ""

    def _is_lost(self, entry: Entry) -> bool:
        """Whether an account was deleted, and its numbers are free."""
        group = self.host.group(entry.gid)
        return (
            not self.host.account(entry.name)
            and not self.host.account(entry.uid)
            and (not group or group.gr_name == entry.name)
            and (group is not None or not self.host.group(entry.name))
        )

    def _differs(self, user: User, account: pwd.struct_passwd) -> bool:
        """Whether an account has to be unlocked, or has applications of other names from now on."""
        return is_retired(account) or (account.pw_gecos == OWN and not user.is_own)

    def _sysusers(self, lines: Iterable[str]) -> None:
        text = "".join(lines)
        if text:
            self.host.run(["systemd-sysusers", "-"], text)

    # ---- the register

    def _registered(self) -> dict[str, Entry]:
        try:
            text = self.register.read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        return {name: Entry(name, int(uid), int(gid), comment) for name, gid, uid, comment in _ENTRY.findall(text)}

    def _remember(self, known: Mapping[str, Entry]) -> None:
        """Write all accounts of ours into the register, also those that are gone from the host."""
        entries = {name: entry for name, entry in known.items() if not self.host.account(name)}
        for account in self.host.accounts():
            if is_ours(account):
                entries[account.pw_name] = Entry(account.pw_name, account.pw_uid, account.pw_gid, account.pw_gecos)
        text = _HEAD + "".join(str(entries[name]) for name in sorted(entries))
        if not self.register.exists() or self.register.read_text(encoding="utf-8") != text:
            self.register.parent.mkdir(exist_ok=True)
            tree.write(self.register, text, 0o644)
