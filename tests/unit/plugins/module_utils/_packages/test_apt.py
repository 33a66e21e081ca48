# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module C(packages) against a host that is made of files and scripted commands."""

from __future__ import annotations

import os
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.pyhost.web.plugins.module_utils._errors import PyhostError
from ansible_collections.pyhost.web.plugins.module_utils._packages.apt import POLICY, Host, Packages

LOCKED = "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7 (apt-get)"
DEAD = (
    "Err:1 http://mirror.invalid/debian bookworm InRelease\n"
    "E: Failed to fetch http://mirror.invalid/debian/dists/bookworm/InRelease  Could not connect to mirror.invalid:80\n"
    "E: Failed to fetch http://mirror.invalid/debian/dists/bookworm-updates/InRelease  Could not connect\n"
    "E: Some index files failed to download."
)


class FakeHost(Host):
    """Answers commands by their first two words; an answer is (status, error output) or a list of them, one a call."""

    def __init__(self, root: Path, installed: tuple[str, ...] = (), answers: dict[str, t.Any] | None = None) -> None:
        super().__init__(self.answer, str(root))
        for path in (self.policy, self.lists, self.lock, self.dpkg, self.release):
            path.parent.mkdir(parents=True, exist_ok=True)
        for path in (self.dpkg, self.apt):
            path.touch()
        self.lists.mkdir()
        (self.lists / "mirror_InRelease").touch()
        self.installed = set(installed)
        self.answers = answers or {}
        self.calls: list[str] = []
        self.policies: list[str] = []
        self.sleep = lambda _seconds: None

    def answer(self, command: list[str], **_options: t.Any) -> tuple[int, str, str]:
        key = " ".join(command[:2])
        if key == "dpkg-query --show":
            known = [name for name in command[4:] if name in self.installed]
            return 0, "".join(f"{name}\t{name}:amd64\tinstalled\n" for name in known), ""
        self.calls.append(key)
        status, err = 0, ""
        if key in self.answers:
            answer = self.answers[key]
            status, err = answer.pop(0) if isinstance(answer, list) else answer
        if key == "apt-get install":
            self.policies.append(self.policy.read_text(encoding="utf-8"))
        return status, "", err


def packages(host: Host, *names: str) -> Packages:
    """Packages as the module makes them, with its defaults."""
    return Packages(host, list(names), lock_timeout=120)


def run(wanted: Packages) -> None:
    """What the module does outside check mode."""
    wanted.install(wanted.missing())


def test_nothing_missing_asks_no_apt(tmp_path: Path) -> None:
    host = FakeHost(tmp_path, installed=("nginx",))
    run(packages(host, "nginx"))
    assert host.calls == []
    assert not host.lock.exists()


def test_missing_keeps_the_order(tmp_path: Path) -> None:
    host = FakeHost(tmp_path, installed=("bb",))
    assert packages(host, "cc", "bb", "aa", "cc").missing() == ["cc", "aa"]


def test_policy_holds_during_the_installation_only(tmp_path: Path) -> None:
    host = FakeHost(tmp_path)
    run(packages(host, "nginx"))
    assert host.policies == [POLICY]
    assert not host.policy.exists()


@pytest.mark.parametrize("status", [0, 100])
def test_own_policy_of_the_host_comes_back(tmp_path: Path, status: int) -> None:
    host = FakeHost(tmp_path, answers={"apt-get install": (status, "E: no")})
    host.policy.write_text("theirs", encoding="utf-8")
    try:
        run(packages(host, "nginx"))
    except PyhostError:
        assert status
    assert host.policy.read_text(encoding="utf-8") == "theirs"
    assert [path.name for path in host.policy.parent.iterdir()] == ["policy-rc.d"]


def test_an_interrupted_run_is_finished_though_nothing_is_missing(tmp_path: Path) -> None:
    host = FakeHost(tmp_path, installed=("stock",))
    host.policy.write_text(POLICY, encoding="utf-8")
    host.saved.write_text("theirs", encoding="utf-8")
    run(packages(host, "stock"))
    assert host.calls == []
    assert host.policy.read_text(encoding="utf-8") == "theirs"
    assert not host.saved.exists()


