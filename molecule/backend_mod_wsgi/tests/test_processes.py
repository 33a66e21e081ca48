"""The probe on mod_wsgi behind nginx, each in an Apache of its own: what tests/claims does not ask."""

from __future__ import annotations

import shlex
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from testinfra.host import Host

from tests.support.playbook import converge, run
from tests.support.processes import exposure, main_process, start_in_vain, wait_for_another
from tests.support.visitor import Visitor, hosts, meanwhile, probes, scenario_hosts

testinfra_hosts = scenario_hosts()
HOSTS = hosts()

PROBES = {probe.app: probe for probe in probes()}
APPS = list(PROBES)
EVERYWHERE = [(host, app) for host in HOSTS for app in APPS]
DAEMONS = {"root-mount": 2, "sub-mount": 1}
TRICKY = "spaces  'single' \"double\" $HOME `id` back\\slash #hash\nsecond line %d ü"


def _visitor(host: Host, app: str) -> Visitor:
    return PROBES[app].visitor(host)


def _apache(host: Host, app: str) -> str:
    """Return the first process of the application's Apache."""
    return host.check_output("pgrep -P %s -x apache2", main_process(host, app))


def _daemons(host: Host, app: str) -> list[str]:
    """Return the processes that hold the application, which call themselves so."""
    return host.check_output("pgrep -P %s -f '^.wsgi:%s.'", _apache(host, app), app).split()


@pytest.mark.parametrize("app", APPS)
def test_processes_and_threads_are_what_the_description_says(host: Host, app: str) -> None:
    environ = _visitor(host, app).ask("/env").json()
    assert (environ["wsgi.multiprocess"], environ["wsgi.multithread"]) == (DAEMONS[app] > 1, True)
    assert len(_daemons(host, app)) == DAEMONS[app]
    for process in (main_process(host, app), _apache(host, app), *_daemons(host, app)):
        assert host.check_output("ps -o user:32= --pid %s", process) == app


def test_no_apache_runs_but_the_applications_own(host: Host) -> None:
    owners = set(host.check_output("ps -o user:32= -C apache2").split())
    assert owners == set(APPS)
    assert host.run("systemctl is-active apache2.service").rc != 0


@pytest.mark.parametrize("app", APPS)
def test_sandbox_exposure(host: Host, app: str) -> None:
    # sub-mount may open network connections. Of a /tmp in memory, systemd counts 0.2 as if it were the host's.
    assert exposure(host, f"pyhost-{app}.service") <= (1.4 if app == "sub-mount" else 0.9)


@pytest.mark.parametrize("app", APPS)
def test_the_interpreter_is_the_release_s(host: Host, app: str) -> None:
    python = _visitor(host, app).ask("/python").json()
    # Not by the name current: what runs on while a release takes over imports from its own.
    release = host.check_output("readlink -f /srv/pyhost/%s/current", app)
    assert python["prefix"] == f"{release}/venv"
    assert python["path"][0] == f"{release}/code"
    assert not [path for path in python["path"] if "current" in path or "dist-packages" in path or path == "/"]


def test_environment_arrives_to_the_letter(host: Host) -> None:
    environment = _visitor(host, "root-mount").ask("/environment").json()
    assert environment["TRICKY"] == TRICKY
    assert environment["STATE_DIRECTORY"] == "/var/lib/pyhost/root-mount"
    assert not {"LISTEN_FDS", "LISTEN_PID", "NOTIFY_SOCKET"} & set(environment)


@pytest.mark.parametrize(
    "command",
    [
        "cat /etc/pyhost/mod_wsgi/root-mount.wsgi",
        "cat /srv/pyhost/root-mount/current/code/probe.py",
        "ls /var/lib/pyhost/root-mount",
        "ls /run/pyhost/root-mount",
        "tr '\\0' '\\n' </proc/$(pgrep -o -u root-mount)/environ",
        "python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect(\"/run/pyhost/root-mount.sock\")'",
        "echo x >> /etc/pyhost/mod_wsgi/sub-mount.wsgi",
    ],
)
def test_another_application_is_out_of_reach(host: Host, command: str) -> None:
    assert host.run("runuser -u sub-mount -- sh -c %s", command).rc != 0
    assert host.run("runuser -u sub-mount -- cat /etc/pyhost/mod_wsgi/sub-mount.wsgi").rc == 0


