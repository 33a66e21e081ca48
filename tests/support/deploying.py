"""The applications of the scenario `deploy`, whoever visits them, and which releases are in service."""

from __future__ import annotations

import time
import typing as t
from contextlib import contextmanager

from tests.support.each_back_end import APPS
from tests.support.playbook import converge
from tests.support.visitor import KINDS, Visitor, address, hosts, traffic

HOSTS = hosts()
# One is below a mount point.
MOUNTS = {app: "/sub" if app == "on-flup" else "" for app in APPS}
CHOSEN = ",".join(MOUNTS)
BYSTANDER = "bystander"


def visitors() -> list[Visitor]:
    """Return those of every application on every host."""
    named = {**MOUNTS, BYSTANDER: ""}
    return [Visitor(address(host), f"{app}.example", mount) for host in HOSTS for app, mount in named.items()]


def words() -> set[str]:
    """Return what the releases in service of the chosen applications say of themselves."""
    chosen = [visitor for visitor in visitors() if not visitor.domain.startswith(BYSTANDER)]
    return {visitor.ask("/static/word.txt").body.decode().strip() for visitor in chosen}


def releases(app: str = "*", link: str = "current") -> list[str]:
    """Return where the link of each application of each host leads."""
    return [host.check_output(f"readlink /srv/pyhost/{app}/{link}") for host in HOSTS]


def everywhere(command: str) -> list[str]:
    """Return what the command prints on each host; it has to succeed."""
    return [host.check_output(command) for host in HOSTS]


def left_behind() -> list[str]:
    """Return what should not be there after a run: releases half built, what still builds, transactions half done."""
    found = everywhere(
        "for release in /srv/pyhost/*/releases/*; do [ -e $release/.complete ] || echo $release; done;"
        " systemctl list-units --plain --no-legend 'pyhost-*.build.*';"
        " find / -xdev \\( -name '.*.pyhost-*' -o -path '/var/lib/pyhost/.manifest/*.journal*' \\) -print"
    )
    return [text for text in found if text]


@contextmanager
def no_request_fails(but_of: str = "") -> t.Iterator[None]:
    """Short and long requests, uploads and kept connections, of the applications and of the bystander."""
    with traffic([visitor for visitor in visitors() if visitor.domain != f"{but_of}.example"]) as seen:
        time.sleep(1)
        yield
        time.sleep(1)
    print(f"{len(seen.failures)} of {len(seen.requests)} requests failed: {dict(seen.kinds)}")
    assert seen.failures == [], "\n".join(map(str, seen.failures))
    assert min(seen.kinds[kind] for kind in KINDS) >= len(HOSTS)
    assert len(seen.requests) > 100


def deploy(word: str, only: str = CHOSEN, **variables: t.Any) -> str:
    """Put a release that says this word in service."""
    return converge(*HOSTS, playbook="pyhost.web.deploy", pyhost_only=only, word=word, **variables)
