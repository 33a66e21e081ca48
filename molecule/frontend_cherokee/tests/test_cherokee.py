"""What Cherokee does when its configuration changes or it dies; what visitors of its sites see is in tests/claims."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from testinfra.host import Host

from tests.support.playbook import converge, run
from tests.support.visitor import Visitor, address, probes, scenario_hosts, visiting

testinfra_hosts = scenario_hosts()
PROBES = probes()


def _worker(host: Host) -> list[str]:
    return host.check_output("pgrep --exact cherokee-worker").split()


def _configuration(host: Host) -> str:
    return host.check_output("cat /etc/cherokee/cherokee.conf /etc/cherokee/pyhost/*/*")


def test_a_reload_ends_no_request(host: Host) -> None:
    """New connections are refused for half a second: that is Cherokee's."""
    before = _worker(host)
    visitor = Visitor(address(host), "uwsgi-root.example")
    with ThreadPoolExecutor() as pool, visiting([host], "fastcgi-root.example") as failures:
        begun = pool.submit(visitor.ask, "/sleep?8")
        time.sleep(1)
        host.check_output("systemctl reload cherokee")
        assert begun.result().status == 200
    assert _worker(host) != before
    assert not [failure for failure in failures if "refused" not in failure and "reset" not in failure], failures


def test_only_the_parent_is_root(host: Host) -> None:
    processes = host.check_output("ps --no-headers -eo user,comm").splitlines()
    users = sorted(process.split() for process in processes if "cherokee" in process)
    assert users == [["root", "cherokee"], ["www-data", "cherokee-worker"]]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("nonsense = 1", "Unknown key 'nonsense'"),
        ("no line at all", "could not parse the configuration"),
        # Its own test finds nothing wrong with this one, and the server dies of it.
        ("error_writer!filename = /nonexistent/error.log", "/nonexistent/error.log"),
    ],
)
def test_a_broken_site_takes_no_other_down(host: Host, lines: str, words: str) -> None:
    before = _configuration(host)
    code, output = run(host, extra_lines=lines)
    assert code == 2
    assert words in output
    if "nonexistent" not in words:
        assert "application uwsgi-sub: " in output
    assert _configuration(host) == before
    for probe in PROBES:
        assert probe.visitor(host).ask("/env").status == 200


def test_lines_of_an_application(host: Host) -> None:
    visitor = Visitor(address(host), "uwsgi-sub.example", "/sub")
    converge(host, extra_lines="keepalive = 0")
    assert visitor.ask("/env").headers["Connection"].lower() == "close"
    converge(host)
    assert visitor.ask("/env").headers.get("Connection", "").lower() != "close"


@pytest.mark.parametrize("process", ["cherokee-worker", "cherokee"])
def test_it_comes_back_when_it_is_killed(host: Host, process: str) -> None:
    # What is left of it may answer for a moment.
    before = host.check_output("pgrep --exact %s", process).split()
    host.check_output("pkill --signal KILL --exact %s", process)
    visitor = Visitor(address(host), "uwsgi-root.example")
    deadline = time.monotonic() + 60
    while True:
        others = set(host.run("pgrep --exact %s", process).stdout.split()) - set(before)
        with contextlib.suppress(OSError):
            if others and visitor.ask("/env").status == 200:
                return
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_logs_can_be_rotated_by_copy_and_truncation(host: Host) -> None:
    log = "/var/log/cherokee/uwsgi-root.example.access.log"
    host.check_output("truncate --size 0 %s", log)
    Visitor(address(host), "uwsgi-root.example").ask("/env/rotated")
    deadline = time.monotonic() + 60
    while not (written := host.file(log).content):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert b"/env/rotated" in written
    assert b"\0" not in written


def test_private_files_where_there_is_one_user(host: Host) -> None:
    visitor = Visitor(address(host), "uwsgi-root.example")
    only = {"uwsgi-root": {"domains": [visitor.domain], "private": {"/private/": "private"}}}
    try:
        converge(host, pyhost_apps=only)
        # Of the headers of all front ends, Cherokee needs that one alone.
        answer = visitor.ask("/secret?x-sendfile" if visitor.differs("private file") else "/secret")
        assert answer.body == b"a bill\n"
        assert not {"x-accel-redirect", "x-sendfile"} & {name.lower() for name in answer.headers}
        assert visitor.ask("/private/bill.txt").status == 404
    finally:
        converge(host)
