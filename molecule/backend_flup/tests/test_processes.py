"""The probe behind flup, threaded and forking, over both protocols: what tests/claims does not ask."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from testinfra.host import Host

from tests.support.playbook import converge
from tests.support.processes import exposure, main_process, start_in_vain, wait_for_another
from tests.support.visitor import Visitor, hosts, meanwhile, probes, scenario_hosts

testinfra_hosts = scenario_hosts()
HOSTS = hosts()

PROBES = {probe.app: probe for probe in probes()}
APPS = list(PROBES)
EVERYWHERE = [(host, app) for host in HOSTS for app in APPS]


def _visitor(host: Host, app: str) -> Visitor:
    return PROBES[app].visitor(host)


def _workers(host: Host, app: str) -> list[str]:
    return host.check_output("pgrep -P %s", main_process(host, app)).split()


@pytest.mark.parametrize("app", APPS)
def test_processes_and_threads_are_what_the_description_says(host: Host, app: str) -> None:
    environ = _visitor(host, app).ask("/env").json()
    forks = app.endswith("forks")
    assert (environ["wsgi.multiprocess"], environ["wsgi.multithread"]) == (forks, not forks)
    assert len(_workers(host, app)) == (4 if forks else 1)
    for process in {main_process(host, app), *_workers(host, app)}:
        assert host.check_output("ps -o user:32= --pid %s", process) == app


@pytest.mark.parametrize("app", APPS)
def test_sandbox_exposure_is_at_most_one(host: Host, app: str) -> None:
    assert exposure(host, f"pyhost-{app}.service") <= 1.0


@pytest.mark.parametrize("app", APPS)
def test_the_interpreter_is_the_release_s(host: Host, app: str) -> None:
    python = _visitor(host, app).ask("/python").json()
    # Not by the name current: what runs on while a release takes over imports from its own.
    assert python["prefix"] == host.check_output("readlink -f /srv/pyhost/%s/current/venv", app)
    assert python["path"][0] == host.check_output("readlink -f /srv/pyhost/%s/current/code", app)
    environment = _visitor(host, app).ask("/environment").json()
    assert not {"LISTEN_FDS", "LISTEN_PID", "NOTIFY_SOCKET"} & set(environment)


@pytest.mark.parametrize("app", APPS)
def test_more_requests_than_threads_wait(host: Host, app: str) -> None:
    with ThreadPoolExecutor(12) as pool:
        begun = time.monotonic()
        answers = list(pool.map(lambda _: _visitor(host, app).ask("/sleep?1").status, range(12)))
    # Four at a time, whether threads or processes.
    assert answers == [200] * 12
    assert 3 <= time.monotonic() - begun < 12


@pytest.mark.parametrize("app", APPS)
def test_an_uncaught_exception_tells_visitors_nothing(host: Host, app: str) -> None:
    answer = _visitor(host, app).ask("/crash")
    assert answer.status == 500
    assert b"probe" not in answer.body
    assert b"Traceback" not in answer.body
    # flup's own way would have been the front end's log.
    assert "RuntimeError" not in host.check_output("cat /var/log/nginx/*error.log")


def test_a_restart_finishes_what_it_has_begun() -> None:
    visitors = [_visitor(host, app) for host, app in EVERYWHERE]
    services = " ".join(f"pyhost-{app}.service" for app in APPS)

    def restart() -> None:
        for host in HOSTS:
            host.check_output(f"systemctl restart {services}")

    with ThreadPoolExecutor(len(visitors)) as pool:
        long = [pool.submit(visitor.ask, "/sleep?3") for visitor in visitors]
        statuses = meanwhile(visitors, restart)
        assert {job.result().status for job in long} == {200}
    assert set(statuses) == {200}
    assert len(statuses) > 100


@pytest.mark.parametrize("whose", ["worker", "main"])
@pytest.mark.parametrize("app", APPS)
def test_it_comes_back_after_sigkill(host: Host, app: str, whose: str) -> None:
    before = _workers(host, app)
    main = main_process(host, app)
    killed = before[0] if whose == "worker" else main
    host.check_output("kill -9 %s", killed)
    if killed == main:
        wait_for_another(host, app, main)
    assert _visitor(host, app).ask("/env").status == 200
    deadline = time.monotonic() + 60
    while len(_workers(host, app)) < len(before):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_it_comes_back_when_it_could_not_start_for_long(host: Host) -> None:
    start_in_vain(host, "pyhost-fastcgi-threads.service", "/srv/pyhost/fastcgi-threads/current/code/probe.py")
    # systemd holds the socket meanwhile, so the request waits and is answered.
    assert _visitor(host, "fastcgi-threads").ask("/env").status == 200


def _mains(apps: list[str]) -> dict[tuple[Host, str], str]:
    return {(host, app): main_process(host, app) for host, app in EVERYWHERE if app in apps}


def test_a_new_release_fails_no_request() -> None:
    before = _mains(APPS)
    visitors = [_visitor(host, app) for host, app in EVERYWHERE]
    statuses = meanwhile(visitors, lambda: str(converge(*HOSTS, setup=["echo 2 > made-by-setup"])))
    assert set(statuses) == {200}
    assert len(statuses) > 200
    after = _mains(APPS)
    for host, app in EVERYWHERE:
        assert after[host, app] != before[host, app]
        assert host.file(f"/srv/pyhost/{app}/current/code/made-by-setup").content_string == "2\n"


def _opened() -> list[str]:
    since = "systemctl show --value --property ActiveEnterTimestampMonotonic pyhost-%s.socket"
    return [host.check_output(since, app) for host, app in EVERYWHERE]


def _page(host: Host, app: str) -> dict[str, str]:
    told = _visitor(host, app).ask("/env/page").json()
    return {key: told[key] for key in ("SCRIPT_NAME", "PATH_INFO", "HTTP_HOST", "wsgi.url_scheme")}


def test_another_back_end_and_back_leaves_nothing_behind() -> None:
    moved, stays = ["fastcgi-threads", "fastcgi-forks"], ["scgi-threads", "scgi-forks"]
    # Another test may have left another release, with which all would start again.
    converge(*HOSTS)
    opened, running = _opened(), _mains(stays)
    pages = {(host, app): _page(host, app) for host, app in EVERYWHERE}
    for playbook, here, gone in (("uwsgi", "uwsgi", "flup"), ("fastcgi_flup", "flup", "uwsgi")):
        converge(*HOSTS, playbook=f"pyhost.web.{playbook}")
        for host, app in EVERYWHERE:
            if app in moved:
                assert here in host.check_output("systemctl show --property ExecStart pyhost-%s.service", app)
                assert host.run("ls /etc/pyhost/%s/%s.*", gone, app).rc != 0
                assert host.run("test -e /etc/pyhost/%s/%s.py", here, app).rc == 0
            assert _page(host, app) == pages[host, app]
    assert converge(*HOSTS, playbook="pyhost.web.fastcgi_flup").count("changed=0 ") == len(HOSTS)
    # Their own word is stronger than the playbook's, and nobody's socket was closed for a moment.
    assert _mains(stays) == running
    assert _opened() == opened
    for host in HOSTS:
        assert not host.file("/etc/pyhost/uwsgi").exists


def test_everything_is_back_after_a_reboot(host: Host) -> None:
    """What a boot does: nothing runs, /run is empty, then the targets pull in what is enabled."""
    host.check_output("systemctl stop 'pyhost-*.service' 'pyhost-*.socket' && rm -rf /run/pyhost")
    host.check_output("systemd-tmpfiles --create && systemctl start sockets.target multi-user.target")
    for app in APPS:
        assert _visitor(host, app).ask("/env").status == 200
        assert host.service(f"pyhost-{app}.service").is_running
