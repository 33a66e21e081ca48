"""Applications behind systemd sockets, asked over the uwsgi protocol, and kept apart from each other."""

from __future__ import annotations

import json
import shlex
import typing as t
from pathlib import Path

import pytest
from testinfra.host import Host

from tests.support.processes import exposure, main_process, start_in_vain, wait_for_another
from tests.support.visitor import scenario_hosts

testinfra_hosts = scenario_hosts()

CLIENT = (Path(__file__).parents[3] / "tests" / "support" / "uwsgi_client.py").read_text()
APPS = ["shop", "blog", "own"]


def _client(app: str, url: str, *options: str) -> str:
    arguments = shlex.join(["-", f"/run/pyhost/{app}.sock", url, *options])
    return f"python3 {arguments} <<'PYTHON'\n{CLIENT}\nPYTHON"


def _ask(host: Host, app: str, url: str) -> t.Any:
    answer = host.check_output(_client(app, url))
    return json.loads(answer.partition("\r\n\r\n")[2])


def _processes(host: Host, app: str) -> list[str]:
    """Return the process IDs of the master and of its workers."""
    master = main_process(host, app)
    return [master, *host.check_output("pgrep -P %s", master).split()]


def _wait(host: Host, condition: str) -> None:
    """Return as soon as a shell command succeeds."""
    host.check_output("timeout 60 sh -c %s", f"until {condition}; do sleep 0.2; done")


@pytest.fixture
def isolated(host: Host) -> t.Callable[[str], int]:
    """Return what a command of shop's user ends with."""
    return lambda command: host.run("runuser -u shop -- sh -c %s", command).rc


@pytest.mark.parametrize("app", APPS)
def test_application_answers_as_its_own_user(host: Host, app: str) -> None:
    assert _ask(host, app, "/env")["PATH_INFO"] == "/env"
    owners = host.check_output("ps -o user= --pid %s", ",".join(_processes(host, app))).split()
    assert len(owners) >= 2
    assert set(owners) == {app}


def test_environment_arrives_to_the_letter(host: Host) -> None:
    environment = _ask(host, "shop", "/environment")
    assert environment["TRICKY"] == "spaces  'single' \"double\" $HOME `id` back\\slash #hash\nsecond line %d {{ ü"
    assert environment["STATE_DIRECTORY"] == "/var/lib/pyhost/shop"


@pytest.mark.parametrize("app", APPS)
def test_the_venv_of_the_release_is_the_interpreter_s(host: Host, app: str) -> None:
    release = host.check_output("readlink -f /srv/pyhost/%s/current", app)
    python = _ask(host, app, "/python")
    assert host.check_output("readlink -f %s", python["prefix"]) == f"{release}/venv"
    assert [path for path in python["path"] if path.endswith("site-packages")]
    assert not [path for path in python["path"] if path.endswith("dist-packages")]
    assert ("pyuwsgi" in host.check_output("systemctl cat pyhost-%s.service", app)) == (app == "own")


@pytest.mark.parametrize("app", APPS)
def test_sandbox_exposure_is_at_most_one(host: Host, app: str) -> None:
    assert exposure(host, f"pyhost-{app}.service") <= 1.0


def test_what_the_host_logs_is_not_there_for_an_application(host: Host) -> None:
    assert host.check_output("runuser -u shop -- ls /var/log") != ""
    assert _ask(host, "shop", "/folder?/var/log") == "Permission denied"
    assert "pyhost" in _ask(host, "shop", "/folder?/etc")


@pytest.mark.parametrize(
    "command",
    [
        "cat /srv/pyhost/blog/current/code/probe.py",
        "ls /srv/pyhost/blog/current/code",
        "ls /srv/pyhost/blog/current/venv",
        "cat /etc/pyhost/blog.env",
        "cat /etc/pyhost/shop.env",
        "ls /var/lib/pyhost/blog",
        "cat /var/lib/pyhost/blog/requests",
        "ls /var/cache/pyhost/blog",
        "touch /srv/pyhost/shop/current/code/x",
        "touch /srv/pyhost/shop/x",
        "touch /run/pyhost/shop2.sock",
        "tr '\\0' '\\n' </proc/$(pgrep -o -u blog)/environ | grep blog-secret",
        "systemctl show pyhost-blog.service | grep blog-secret",
        "python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect(\"/run/pyhost/blog.sock\")'",
    ],
)
def test_another_application_is_out_of_reach(host: Host, isolated: t.Callable[[str], int], command: str) -> None:
    assert isolated("exit 0") == 0
    assert isolated(command) != 0