def test_nobody_reaches_the_port_of_an_application_without_network(host: Host) -> None:
    def connects(app: str) -> bool:
        port = host.check_output("ps -o args= --pid %s", _apache(host, app)).split("127.0.0.1:")[1].split()[0]
        return host.run(f"python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", {port}))'").succeeded

    # The other one has the host's network, and so has its Apache.
    assert (connects("root-mount"), connects("sub-mount")) == (False, True)


@pytest.mark.parametrize("app", APPS)
def test_more_requests_than_threads_wait(host: Host, app: str) -> None:
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: _visitor(host, app).ask("/sleep?0.5").status, range(12)))
    assert answers == [200] * 12


@pytest.mark.parametrize("app", APPS)
def test_an_uncaught_exception_tells_visitors_nothing(host: Host, app: str) -> None:
    answer = _visitor(host, app).ask("/crash")
    assert answer.status == 500
    assert b"probe" not in answer.body
    assert b"Traceback" not in answer.body


@pytest.mark.parametrize("app", APPS)
def test_a_restart_finishes_what_it_has_begun(host: Host, app: str) -> None:
    with ThreadPoolExecutor() as pool:
        long = pool.submit(_visitor(host, app).ask, "/sleep?3")
        statuses = meanwhile(
            [_visitor(host, app)], lambda: host.check_output("systemctl restart pyhost-%s.service", app)
        )
        assert long.result().status == 200
    assert set(statuses) == {200}
    assert len(statuses) > 20


@pytest.mark.parametrize("app", APPS)
@pytest.mark.parametrize("whose", ["daemon", "apache", "relay"])
def test_it_comes_back_after_sigkill(host: Host, app: str, whose: str) -> None:
    killed = {"daemon": _daemons(host, app)[0], "apache": _apache(host, app), "relay": main_process(host, app)}[whose]
    main = main_process(host, app)
    host.check_output("kill -9 %s", killed)
    if whose != "daemon":
        wait_for_another(host, app, main)
    assert _visitor(host, app).ask("/env").status == 200
    deadline = time.monotonic() + 60
    while host.run("pgrep -u %s -c -f '^.wsgi:'", app).stdout.strip() != str(DAEMONS[app]):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_it_comes_back_when_it_could_not_start_for_long(host: Host) -> None:
    start_in_vain(host, "pyhost-root-mount.service", "/srv/pyhost/root-mount/current/code/probe.py")
    # systemd holds the socket meanwhile, so the request waits and is answered.
    assert _visitor(host, "root-mount").ask("/env").status == 200


def _told(host: Host, app: str) -> dict[str, str]:
    told = _visitor(host, app).ask("/env/page?a=b").json()
    return {key: told[key] for key in ("SCRIPT_NAME", "PATH_INFO", "HTTP_HOST", "REMOTE_ADDR", "wsgi.url_scheme")}


def _pages() -> dict[tuple[Host, str], dict[str, str]]:
    return {(host, app): _told(host, app) for host, app in EVERYWHERE}


def _new_release_while_requests_flow(number: int, **variables: str) -> None:
    """A new release in service, without a failed request, in each of the processes."""
    visitors = [_visitor(host, app) for host, app in EVERYWHERE]
    setup = [f"echo {number} > made-by-setup"]
    statuses = meanwhile(visitors, lambda: str(converge(*HOSTS, setup=setup, **variables)))
    assert set(statuses) == {200}
    assert len(statuses) > 200
    for host, app in EVERYWHERE:
        release = host.check_output("readlink -f /srv/pyhost/%s/current", app)
        assert host.file(f"{release}/code/made-by-setup").content_string == f"{number}\n"
        prefixes = {_visitor(host, app).ask("/python").json()["prefix"] for _ in range(8)}
        assert prefixes == {f"{release}/venv"}


def test_a_new_release_fails_no_request_and_restarts_no_apache() -> None:
    before = {(host, app): _apache(host, app) for host, app in EVERYWHERE}
    _new_release_while_requests_flow(2)
    assert {(host, app): _apache(host, app) for host, app in EVERYWHERE} == before


def test_a_broken_release_is_refused_with_its_traceback() -> None:
    code, output = run(*HOSTS, setup=["sh -c 'echo raise RuntimeError\\(42\\) >> probe.py'"])
    assert code != 0
    assert output.count("RuntimeError: 42") >= len(HOSTS)
    assert {_visitor(host, app).ask("/env").status for host, app in EVERYWHERE} == {200}


