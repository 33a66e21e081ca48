"""New code for some applications, and the way back, while requests flow."""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest
from testinfra.host import Host

from tests.http.visitor import Visitor, address, hosts, meanwhile, scenario_hosts
from tests.playbook import converge, run
from tests.processes import main_process

testinfra_hosts = scenario_hosts()
HOSTS = hosts()
MOUNTS = {"on-uwsgi": "", "on-flup": "/sub", "on-mod-wsgi": ""}
CHOSEN = ",".join(MOUNTS)
BYSTANDER = "bystander"

# Only the server itself, not the check before it, can find this out.
ONLY_IN_SERVICE = """echo 'import sys
if "uwsgi" in sys.modules:
    def application(environ, start): raise RuntimeError("only in service")' >> probe.py"""


def _visitors() -> list[Visitor]:
    named = {**MOUNTS, BYSTANDER: ""}
    return [Visitor(address(host), f"{app}.example", mount) for host in HOSTS for app, mount in named.items()]


def _words() -> set[str]:
    """Return what the releases in service of the chosen applications say of themselves."""
    chosen = [visitor for visitor in _visitors() if not visitor.domain.startswith(BYSTANDER)]
    return {visitor.ask("/static/word.txt").body.decode().strip() for visitor in chosen}


def _releases(app: str = "*", link: str = "current") -> list[str]:
    return [host.check_output(f"readlink /srv/pyhost/{app}/{link}") for host in HOSTS]


def _while_requests_flow(work: t.Callable[[], t.Any]) -> t.Any:
    """Return what the work returns; no request failed, short or long, of the applications or of the bystander."""
    results = []
    with ThreadPoolExecutor(len(_visitors())) as pool:
        long = [pool.submit(visitor.ask, "/sleep?5") for visitor in _visitors()]
        statuses = meanwhile(_visitors(), lambda: results.append(work()))
        assert {job.result().status for job in long} == {200}
    assert set(statuses) == {200}
    assert len(statuses) > 100
    return results[0]


def _deploy(word: str, only: str = CHOSEN) -> str:
    return converge(*HOSTS, playbook="pyhost.web.deploy", pyhost_only=only, word=word)


@pytest.fixture(scope="module", autouse=True)
def two_releases() -> t.Iterator[str]:
    """The release of the scenario, and one after it; at the end, what the scenario describes again."""
    converge(*HOSTS)
    yield _while_requests_flow(lambda: _deploy("two"))
    converge(*HOSTS)


def test_a_new_release_fails_no_request_and_touches_nobody_else(two_releases: str) -> None:
    assert _words() == {"two"}
    assert two_releases.count("Put the releases that are next in service") == 3 * len(HOSTS)
    assert "Install" not in two_releases
    for host in HOSTS:
        assert host.file("/srv/pyhost/bystander/current/public/static/word.txt").content_string == "first\n"


def test_the_bystander_does_not_even_notice() -> None:
    before = [main_process(host, BYSTANDER) for host in HOSTS]
    # Somebody is at work there: a deploy of others neither puts it right nor fails.
    for host in HOSTS:
        host.check_output("echo '# mine' >> /etc/pyhost/uwsgi/bystander.ini")
    _deploy("three", "on-uwsgi")
    assert [main_process(host, BYSTANDER) for host in HOSTS] == before
    for host in HOSTS:
        assert "# mine" in host.file("/etc/pyhost/uwsgi/bystander.ini").content_string
    converge(*HOSTS, word="first")
    _deploy("two")


def test_a_release_that_fails_its_check_takes_no_traffic() -> None:
    before = _releases()
    code, output = _while_requests_flow(
        lambda: run(*HOSTS, playbook="pyhost.web.deploy", pyhost_only=CHOSEN, word="sick", health={"path": "/crash"})
    )
    assert code != 0
    for app in MOUNTS:
        assert f"app {app}: wsgi (probe:application): failed" in output
    assert "RuntimeError: probe: an exception that nobody catches" in output
    assert "health: GET /crash answers '500 Internal Server Error'" in output
    assert (_releases(), _words()) == (before, {"two"})


def test_a_release_that_hangs_is_told_with_the_line() -> None:
    before = _releases()
    spoil = ["echo 'import time; time.sleep(60)' >> probe.py"]
    code, output = run(
        *HOSTS, playbook="pyhost.web.deploy", pyhost_only="on-uwsgi", spoil=spoil, health={"path": "/env", "timeout": 2}
    )
    assert code != 0
    assert "health.timeout: 2 seconds were not enough" in output
    assert "probe.py" in output
    assert _releases() == before


def test_what_fails_in_service_goes_back_by_itself() -> None:
    before = _releases()
    code, output = run(*HOSTS, playbook="pyhost.web.deploy", pyhost_only="on-uwsgi", spoil=[ONLY_IN_SERVICE])
    assert code != 0
    assert "(Host: on-uwsgi.example) answers '50" in output
    assert "RuntimeError: only in service" in output
    assert _releases() == before
    # After the first host no other one was tried.
    assert output.count("FAILED!") == 1
    # By each of their processes.
    assert {visitor.ask("/env").status for visitor in _visitors() for _ in range(20)} == {200}
    _deploy("two", "on-uwsgi")


def test_back_and_forth() -> None:
    described = _releases("on-uwsgi")
    back = _while_requests_flow(lambda: converge(*HOSTS, playbook="pyhost.web.rollback", pyhost_only=CHOSEN))
    assert "Build" not in back
    assert "two" not in _words()
    assert not set(described) & set(_releases("on-uwsgi"))
    # By name, and again: nothing is left to do. Each host has its own interpreter, and so its own releases.
    name = described[0].rpartition("/")[2]
    for changes in (2, 0):
        output = converge(HOSTS[0], playbook="pyhost.web.rollback", pyhost_only="on-uwsgi", pyhost_release=name)
        assert f"changed={changes} " in output
    assert _releases("on-uwsgi")[0] == described[0]
    # What the inventory describes comes back with the next run of all.
    converge(*HOSTS, word="two")
    assert _words() == {"two"}


@pytest.mark.parametrize(
    ("playbook", "variables", "words"),
    [
        ("deploy", {"pyhost_only": "on-uwsig"}, "'on-uwsig' is no application; did you mean 'on-uwsgi'?"),
        ("rollback", {}, "pyhost_only: names no application"),
        ("rollback", {"pyhost_only": CHOSEN, "pyhost_release": "0a"}, "pyhost_release: is the release of one"),
        ("site", {"pyhost_only": "on-uwsgi"}, "pyhost_only: means nothing to the playbook site"),
    ],
)
def test_a_wrong_word_touches_no_host(playbook: str, variables: dict[str, t.Any], words: str) -> None:
    code, output = run(*HOSTS, playbook=f"pyhost.web.{playbook}", **variables)
    assert code != 0
    assert words in output
    assert "PLAY [" in output
    assert output.count("PLAY [") == 1


def test_a_release_that_is_not_there() -> None:
    before = _releases(link="next")
    code, output = run(*HOSTS, playbook="pyhost.web.rollback", pyhost_only="on-uwsgi", pyhost_release="0a1b2c")
    assert code != 0
    assert "release '0a1b2c' is not on this host" in output
    assert _releases(link="next") == before


def test_what_the_site_has_not_put_in_service_yet(host: Host) -> None:
    apps = {"pyhost_apps__new": {"new": {"domains": ["new.example"]}}}
    code, output = run(*HOSTS, playbook="pyhost.web.deploy", pyhost_only="new", **apps)
    assert code != 0
    assert "'new' has no account on this host" in output
    assert not host.file("/srv/pyhost/new").exists
