"""Files that an application wants the front end to send in its place, behind each front end."""

from __future__ import annotations

import re
import typing as t
from urllib.parse import quote

import pytest
from testinfra.host import Host

from plugins.module_utils._catalog import FRONT_ENDS
from tests.support.attacks import ATTACKS, SHELL, taken, targets
from tests.support.playbook import converge
from tests.support.visitor import Visitor, address, hosts, scenario_hosts

testinfra_hosts = scenario_hosts()
HOSTS = hosts()

# The unit and folder of each front end. Apache runs attacker-apache itself, so it is not the last one: what comes after
# these tests finds the scenario as it was.
SERVERS = {name: row.unit.removesuffix(".service") for name, row in sorted(FRONT_ENDS.items()) if row.package}


@pytest.fixture(scope="module", params=SERVERS, autouse=True)
def server(request: pytest.FixtureRequest) -> str:
    """The unit of the front end that publishes everything."""
    front_end, unit = str(request.param), SERVERS[request.param]
    if not all(host.service(unit).is_running for host in HOSTS):
        inside = {"protocol": "wsgi", "tls": "off"} if front_end == "apache" else {}
        converge(*HOSTS, frontend=front_end, **inside)
    return unit


def test_what_apache_runs_itself_has_no_more_rights(host: Host, server: str) -> None:
    """Elsewhere it has its own sandbox, in which the same is tried."""
    named = targets(host, server)
    for name, attack in ATTACKS.items():
        status, output = taken(host, "attacker-apache", attack.of(named))
        assert status != 0, name
        assert re.search(attack.refusal, output), (name, output)


# What the front end may read: the attacker's link would make it tell, or send what the attacker asks for.
TARGETS = (
    "/srv/pyhost/victim/current/public/private",
    "/var/log/{server}",
    "/etc",
)
FILES = ("bill.txt", "access.log", "victim.example.access.log", "passwd")


def _sent(host: Host, query: str, path: str = "/", domain: str = "attacker.example") -> tuple[int, bytes]:
    answer = Visitor(address(host), domain).ask(f"{path}?{query}", "POST", b"true")
    return answer.status, answer.body


def _private(host: Host, name: str) -> tuple[int, bytes]:
    """Return what is sent where the application names a private file in the words of all front ends."""
    return _sent(host, f"X-Accel-Redirect=/private/{name}&X-Sendfile=/var/lib/pyhost/attacker/private/{name}")


@pytest.fixture
def own_folders(host: Host) -> t.Iterator[str]:
    """Folders that the front end serves, in the hands of the attacker, with a file in each."""
    state = "/var/lib/pyhost/attacker"
    taken(host, SHELL, f"umask 027; for f in media private; do rm -rf {state}/$f/*; echo own >{state}/$f/own; done")
    yield state
    there = "[ -d $f.own ] && rm -rf $f && mv $f.own $f; rm -rf $f/*"
    taken(host, SHELL, f"cd {state}; for f in media private; do {there}; done")


def _own_are_sent(host: Host) -> None:
    visitor = Visitor(address(host), "attacker.example")
    assert visitor.ask("/media/own").body == b"own\n"
    assert _private(host, "own") == (200, b"own\n")


def test_links_in_own_folders_are_not_followed(host: Host, own_folders: str, server: str) -> None:
    _own_are_sent(host)
    links = "; ".join(f"ln -sfn {target.format(server=server)} l{number}" for number, target in enumerate(TARGETS))
    files = f"ln -sf {TARGETS[0]}/bill.txt bill.txt; ln -sf /etc/passwd passwd"
    taken(host, "attacker", f"cd {own_folders}; for f in media private; do (cd $f; {links}; {files}); done")
    _nothing_else_is_sent(host, ["", *(f"l{number}/" for number in range(len(TARGETS)))])
    _own_are_sent(host)


@pytest.mark.parametrize("target", TARGETS)
def test_links_in_the_place_of_own_folders_are_not_followed(
    host: Host, own_folders: str, server: str, target: str
) -> None:
    _own_are_sent(host)
    target = target.format(server=server)
    owner = host.file(target).user
    moved = "; ".join(f"mv {name} {name}.own; ln -s {target} {name}" for name in ("media", "private"))
    taken(host, "attacker", f"cd {own_folders}; {moved}")
    _nothing_else_is_sent(host, [""])
    # Root, too, who makes these folders, keeps away from it.
    host.run("systemd-tmpfiles --create /etc/tmpfiles.d/pyhost.conf")
    assert host.file(target).user == owner


def _nothing_else_is_sent(host: Host, folders: t.Sequence[str]) -> None:
    visitor = Visitor(address(host), "attacker.example")
    for name in (f"{folder}{name}" for folder in folders for name in FILES):
        assert visitor.ask(f"/media/{name}").status in (403, 404), name
        assert _private(host, name)[0] in (403, 404), name


@pytest.mark.parametrize(
    "header",
    [
        "X-Accel-Redirect=/private/../../../etc/passwd",
        "X-Accel-Redirect=/private/bill.txt",
        "X-Accel-Redirect=/srv/pyhost/victim/current/public/private/bill.txt",
        "X-Accel-Redirect=/etc/passwd",
        "X-Sendfile=/etc/passwd",
        "X-Sendfile=/srv/pyhost/victim/current/public/private/bill.txt",
        "X-LIGHTTPD-send-file=/srv/pyhost/victim/current/public/private/bill.txt",
        "X-Sendfile2=/srv/pyhost/victim/current/public/private/bill.txt 0-6",
    ],
)
@pytest.mark.parametrize("domain", ["attacker.example", "victim.example"])
def test_no_other_file_is_sent_in_an_applications_place(host: Host, domain: str, header: str) -> None:
    path = "/beside/" if domain == "victim.example" else "/"
    _status, body = _sent(host, quote(header, safe="=/-."), path, domain)
    assert b"a bill" not in body
    assert b"root:" not in body
    # The victim's own is.
    assert Visitor(address(host), "victim.example").ask("/secret").body == b"a bill\n"
