"""What goes wrong around a deploy: each time one clear message, and the releases in service go on."""

from __future__ import annotations

import json
import os
import re
import subprocess
import typing as t

import pytest

from tests.support.deploying import CHOSEN, HOSTS, deploy, everywhere, left_behind, no_request_fails, releases, words
from tests.support.playbook import PLAIN, converge, messages, run
from tests.support.visitor import Visitor, address

# An apt that is at work until somebody ends it.
APT = """import fcntl, signal
lock = open("/var/lib/dpkg/lock-frontend", "w")
fcntl.lockf(lock, fcntl.LOCK_EX)
open("/run/locked", "w")
signal.pause()"""
UNTIL_THE_NEXT = "until pgrep -x apt-get; do sleep 0.1; done; sleep 1; systemctl stop pyhost-apt"
REPOSITORY = "git://127.0.0.1/probe"


@pytest.fixture
def full_disk() -> t.Iterator[None]:
    """A disk of its own for the releases of on-uwsgi, with room for those that are there and little more."""
    folder = "/srv/pyhost/on-uwsgi/releases"
    everywhere(
        f"mkdir /run/small && size=$(($(du -sk {folder} | cut -f1) + 1024))k"
        " && mount -t tmpfs -o mode=711,size=$size tmpfs /run/small"
        f" && cp -a {folder}/. /run/small && mount --move /run/small {folder}"
    )
    yield
    everywhere(f"umount {folder} && rmdir /run/small")


@pytest.fixture(scope="module")
def repository() -> dict[str, str]:
    """The source of on-uwsgi, which a git server of each host has while it runs."""
    everywhere("command -v git || (apt-get update && apt-get install --yes --no-install-recommends git) >/dev/null")
    everywhere(
        "cp -r /srv/pyhost/on-uwsgi/current/code /opt/probe && cd /opt/probe && git init --quiet --initial-branch main"
        " && git add . && git -c user.name=t -c user.email=t@example.org commit --quiet --message probe"
    )
    return {"git": REPOSITORY, "version": "main"}


def _refused(**variables: t.Any) -> list[dict[str, str]]:
    """Deploy, which has to fail on every host with nothing changed; return what each was told of each application."""
    before = (releases(), releases(link="next"), words())
    with no_request_fails():
        code, output = run(*HOSTS, playbook="pyhost.web.deploy", pyhost_only=CHOSEN, **variables)
    assert code != 0
    told = messages(output)
    assert len(told) == len(HOSTS)
    assert "Traceback" not in output
    assert (releases(), releases(link="next"), words()) == before
    assert left_behind() == []
    return [dict(re.findall(r"^app ([a-z-]+): (.*(?:\n(?!app ).*)*)", text, re.MULTILINE)) for text in told]


@pytest.mark.usefixtures("full_disk")
def test_builds_that_fail() -> None:
    """One run tells of a disk that is full, a package index that is out of reach, and a step that hangs."""
    other = {
        "on-uwsgi": {"setup": ["head -c 30M /dev/zero > static/big"]},
        # Its server comes from the index.
        "on-flup": {"setup": ["echo never"]},
        "on-mod-wsgi": {"setup": ["echo begin; sleep 1000"], "build_timeout": 15},
    }
    index = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "1"}
    for told in _refused(other=other, pyhost_build_env=index):
        assert told["on-uwsgi"].startswith("setup[0] (head -c 30M /dev/zero > static/big): failed with status 1\n")
        assert "No space left on device\nThe disk of /srv/pyhost/on-uwsgi/releases/" in told["on-uwsgi"]
        assert told["on-flup"].startswith("server_requirements: failed with status 1\n")
        assert "Connection refused" in told["on-flup"]
        assert "This host cannot reach the package index" in told["on-flup"]
        assert told["on-mod-wsgi"].startswith("setup[0] (echo begin; sleep 1000): failed with status")
        assert (
            "begin\nstopped after 15 seconds\nFind out what the step waits for, or raise `build_timeout`"
            in told["on-mod-wsgi"]
        )


def test_the_git_server_is_gone(repository: dict[str, str]) -> None:
    for told in _refused(word="git", other={"on-uwsgi": {"source": repository}}):
        assert list(told) == ["on-uwsgi"]
        assert told["on-uwsgi"].startswith(f"source.git: '{REPOSITORY}' cannot be read: ")
        assert "Connection refused" in told["on-uwsgi"]
        assert "This host cannot reach the git server" in told["on-uwsgi"]


def test_with_their_causes_gone(repository: dict[str, str]) -> None:
    everywhere("systemd-run --quiet --unit pyhost-git git daemon --base-path=/opt --export-all --listen=127.0.0.1")
    with no_request_fails():
        deploy("mended", other={"on-uwsgi": {"source": repository}})
    assert words() == {"mended"}
    assert left_behind() == []
    everywhere("systemctl stop pyhost-git")


def _install(lock_timeout: int) -> str:
    """Return what the module that installs packages says when it has to fail."""
    arguments = json.dumps({"name": ["python3-venv"], "lock_timeout": lock_timeout})
    words = ["ansible", "--inventory", os.environ["MOLECULE_INVENTORY_FILE"], "--module-name", "pyhost.web.packages"]
    done = subprocess.run(
        [*words, "--args", arguments, "all"], capture_output=True, text=True, check=False, timeout=600, env=PLAIN
    )
    assert done.returncode
    return done.stdout


def test_locks_and_sockets_of_somebody_else() -> None:
    """An apt that is at work is waited for; an endpoint that somebody else holds is told, and nobody else's concern."""
    everywhere("apt-get remove --yes python3-venv >/dev/null")
    everywhere("install -D /dev/null /run/pyhost/new.sock/occupied")
    for host in HOSTS:
        host.check_output("systemd-run --quiet --unit pyhost-apt python3 -c %s", APT)
        host.check_output("until [ -e /run/locked ]; do sleep 0.1; done")
    told = "apt could not install python3-venv: another program has been installing packages for more than 1 second"
    assert _install(lock_timeout=1).count(f'"msg": "{told}') == len(HOSTS)
    for host in HOSTS:
        host.check_output("systemd-run --quiet sh -c %s", UNTIL_THE_NEXT)
    other = {"new": {"domains": ["new.example"]}}
    with no_request_fails():
        code, output = run(*HOSTS, word="mended", other=other)
    assert code != 0
    everywhere("dpkg-query --show python3-venv")
    told = messages(output)
    assert len(told) == len(HOSTS)
    for text in told:
        assert text.startswith("application new: systemctl start pyhost-new.socket failed: ")
        assert "(/run/pyhost/new.sock): Address already in use\n" in text
        assert "Another process uses this address" in text
    everywhere("rm -r /run/pyhost/new.sock")
    with no_request_fails():
        converge(*HOSTS, word="mended", other=other)
    assert {Visitor(address(host), "new.example").ask("/env").status for host in HOSTS} == {200}


def test_only_so_many_releases_are_left() -> None:
    for host in HOSTS:
        for app in CHOSEN.split(","):
            folder = f"/srv/pyhost/{app}"
            left = host.check_output(f"ls {folder}/releases").split()
            assert len(left) <= 5
            assert host.file(f"{folder}/current").linked_to.rpartition("/")[2] in left
