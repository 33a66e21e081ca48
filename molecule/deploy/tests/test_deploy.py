"""New code for some applications, and the way back, while requests flow."""

from __future__ import annotations

import re
import time
import typing as t

import pytest
from testinfra.host import Host

from tests.support.deploying import (
    BYSTANDER,
    CHOSEN,
    HOSTS,
    MOUNTS,
    deploy,
    no_request_fails,
    releases,
    visitors,
    words,
)
from tests.support.each_back_end import APPS
from tests.support.packages import upgrade
from tests.support.playbook import converge, messages, run, told
from tests.support.processes import main_process, main_process_of
from tests.support.visitor import Visitor, address, scenario_hosts

testinfra_hosts = scenario_hosts()

# Only the server itself, not the check before it, can find this out.
ONLY_IN_SERVICE = """echo 'import sys
if "uwsgi" in sys.modules:
    def application(environ, start): raise RuntimeError("only in service")' >> probe.py"""


@pytest.fixture(scope="module", autouse=True)
def two_releases() -> t.Iterator[str]:
    """The release of the scenario, and one after it; at the end, what the scenario describes again."""
    converge(*HOSTS)
    with no_request_fails():
        output = deploy("two")
    yield output
    converge(*HOSTS)


def test_a_new_release_fails_no_request_and_touches_nobody_else(two_releases: str) -> None:
    assert words() == {"two"}
    assert two_releases.count("Activate releases") == 3 * len(HOSTS)
    assert "Install" not in two_releases
    for host in HOSTS:
        for app in MOUNTS:
            change, answer, _url = told(two_releases, host)[app]
            assert re.fullmatch("release [0-9a-f]{8} -> [0-9a-f]{8}", change)
            assert answer.startswith("200 in")
        assert host.file("/srv/pyhost/bystander/current/public/static/word.txt").content_string == "first\n"


def test_the_bystander_does_not_even_notice() -> None:
    before = [main_process(host, BYSTANDER) for host in HOSTS]
    # Somebody is at work there: a deploy of others neither puts it right nor fails.
    for host in HOSTS:
        host.check_output("echo '# mine' >> /etc/pyhost/uwsgi/bystander.ini")
    deploy("three", "on-uwsgi")
    assert [main_process(host, BYSTANDER) for host in HOSTS] == before
    for host in HOSTS:
        assert "# mine" in host.file("/etc/pyhost/uwsgi/bystander.ini").content_string
    converge(*HOSTS, word="first")
    deploy("two")


def test_a_release_that_fails_its_check_takes_no_traffic() -> None:
    before = releases()
    with no_request_fails():
        code, output = run(
            *HOSTS, playbook="pyhost.web.deploy", pyhost_only=CHOSEN, word="sick", health={"path": "/crash"}
        )
    assert code != 0
    for app in MOUNTS:
        assert f"app {app}: wsgi (probe:application): failed" in output
    assert "RuntimeError: probe: an exception that nobody catches" in output
    assert "health: GET /crash answers '500 Internal Server Error'" in output
    assert (releases(), words()) == (before, {"two"})


def test_a_release_that_hangs_is_told_with_the_line() -> None:
    before = releases()
    spoil = ["echo 'import time; time.sleep(60)' >> probe.py"]
    code, output = run(
        *HOSTS, playbook="pyhost.web.deploy", pyhost_only="on-uwsgi", spoil=spoil, health={"path": "/env", "timeout": 2}
    )
    assert code != 0
    assert "2 seconds were not enough to import the application and answer" in output
    assert "probe.py" in output
    assert releases() == before


def test_what_fails_in_service_goes_back_by_itself() -> None:
    before = releases()
    # Hosts remember what they refused, so it is another release each time that this is run.
    bad = {"on-uwsgi": {"setup": [ONLY_IN_SERVICE, f": {time.time()}"]}}
    code, output = run(*HOSTS, playbook="pyhost.web.deploy", pyhost_only="on-uwsgi", other=bad)
    assert code != 0
    assert "(Host: on-uwsgi.example) answered '50" in output
    assert "RuntimeError: only in service" in output
    assert releases() == before
    # After the first host no other one was tried.
    assert output.count("FAILED!") == 1
    # By each of their processes.
    assert {visitor.ask("/env").status for visitor in visitors() for _ in range(20)} == {200}
    # Nor does a run of all try it again where it failed; where nobody has asked it yet, it has to answer too.
    code, output = run(*HOSTS, word="two", other=bad)
    assert code != 0
    assert "failed after it went live and was rolled back" in output
    (message,) = messages(output)
    assert "(Host: on-uwsgi.example) answered '50" in message
    deploy("two", "on-uwsgi")


