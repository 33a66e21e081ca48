"""What applications and builds share with the service manager: nothing to spy through, and nothing to fill."""

from __future__ import annotations

import shlex

import pytest
from testinfra.host import Host

from plugins.module_utils._release.sandbox import BUILD, SLICE, limits
from tests.support.attacks import CONNECT, python, taken
from tests.support.visitor import Visitor, address, scenario_hosts

testinfra_hosts = scenario_hosts()

BUILDING = "a build"
ATTACKERS = ("attacker", "attacker-flup", "attacker-apache", BUILDING)
PROCESSES = (
    "busctl --no-pager call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager"
    " GetUnitProcesses s pyhost-victim.service"
)
# What a service needs; the endpoints have tests of their own.
NEEDED = (
    "/run/systemd/journal/dev-log",
    "/run/systemd/journal/socket",
    "/run/systemd/notify",
    "/run/systemd/inaccessible/",
    "/run/pyhost/",
)
TERMINAL = "import os; os.openpty(); print('opened')"
FOLDERS = "/tmp /var/tmp /dev/shm /run/lock /run"
FILL = (
    f"for folder in {FOLDERS}; do head --bytes 600M /dev/zero >$folder/fill;"
    " mkdir $folder/filled; (cd $folder/filled && seq 70000 | xargs touch); done 2>/dev/null; true"
)
FREE = "rm -rf /tmp/fill* /var/tmp/fill* /dev/shm/fill*"


def _step(host: Host, script: str, memory: int = 256 << 20) -> tuple[int, str]:
    """Run a script as a step of the attacker's build; return its status and its output."""
    settings = " ".join(shlex.quote(f"--property={setting}") for setting in [*BUILD, *limits(memory, 512)])
    command = f"systemd-run --wait --pipe --quiet --collect --uid=attacker --slice={SLICE} {settings}"
    done = host.run(f"{command} /bin/sh -c {shlex.quote(script)} </dev/null")
    return done.rc, done.stdout + done.stderr


def _taken(host: Host, attacker: str, script: str) -> tuple[int, str]:
    return _step(host, script) if attacker == BUILDING else taken(host, attacker, script)


@pytest.mark.parametrize("attacker", ATTACKERS)
def test_the_service_manager_tells_nothing(host: Host, attacker: str) -> None:
    """Who reaches the bus reads other accounts' command lines there, which ProtectProc= hides in /proc."""
    assert "uWSGI master" in host.check_output(f"runuser -u nobody -- {PROCESSES}")
    status, output = _taken(host, attacker, PROCESSES)
    assert status != 0
    assert "uWSGI" not in output


@pytest.mark.parametrize("attacker", ATTACKERS)
def test_no_socket_of_the_system_can_be_opened(host: Host, attacker: str) -> None:
    sockets = host.check_output("find /run -type s").splitlines()
    others = [path for path in sockets if not path.startswith(NEEDED)]
    assert "/run/dbus/system_bus_socket" in others
    assert "/run/systemd/private" in others
    # Each connection to it is a file of the service manager in /run, without limit.
    assert "/run/systemd/journal/stdout" in others
    for path in others:
        status, output = _taken(host, attacker, python(CONNECT, path))
        assert status != 0, path
        assert "PermissionError" in output or "FileNotFoundError" in output, output


@pytest.mark.parametrize("attacker", ATTACKERS)
def test_no_terminal_can_be_opened(host: Host, attacker: str) -> None:
    """A host has kernel.pty.max of them for everybody, logins among them."""
    assert host.check_output(f"runuser -u nobody -- {python(TERMINAL)}") == "opened"
    status, output = _taken(host, attacker, python(TERMINAL))
    assert status != 0
    assert "Error" in output
    # As a line: Python 3.13 quotes the program, too.
    assert "opened" not in output.splitlines()


@pytest.mark.parametrize("attacker", ATTACKERS)
def test_accounts_have_names_and_the_log_is_heard(host: Host, attacker: str) -> None:
    word = f"a-word-of-{attacker.replace(' ', '-')}"
    assert _taken(host, attacker, f"id -u victim && logger {word}") == (0, f"{host.user('victim').uid}\n")
    host.check_output("journalctl --sync")
    assert word in host.check_output("journalctl --no-pager --output cat --since -5min")


@pytest.mark.parametrize("attacker", ATTACKERS)
def test_shared_memory_and_queues_are_its_own(host: Host, attacker: str) -> None:
    host.check_output("touch /dev/shm/of-the-host /dev/mqueue/of-the-host")
    assert _taken(host, attacker, "ls /dev/shm /dev/mqueue | grep host") == (1, "")
    status, output = _taken(host, attacker, "readlink /proc/self/ns/ipc")
    assert (status, output.startswith("ipc:")) == (0, True)
    assert output.strip() != host.check_output("readlink /proc/1/ns/ipc")


@pytest.mark.parametrize("attacker", ATTACKERS)
def test_a_core_is_nobodys_business(host: Host, attacker: str) -> None:
    assert _taken(host, attacker, "ulimit -H -c") == (0, "0\n")


def test_who_fills_all_that_it_may_write_stops_nobody(host: Host) -> None:
    """But the data folder, which needs a quota: an application, then a restart, a build and a change of units."""
    attackers = [attacker for attacker in ATTACKERS if attacker != BUILDING]
    for attacker in attackers:
        assert taken(host, attacker, FILL)[0] == 0
        # It has what it may have, and is itself still there.
        assert int(taken(host, attacker, "stat --format %s /tmp/fill")[1]) > 1 << 20
    assert host.check_output(f"find {FOLDERS} -xdev -name 'fill*'") == ""
    host.check_output("systemctl daemon-reload")
    host.check_output("systemctl restart pyhost-victim.service pyhost-victim-flup.service pyhost-victim-apache.service")
    for victim in ("victim", "victim-apache"):
        assert Visitor(address(host), f"{victim}.example").ask("/").status == 200
    assert _step(host, "touch /tmp/x /var/tmp/x /dev/shm/x && echo built") == (0, "built\n")
    for attacker in attackers:
        taken(host, attacker, FREE)


def test_a_step_that_needs_too_much_memory_ends(host: Host) -> None:
    too_much = "exec python3 -c 'print(len(bytearray(600 << 20)))'"
    bare = "systemd-run --wait --pipe --quiet --collect --property=MemoryMax=256M --property=MemorySwapMax=0"
    if host.run(f"{bare} sh -c %s", too_much).rc == 0:
        pytest.skip("systemd enforces no limit of memory in this container")
    assert _step(host, too_much)[0] != 0
    assert _step(host, too_much, memory=1 << 30) == (0, f"{600 << 20}\n")
    # In a file of /dev/shm it counts, too.
    assert _step(host, "head --bytes 600M /dev/zero >/dev/shm/x")[0] != 0