def _opened() -> list[str]:
    since = "systemctl show --value --property ActiveEnterTimestampMonotonic pyhost-%s.socket"
    return [host.check_output(since, app) for host, app in EVERYWHERE]


def test_every_other_way_and_back_leaves_nothing_behind() -> None:
    opened, pages = _opened(), _pages()
    for playbook, own in (
        ("uwsgi", "uwsgi"),
        ("fastcgi_flup", "flup"),
        ("scgi_flup", "flup"),
        ("proxy_mod_wsgi", "mod_wsgi"),
    ):
        converge(*HOSTS, playbook=f"pyhost.web.{playbook}")
        for host in HOSTS:
            assert host.check_output("find /etc/pyhost -mindepth 1 -type d -printf '%f '").split() == [own]
            assert host.run("test -e /etc/pyhost/root-mount.env").succeeded == (own != "mod_wsgi")
            assert host.run("pgrep -x apache2").succeeded == (own == "mod_wsgi")
        for host, app in EVERYWHERE:
            assert f"/{own}/" in host.check_output("systemctl show --property ExecStart pyhost-%s.service", app)
        assert _pages() == pages
    # Nobody's socket was closed for a moment.
    assert _opened() == opened


def _only_inside_apache(host: Host) -> None:
    """Nothing is left of a unit of an application's own, and only its account can read its script."""
    for app in APPS:
        owners = host.check_output("ps -o user:32= --pid $(pgrep -d, -f '^.wsgi:%s.')", app).split()
        assert owners == [app] * DAEMONS[app]
    assert host.run("pgrep -x nginx").rc != 0
    assert host.check_output("systemctl list-units --all --plain --no-legend 'pyhost-*'") == ""
    assert host.run("ls /run/pyhost/*.sock").rc != 0
    scripts = sorted(f"/etc/pyhost/mod_wsgi/{app}.wsgi" for app in APPS)
    assert sorted(host.check_output("find /etc/pyhost -type f").split()) == scripts
    for script in scripts:
        assert host.run("runuser -u www-data -- cat %s", script).rc != 0


# When the script is checked, not inside Apache.
LEAVES_A_PROCESS = (
    "import subprocess, sys; "
    "sys.argv[0].endswith('.wsgi') and subprocess.Popen(['sleep', '3456'], start_new_session=True)"
)


def _apaches() -> list[str]:
    seen = "systemctl show --property MainPID,ExecReload,ActiveEnterTimestampMonotonic apache2.service"
    return [host.check_output(seen) for host in HOSTS]


def test_inside_an_apache_that_publishes() -> None:
    """The same word once more, now with Apache alone: one process group for each application, no unit of its own."""
    topology = {"playbook": "pyhost.web.apache_mod_wsgi"}
    pages = _pages()
    converge(*HOSTS, **topology)
    assert _pages() == pages
    for host in HOSTS:
        _only_inside_apache(host)
    before = _apaches()
    _new_release_while_requests_flow(3, **topology)
    # Not even reloaded.
    assert _apaches() == before
    converge(*HOSTS, setup=[f"echo {shlex.quote(LEAVES_A_PROCESS)} >> probe.py"], **topology)
    assert [host.run("pgrep -f '^sleep 3456'").rc for host in HOSTS] == [1 for _host in HOSTS]

    converge(*HOSTS)
    assert {_visitor(host, app).ask("/env").status for host, app in EVERYWHERE} == {200}
    for host in HOSTS:
        assert host.run("pgrep -f '^.wsgi:root-mount.'").succeeded
        assert host.run("systemctl is-active apache2.service").stdout.strip() != "active"


def test_everything_is_back_after_a_reboot(host: Host) -> None:
    """What a boot does: nothing runs, /run is empty, then the targets pull in what is enabled."""
    host.check_output("systemctl stop 'pyhost-*.service' 'pyhost-*.socket' && rm -rf /run/pyhost")
    host.check_output("systemd-tmpfiles --create && systemctl start sockets.target multi-user.target")
    for app in APPS:
        assert _visitor(host, app).ask("/env").status == 200
        assert host.service(f"pyhost-{app}.service").is_running