def test_an_interrupted_run_is_continued(tmp_path: Path) -> None:
    host = FakeHost(tmp_path)
    host.policy.write_text(POLICY, encoding="utf-8")
    run(packages(host, "stock"))
    assert host.policies == [POLICY]
    assert not host.policy.exists()


APT = {
    "fresh lists": ({}, 0, ["apt-get install"]),
    "old lists": ({}, 7200, ["apt-get update", "apt-get install"]),
    "held lists": (
        {"apt-get update": [(100, LOCKED), (100, LOCKED), (0, "")]},
        7200,
        ["apt-get update", "apt-get update", "apt-get update", "apt-get install"],
    ),
    "dead mirror, old lists do": ({"apt-get update": (100, DEAD)}, 7200, ["apt-get update", "apt-get install"]),
    "fresh lists, but older than the mirror": (
        {"apt-get install": [(100, "E: Failed to fetch http://m/x.deb  404  Not Found"), (0, "")]},
        0,
        ["apt-get install", "apt-get update", "apt-get install"],
    ),
    "dpkg was killed": (
        {"apt-get install": [(100, "E: dpkg was interrupted, you must manually run 'dpkg --configure -a'"), (0, "")]},
        0,
        ["apt-get install", "dpkg --force-confold", "apt-get install"],
    ),
}


@pytest.mark.parametrize("case", APT)
def test_apt(tmp_path: Path, case: str) -> None:
    answers, age, calls = APT[case]
    host = FakeHost(tmp_path, answers=answers)
    os.utime(host.lists, (time.time() - age,) * 2)
    run(packages(host, "nginx"))
    assert host.calls == calls


FAILURES = {
    "unknown package": (
        {"apt-get install": (100, "Reading…\nE: Unable to locate package nginx")},
        ["apt could not install nginx: E: Unable to locate package nginx"],
    ),
    "dead mirror": (
        {"apt-get update": (100, DEAD), "apt-get install": (100, "E: Unable to locate package nginx")},
        ["mirror http://mirror.invalid: Could not connect to mirror.invalid:80", "Unable to locate package nginx"],
    ),
    "another apt": (
        {"apt-get install": (100, LOCKED)},
        ["installing packages for more than 0 seconds. Wait until it ends, and run again.\nE: Could not get lock"],
    ),
}


@pytest.mark.parametrize("case", FAILURES)
def test_failure_in_the_words_of_apt(tmp_path: Path, case: str) -> None:
    answers, words = FAILURES[case]
    host = FakeHost(tmp_path, answers=answers)
    with pytest.raises(PyhostError) as problem:
        run(Packages(host, ["nginx"], lock_timeout=0))
    assert [word for word in words if word not in str(problem.value)] == []


BAD = {
    "-oFoo=bar": "name: '-oFoo=bar' is not a valid name of a Debian package",
    "Nginx": "name: 'Nginx' is not a valid name of a Debian package",
    "": "name: '' is not a valid name of a Debian package",
}


@pytest.mark.parametrize("name", BAD)
def test_bad_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(PyhostError, match=BAD[name]):
        packages(FakeHost(tmp_path), name).missing()


def test_other_systems_get_one_sentence(tmp_path: Path) -> None:
    host = FakeHost(tmp_path)
    host.apt.unlink()
    host.release.write_text('PRETTY_NAME="Fedora Linux 43"\n', encoding="utf-8")
    with pytest.raises(PyhostError, match=r"Fedora Linux 43 has no apt\. pyhost\.web supports Debian 12 and 13 only"):
        packages(host, "nginx").missing()


@pytest.mark.parametrize(
    ("text", "release"), [('VERSION_ID="13"\n', "13"), ("VERSION_ID=12\n", "12"), ("PRETTY_NAME=forky/sid\n", "")]
)
def test_the_release_of_debian(tmp_path: Path, text: str, release: str) -> None:
    host = FakeHost(tmp_path)
    host.release.write_text(f'NAME="Debian GNU/Linux"\n{text}', encoding="utf-8")
    assert host.version() == release
