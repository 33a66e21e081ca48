"""An application that takes all it can get."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from testinfra.host import Host

from tests.support.visitor import Visitor, address, scenario_hosts, traffic

testinfra_hosts = scenario_hosts()
ATTACKERS = ("attacker", "attacker-flup", "attacker-apache")
# Without TLS.
VICTIMS = ("victim", "victim-apache")


def _ask(host: Host, attacker: str, script: str) -> int:
    return Visitor(address(host), f"{attacker}.example").ask("/", "POST", script.encode()).status


@pytest.mark.parametrize("attacker", ATTACKERS)
def test_memory_and_processes_have_an_end(host: Host, attacker: str) -> None:
    """What systemd is told to enforce."""
    show = host.check_output("systemctl show pyhost-%s.service --property MemoryMax,MemorySwapMax,TasksMax", attacker)
    limits = dict(line.split("=") for line in show.splitlines())
    assert limits["MemoryMax"] == limits["MemorySwapMax"] == str(256 * 1024**2)
    assert 512 < int(limits["TasksMax"]) < 2048


def _enforced(host: Host, attacker: str, limit: str) -> bool:
    """Whether the kernel has the limit, in either version of control groups."""
    group = host.check_output("systemctl show pyhost-%s.service --property ControlGroup --value", attacker)
    files = {"memory": ("memory.max", "memory.limit_in_bytes"), "pids": ("pids.max", "pids.max")}[limit]
    told = host.run("cat /sys/fs/cgroup%s/%s /sys/fs/cgroup/%s%s/%s", group, files[0], limit, group, files[1]).stdout
    return told.strip().isdigit()


@pytest.mark.parametrize("attacker", ATTACKERS)
@pytest.mark.parametrize(
    ("limit", "script"),
    [
        ("memory", "exec python3 -c 'print(len(bytearray(600 << 20)))'"),
        ("pids", "for i in $(seq 3000); do sleep 3 & done"),
    ],
    ids=["memory", "processes"],
)
def test_what_is_over_the_limit_fails_and_neighbours_answer_all(
    host: Host, attacker: str, limit: str, script: str
) -> None:
    if not _enforced(host, attacker, limit):
        pytest.skip(f"systemd enforces no limit of {limit} in this container: it may not make control groups there")
    with traffic([Visitor(address(host), f"{name}.example") for name in VICTIMS], ["short"], 0.05) as seen:
        answer = Visitor(address(host), f"{attacker}.example").ask("/", "POST", script.encode())
    assert answer.status != 200 or json.loads(answer.body)["rc"] != 0
    assert seen.requests
    assert [str(request) for request in seen.failures] == []
    # It goes on, or has begun anew by itself.
    end = time.monotonic() + 60
    while _ask(host, attacker, "true") != 200:
        assert time.monotonic() < end
        time.sleep(0.5)


def test_neighbours_answer_while_others_take_all_processors(host: Host) -> None:
    # Neither `timeout` nor `wait`: threads of uWSGI have all signals blocked, and so has what they start.
    busy = "import time; end = time.time() + 5; any(time.time() > end for _ in iter(int, 1))"
    script = f"for i in 1 2 3 4 5 6 7 8; do python3 -c '{busy}' & done"
    with (
        ThreadPoolExecutor() as pool,
        traffic([Visitor(address(host), f"{name}.example") for name in VICTIMS], ["short"], 0.05) as seen,
    ):
        assert set(pool.map(lambda attacker: _ask(host, attacker, script), ATTACKERS)) == {200}
    assert seen.requests
    assert [str(request) for request in seen.failures] == []


@pytest.mark.parametrize("attacker", ATTACKERS)
def test_log(host: Host, attacker: str) -> None:
    """journald takes no more than some thousand lines in half a minute of one service, and all of the others."""
    begin = host.check_output("date +%s")
    assert _ask(host, attacker, "yes 'a line of the flood' | head -n 200000 | logger") == 200
    host.check_output("journalctl --sync")
    unit = f"journalctl --no-pager --output cat --since @{begin}"
    kept = int(host.check_output(f"{unit} --unit pyhost-{attacker}.service | grep -c flood"))
    assert 0 < kept < 150000
    assert Visitor(address(host), "victim.example").ask("/crash").status == 500
    assert "nobody catches" in host.check_output(f"{unit} --unit pyhost-victim.service")
