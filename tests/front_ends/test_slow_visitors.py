"""Visitors that take all the time they can get: the others do not notice, and who says nothing sensible is let go."""

from __future__ import annotations

import csv
import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from testinfra.host import Host

from tests.support.visitor import Visitor, hosts, probes, traffic

# slowhttptest's three attacks: headers, a body, an answer that come or go a few bytes at a time. An answer has to be
# larger than what the sockets hold.
KINDS = {"headers": ("H", "/static/style.css"), "body": ("B", "/upload"), "read": ("X", "/download?200000")}
# 300 connections for 24 seconds; a request of its own, once a second, tells whether it is answered within 5 seconds.
TOOL = "slowhttptest -{kind} -c 300 -i 3 -r 150 -x 24 -p 5 -l 24 -g -o /tmp/slow{kind} -u http://{domain}{path}"


def _attack(host: Host, visitor: Visitor, kind: str) -> dict[str, list[int]]:
    """Return what the tool saw, second by second."""
    letter, path = KINDS[kind]
    if kind == "read" and visitor.differs("slow application"):
        path = "/media/large"
    host.check_output(TOOL.format(kind=letter, domain=visitor.domain, path=visitor.mount + path))
    rows = csv.DictReader(io.StringIO(host.file(f"/tmp/slow{letter}.csv").content_string))
    columns: dict[str, list[int]] = {}
    for row in rows:
        for name, value in row.items():
            columns.setdefault(name, []).append(int(value))
    return columns


@pytest.fixture(scope="module")
def attacked() -> list[Host]:
    """The hosts, with the tool."""
    there = hosts()
    domain, media = probes()[0].visitor(there[0]).domain, f"/var/lib/pyhost/{probes()[0].app}/media"
    install = f"apt-get install -qy slowhttptest && echo 127.0.0.1 {domain} >> /etc/hosts"
    install += f" && head -c 1000000 /dev/zero > {media}/large && chmod 0644 {media}/large"
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda host: host.check_output(install), there))
    return there


def test_slow_visitors_leave_the_others_alone(attacked: list[Host]) -> None:
    visitors = {host: probes()[0].visitor(host) for host in attacked}
    neighbours = [probes()[-1].visitor(host) for host in attacked]
    holds = neighbours[0].differs("slow application")
    # All kinds on all hosts at once: most of the time is waiting.
    with ThreadPoolExecutor() as pool, traffic(neighbours, ["short", "static"], 0.5) as others:
        attacks = {
            f"{kind} on {host.backend.hostname}": pool.submit(_attack, host, visitor, kind)
            for host, visitor in visitors.items()
            for kind in KINDS
        }
        seen = {attack: job.result() for attack, job in attacks.items()}
    assert others.failures == []
    unanswered = [attack for attack, columns in seen.items() if not all(columns["Service Available"])]
    # There a body is the application's matter, too.
    assert [attack for attack in unanswered if not (holds and attack.startswith("body"))] == []
    # The tool ends when nobody is left whose header may still end, else after 24 seconds.
    lasted = [columns["Seconds"][-1] for attack, columns in seen.items() if attack.startswith("headers")]
    slow = neighbours[0].differs("slow header")
    assert [seconds > 22 for seconds in lasted] == [slow] * len(lasted)