def test_own_things_are_in_reach(isolated: t.Callable[[str], int]) -> None:
    for command in (
        "cat /srv/pyhost/shop/current/code/probe.py",
        "touch /var/lib/pyhost/shop/x",
        "python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect(\"/run/pyhost/shop.sock\")'",
    ):
        assert isolated(command) == 0, command


@pytest.mark.parametrize("app", APPS)
@pytest.mark.parametrize("verb", ["reload-or-restart", "restart"])
def test_no_request_fails_meanwhile(host: Host, app: str, verb: str) -> None:
    before = _processes(host, app)
    change = f"systemctl {verb} pyhost-{app}.service"
    # The application computes, so that the signal which ends a worker interrupts Python and not a wait.
    output = host.check_output(_client(app, "/compute?0.02", f"sleep 1; {change} && sleep 2 && {change} && sleep 1"))
    load = json.loads(output)
    assert load["failures"] == {}
    assert load["answered"] > 50
    # A reload goes on after systemctl has returned.
    _wait(host, f"! ps --pid {','.join(before[1:])}")
    assert (_processes(host, app)[0] == before[0]) == (verb == "reload-or-restart" and app != "own")


@pytest.mark.parametrize("app", ["shop", "own"])
def test_it_ends_while_its_workers_start(host: Host, app: str) -> None:
    """Of so many workers, some have always only just been forked."""
    unit, file = f"pyhost-{app}.service", f"/etc/pyhost/uwsgi/{app}.ini"
    host.check_output("cp -p %s /run/whole.ini && sed -i 's/^processes = .*/processes = 16/' %s", file, file)
    begin = host.check_output("date +%s")
    for _ in range(6):
        host.check_output("systemctl restart %s && systemctl reset-failed %s", unit, unit)
    host.check_output("mv /run/whole.ini %s && systemctl restart %s", file, unit)
    assert "timed out" not in host.check_output(f"journalctl --unit {unit} --since @{begin}")
    assert _ask(host, app, "/env")["PATH_INFO"] == "/env"


@pytest.mark.parametrize("whose", ["worker", "master"])
def test_it_comes_back_after_sigkill(host: Host, whose: str) -> None:
    master, *workers = _processes(host, "shop")
    victim = master if whose == "master" else workers[0]
    host.check_output("kill -9 %s", victim)
    if whose == "master":
        # Until systemd has seen it, requests still reach the workers that it is about to kill.
        wait_for_another(host, "shop", master)
    # systemd holds the socket meanwhile, so the request waits and is answered.
    assert _ask(host, "shop", "/env")["PATH_INFO"] == "/env"
    _wait(host, "systemctl is-active pyhost-shop.service")


def test_it_comes_back_when_it_could_not_start_for_long(host: Host) -> None:
    start_in_vain(host, "pyhost-shop.service", "/srv/pyhost/shop/current/code/probe.py")
    # systemd holds the socket meanwhile, so the request waits and is answered.
    assert _ask(host, "shop", "/env")["PATH_INFO"] == "/env"


def test_memory_limit_is_the_applications(host: Host) -> None:
    assert host.check_output("systemctl show --value --property MemoryMax pyhost-shop.service") == str(512 * 1024**2)


def test_everything_is_back_after_a_reboot(host: Host) -> None:
    """What a boot does: nothing runs, /run is empty, then the targets pull in what is enabled."""
    host.check_output("systemctl stop 'pyhost-*.service' 'pyhost-*.socket' && rm -rf /run/pyhost")
    host.check_output("systemd-tmpfiles --create && systemctl start sockets.target multi-user.target")
    for app in APPS:
        assert _ask(host, app, "/env")["PATH_INFO"] == "/env"
        _wait(host, f"systemctl is-active pyhost-{app}.service")