def test_back_and_forth() -> None:
    described = releases("on-uwsgi")
    with no_request_fails():
        back = converge(*HOSTS, playbook="pyhost.web.rollback", pyhost_only=CHOSEN)
    assert "Build" not in back
    assert "two" not in words()
    assert not set(described) & set(releases("on-uwsgi"))
    # By name, and again: nothing is left to do. Each host has its own interpreter, and so its own releases.
    name = described[0].rpartition("/")[2]
    for changes in (2, 0):
        output = converge(HOSTS[0], playbook="pyhost.web.rollback", pyhost_only="on-uwsgi", pyhost_release=name)
        assert f"changed={changes} " in output
    assert releases("on-uwsgi")[0] == described[0]
    # What the inventory describes comes back with the next run of all.
    converge(*HOSTS, word="two")
    assert words() == {"two"}


@pytest.mark.parametrize(
    ("playbook", "variables", "words"),
    [
        ("deploy", {"pyhost_only": "on-uwsig"}, "'on-uwsig' is not an application. Did you mean 'on-uwsgi'?"),
        ("rollback", {}, "pyhost_only: no application is named"),
        (
            "rollback",
            {"pyhost_only": CHOSEN, "pyhost_release": "0a"},
            "pyhost_release: a release belongs to one application",
        ),
        ("site", {"pyhost_only": "on-uwsgi"}, "pyhost_only: the playbook pyhost.web.site does not use this variable"),
    ],
)
def test_a_wrong_word_touches_no_host(playbook: str, variables: dict[str, t.Any], words: str) -> None:
    code, output = run(*HOSTS, playbook=f"pyhost.web.{playbook}", **variables)
    assert code != 0
    assert words in output
    assert "PLAY [" in output
    assert output.count("PLAY [") == 1


def test_a_release_that_is_not_there() -> None:
    before = releases(link="next")
    code, output = run(*HOSTS, playbook="pyhost.web.rollback", pyhost_only="on-uwsgi", pyhost_release="0a1b2c")
    assert code != 0
    assert "release '0a1b2c' is not on this host" in output
    assert releases(link="next") == before


def test_what_the_site_has_not_put_in_service_yet(host: Host) -> None:
    apps = {"pyhost_apps__new": {"new": {"domains": ["new.example"]}}}
    code, output = run(*HOSTS, playbook="pyhost.web.deploy", pyhost_only="new", **apps)
    assert code != 0
    assert "this host has no account 'new'" in output
    assert not host.file("/srv/pyhost/new").exists


def _masters() -> set[str]:
    return {host.file("/run/nginx.pid").content_string for host in HOSTS}


def test_a_package_upgrade_of_nginx_where_debian_may_not_restart_it() -> None:
    before = _masters()
    with no_request_fails():
        upgrade(HOSTS, "nginx", restarts=False)
    assert not before & _masters()
    for host in HOSTS:
        # It is still the service's: what stops or reloads that reaches it.
        assert f"{main_process_of(host, 'nginx.service')}\n" in _masters()


def test_changes_in_every_part_at_once() -> None:
    """A site has one more domain and a line of its own, a neighbour goes, each has one process more."""
    apps = {app: {**APPS[app], "path": mount or "/"} for app, mount in MOUNTS.items()}
    apps["on-uwsgi"] |= {
        "domains": ["on-uwsgi.example", "new.example"],
        "extra": {"nginx": "add_header X-Changed yes;"},
    }
    before = [main_process(host, app) for host in HOSTS for app in MOUNTS]
    with no_request_fails(but_of=BYSTANDER):
        converge(
            *HOSTS, word="two", pyhost_apps={app: {**described, "processes": 3} for app, described in apps.items()}
        )
    after = [main_process(host, app) for host in HOSTS for app in MOUNTS]
    assert not set(before) & set(after)
    for host in HOSTS:
        assert Visitor(address(host), "new.example").ask("/env").headers["X-Changed"] == "yes"
        assert not host.file(f"/etc/pyhost/uwsgi/{BYSTANDER}.ini").exists
        assert (
            Visitor(address(host), f"{BYSTANDER}.example").raw(
                f"GET / HTTP/1.1\r\nHost: {BYSTANDER}.example\r\nConnection: close\r\n\r\n"
            )
            == b""
        )
