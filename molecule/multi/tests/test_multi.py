"""Three front ends, three back ends: shares, a rolling deploy, back ends that die, and who may connect to them."""

from __future__ import annotations

import subprocess
import time
import typing as t
from collections import Counter

import pytest
from testinfra.host import Host

from plugins.module_utils._catalog import FRONT_ENDS
from plugins.plugin_utils._model.topology import stable_port
from tests.support.each_back_end import APPS
from tests.support.playbook import converge, run
from tests.support.visitor import Visitor, address, hosts, traffic

HOSTS = {str(host.backend.hostname).rpartition("-")[2]: host for host in hosts()}
PUBLISHERS = [name for name in FRONT_ENDS if name in HOSTS]
FRONTS = [HOSTS[name] for name in PUBLISHERS]
BACKS = [HOSTS[name] for name in ("one", "two", "three")]
VISITORS = [
    Visitor(address(front), f"{app}.example", front_end=name)
    for name, front in zip(PUBLISHERS, FRONTS, strict=True)
    for app in APPS
]

# Who asks another back end when one breaks off before it has begun to answer; the others do so only where they could
# not even connect, and lose what was on its way.
ASKS_AGAIN = ("nginx",)


def _answers(visitor: Visitor, requests: int = 30) -> Counter[str]:
    """Return how many requests each back end has answered."""
    return Counter(visitor.ask("/where").json() for _ in range(requests))


def _all_answer_again() -> None:
    """Wait until every back end has its share of every application behind every front end."""
    deadline = time.monotonic() + 90
    while min(len(_answers(visitor)) for visitor in VISITORS) < len(BACKS):
        assert time.monotonic() < deadline, [_answers(visitor) for visitor in VISITORS]
        time.sleep(1)


def _docker(*words: str) -> None:
    subprocess.run(["docker", *words], check=True, capture_output=True)


def _connects(host: Host, other: Host, app: str) -> bool:
    script = f"exec 3<>/dev/tcp/{address(other)}/{stable_port(app)}"
    return bool(host.run("timeout 3 bash -c %s", script).succeeded)


def test_every_back_end_has_its_share() -> None:
    _all_answer_again()


def test_a_host_alone_knows_the_others_from_the_inventory() -> None:
    assert converge(FRONTS[1], BACKS[2]).count("changed=0 ") == 2


@pytest.mark.parametrize("app", APPS)
def test_only_front_ends_can_connect(app: str) -> None:
    for front in FRONTS:
        assert _connects(front, BACKS[0], app)
    for stranger in BACKS[1:]:
        assert not _connects(stranger, BACKS[0], app)
    # Not even from the host itself: it publishes nothing.
    assert not _connects(BACKS[0], BACKS[0], app)


@pytest.mark.parametrize("app", APPS)
def test_a_page_that_crashes_takes_no_back_end_out_of_service(app: str) -> None:
    visitors = [visitor for visitor in VISITORS if visitor.domain.startswith(f"{app}.")]
    assert {visitor.ask("/crash").status for visitor in visitors for _ in range(20)} == {500}
    assert {visitor.ask("/env").status for visitor in visitors for _ in range(10)} == {200}


def test_a_rolling_deploy_fails_no_request() -> None:
    with traffic(VISITORS, pause=0.5) as seen:
        converge(*HOSTS.values(), playbook="pyhost.web.deploy", setup=["echo 2 > made-by-setup"])
    assert seen.failures == []
    assert len(seen.requests) > 200
    for back in BACKS:
        for app in APPS:
            assert back.file(f"/srv/pyhost/{app}/current/code/made-by-setup").content_string == "2\n"


def test_a_rollout_that_goes_wrong_ends_at_the_first_host() -> None:
    before = [back.check_output("readlink /srv/pyhost/on-uwsgi/current") for back in BACKS]
    # What only the server itself finds out, not the check before it.
    spoil = """echo 'import sys
if "uwsgi" in sys.modules:
    def application(environ, start): raise RuntimeError("only in service")' >> probe.py"""
    with traffic(VISITORS, ("short",), 0.2) as seen:
        code, output = run(*HOSTS.values(), playbook="pyhost.web.deploy", pyhost_only="on-uwsgi", setup=[spoil])
    assert code != 0
    assert "uwsgi+unix://" in output
    assert "RuntimeError: only in service" in output
    assert output.count("FAILED!") == 1
    assert [back.check_output("readlink /srv/pyhost/on-uwsgi/current") for back in BACKS] == before
    # A third of those of one application, for a moment.
    assert {request.visitor.domain for request in seen.failures} <= {"on-uwsgi.example"}
    print(f"{len(seen.failures)} of {len(seen.requests)} requests failed")
    assert len(seen.failures) < len(seen.requests) / 10
    _all_answer_again()


def _processes_killed(host: Host) -> None:
    host.check_output("systemctl kill --signal KILL 'pyhost-*.service'")


def _killed(host: Host) -> None:
    _docker("kill", "--signal", "KILL", host.backend.name)
    time.sleep(10)
    _docker("start", host.backend.name)


def _cut_off(host: Host) -> None:
    # Packets vanish, as they do when a cable is pulled.
    _docker("exec", host.backend.name, "ip", "link", "set", "eth0", "down")
    time.sleep(10)
    _docker("exec", host.backend.name, "ip", "link", "set", "eth0", "up")


def _rebooted(host: Host) -> None:
    _docker("restart", "--time", "30", host.backend.name)


@pytest.mark.parametrize("accident", [_processes_killed, _killed, _cut_off, _rebooted])
def test_visitors_do_not_notice_what_happens_to_a_back_end(accident: t.Callable[[Host], None]) -> None:
    with traffic(VISITORS, ("short", "short"), 0.1) as seen:
        time.sleep(1)
        accident(BACKS[1])
        time.sleep(5)
    for front_end in PUBLISHERS:
        asked = [request for request in seen.requests if request.visitor.front_end == front_end]
        failed = Counter(request.outcome for request in asked if request.outcome != 200)
        longest = max(request.end - request.begin for request in asked)
        failures = f"{sum(failed.values())} of {len(asked)} requests failed {dict(failed)}"
        print(f"{front_end}: {failures}, the longest took {longest:.1f} s")
        assert len(asked) > 50
        if front_end in ASKS_AGAIN or accident is _cut_off:
            assert not failed
        # Six ask at a time.
        assert sum(failed.values()) <= 6 * 4
    _all_answer_again()
