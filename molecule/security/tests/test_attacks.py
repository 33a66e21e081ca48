"""What somebody tries who has a shell as one application's user, or has taken an application over."""

from __future__ import annotations

import re
import shlex

import pytest
from testinfra.host import Host

from tests.support.attacks import ATTACKS, DENIED, SHELL, python, taken, targets
from tests.support.visitor import Visitor, address, scenario_hosts

testinfra_hosts = scenario_hosts()

# By the back end that runs them; attacker-flup may open network connections.
APPLICATIONS = ("attacker", "attacker-flup", "attacker-apache")
ATTACKERS = (SHELL, *APPLICATIONS)


@pytest.fixture(scope="module")
def named(host: Host) -> dict[str, str]:
    """What the attacks name."""
    return targets(host, "nginx")


@pytest.mark.parametrize("attack", ATTACKS)
def test_refused(host: Host, named: dict[str, str], attack: str) -> None:
    command, refusal = ATTACKS[attack].of(named), ATTACKS[attack].refusal
    control = host.run("cd / && exec runuser -u %s -- sh -c %s", ATTACKS[attack].owner, command)
    assert control.rc == 0, control.stderr
    for attacker in ATTACKERS:
        status, output = taken(host, attacker, command)
        assert status != 0, attacker
        assert re.search(refusal, output), (attacker, output)
        assert "the-victims-secret" not in output


@pytest.mark.parametrize("attacker", ATTACKERS)
@pytest.mark.parametrize(
    "command",
    [
        "systemctl show pyhost-victim.service pyhost-victim-flup.service pyhost-victim-apache.service",
        "systemctl cat pyhost-victim.service pyhost-victim-flup.service pyhost-victim-apache.service",
        "cat /etc/pyhost/uwsgi/victim.* /etc/pyhost/mod_wsgi/victim-apache.conf /etc/pyhost/flup/victim-flup.py",
        "tr '\\0' ' ' </proc/[0-9]*/cmdline; ps -eo args",
        "journalctl --no-pager --unit pyhost-victim.service --unit pyhost-victim-apache.service; true",
    ],
    ids=["properties", "units", "configuration", "arguments", "journal"],
)
def test_what_everybody_may_read_tells_no_secret(host: Host, attacker: str, command: str) -> None:
    _status, output = taken(host, attacker, f"({command}) 2>&1; true")
    assert "the-victims-secret" not in output
    # What the application said itself, when it was asked to crash.
    assert "nobody catches" not in output


@pytest.mark.parametrize("attacker", [SHELL, "attacker-flup"])
def test_the_apache_of_an_application_answers_its_relay_alone(host: Host, attacker: str) -> None:
    ports = host.check_output("ss --no-header --listening --tcp --numeric --processes").splitlines()
    own = [line.split()[3] for line in ports if line.split()[3].startswith("127.0.0.1:")]
    assert len(own) == 1
    port = own[0].rpartition(":")[2]
    for greeting in ("", "PROXY TCP4 127.0.0.1 127.0.0.1 1 1\\r\\n", "PROXY TCP6 fd00::1 ::1 1 1\\r\\n"):
        said = f"{greeting}GET /env HTTP/1.1\\r\\nHost: victim-apache.example\\r\\nConnection: close\\r\\n\\r\\n"
        command = f"exec 3<>/dev/tcp/127.0.0.1/{port}; printf {said!r} >&3; cat <&3"
        _status, output = taken(host, attacker, f"timeout 2 bash -c {shlex.quote(command)} 2>&1")
        assert "SERVER_PROTOCOL" not in output
        assert not output or re.search("403 Forbidden|400 Bad Request", output), output
    assert Visitor(address(host), "victim-apache.example").ask("/env").json()["SERVER_PROTOCOL"]


@pytest.mark.parametrize("attacker", ["attacker", "attacker-apache"])
def test_without_network_there_is_nobody_to_connect_to(host: Host, attacker: str) -> None:
    for target in ("127.0.0.1/80", f"{address(host)}/80"):
        command = f"timeout 5 bash -c 'exec 3<>/dev/tcp/{target}'"
        assert host.run(command).rc == 0
        status, output = taken(host, attacker, f"{command} 2>&1")
        assert status != 0
        assert re.search("Connection refused|Network is unreachable|not supported|Operation not permitted", output)


def test_the_front_ends_port_istaken(host: Host) -> None:
    bind = python("import socket, sys; socket.create_server(('', int(sys.argv[1])))", "80")
    for attacker in (SHELL, "attacker-flup"):
        status, output = taken(host, attacker, bind)
        assert status != 0
        assert re.search("Permission denied|Address already in use", output)


# In a folder that the front end's group owns, so that new files belong to that group, too.
GROUP = "cd /var/lib/pyhost/attacker/media && rm -f x && "
RIGHTS = {
    "set when the file is made": python("import os; os.close(os.open('x', os.O_CREAT | os.O_WRONLY, 0o2775))"),
    "set later": "cp /bin/true x; chmod 2775 x",
}


@pytest.mark.parametrize("attacker", [SHELL, "attacker"])
@pytest.mark.parametrize("way", RIGHTS)
def test_no_program_with_the_rights_of_the_front_ends_group(host: Host, attacker: str, way: str) -> None:
    taken(host, attacker, GROUP + RIGHTS[way])
    made = host.run("stat --format '%G %a' /var/lib/pyhost/attacker/media/x").stdout.split()
    assert not made or made[0] != "www-data" or int(made[1], 8) & 0o2000 == 0


@pytest.mark.parametrize("attacker", APPLICATIONS)
def test_no_program_with_the_rights_of_its_own_user(host: Host, attacker: str) -> None:
    status, output = taken(host, attacker, f"cd /var/lib/pyhost/{attacker} && cp /bin/true x && chmod 4755 x")
    assert status != 0
    assert re.search(DENIED, output)


@pytest.mark.parametrize(
    "command",
    [
        python("import mmap; mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)"),
        "touch /srv/uploads/x && rm /srv/uploads/x",
        "exec 3<>/dev/tcp/127.0.0.1/80",
        "cat /proc/meminfo /proc/loadavg /proc/mounts >/dev/null",
    ],
    ids=["jit", "writable_paths", "network", "proc"],
)
def test_what_a_sandbox_forbids_is_left_to_an_application_by_name(host: Host, command: str) -> None:
    command = f"bash -c {shlex.quote(command)} 2>&1"
    assert taken(host, "attacker-flup", command) == (0, "")
    for attacker in ("attacker", "attacker-apache"):
        status, output = taken(host, attacker, command)
        assert status != 0
        assert re.search(f"{DENIED}|not supported|refused|unreachable|No such file", output), output
