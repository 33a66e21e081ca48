"""Who reaches an endpoint of another host, and who can pretend to be one; the last test removes all of them."""

from __future__ import annotations

import re
import shlex
import subprocess
import time
import typing as t
from contextlib import contextmanager

import pytest
from testinfra.host import Host

from plugins.module_utils._release.sandbox import service
from plugins.plugin_utils._model.topology import stable_port
from tests.support.playbook import converge, run
from tests.support.visitor import address, hosts

HOSTS = {str(host.backend.hostname).rpartition("-")[2]: host for host in hosts()}
FRONTS = [HOSTS[name] for name in ("nginx", "lighttpd", "apache")]
BACKS = [HOSTS[name] for name in ("one", "two", "three")]
APPS = ("on-uwsgi", "on-flup", "on-mod-wsgi")
TABLE = "nft list table inet pyhost"

# An account's process as a shell, as an application that may open connections, and inside the front end's own service.
SHELL = "setpriv --reuid=nobody --regid=nogroup --clear-groups"
SANDBOX = " ".join(f"--property={shlex.quote(line)}" for line in [*service(network=True), "DynamicUser=yes"])
APPLICATION = f"systemd-run --quiet --wait --pipe --collect {SANDBOX}"
INSIDE = f"""sh -c 'echo $$ > /sys/fs/cgroup/system.slice/apache2.service/cgroup.procs && exec {SHELL} "$@"' sh"""
SERVER = "setpriv --reuid=www-data --regid=www-data --clear-groups"

# A uWSGI request for / that names a program to run in the place of the application.
EXECUTE = """
import socket, struct, sys
pairs = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "SERVER_PROTOCOL": "HTTP/1.1"}
pairs["UWSGI_FILE"] = "exec://touch /tmp/owned"
words = b"".join(struct.pack("<H", len(word)) + word.encode() for pair in pairs.items() for word in pair)
with socket.create_connection((sys.argv[1], int(sys.argv[2])), 3) as server:
    server.sendall(struct.pack("<BHB", 0, len(words), 0) + words)
    print(server.recv(100))
"""

LISTEN = "import socket, sys, time; server = socket.create_server((sys.argv[1], int(sys.argv[2]))); time.sleep(60)"


def _connects(host: Host, other: Host, app: str, way: str = "") -> bool:
    script = f"exec 3<>/dev/tcp/{address(other)}/{stable_port(app)}"
    return bool(host.run(f"{way} timeout 3 bash -c {shlex.quote(script)}").succeeded)


# Two ends that open a connection at the same time need no answer with both flags, so nobody may even begin one.
BEGIN = """
import socket, sys
with socket.socket() as end:
    end.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    end.settimeout(3)
    end.bind((sys.argv[1], int(sys.argv[2])))
    end.connect((sys.argv[3], 80))
"""


@contextmanager
def _stopped(host: Host, app: str) -> t.Iterator[None]:
    """Have an application's endpoint closed for a while, as before its first run."""
    host.check_output(f"systemctl stop pyhost-{app}.socket pyhost-{app}.service")
    try:
        yield
    finally:
        host.check_output(f"systemctl start pyhost-{app}.socket pyhost-{app}.service")


@contextmanager
def _squatting(host: Host, app: str) -> t.Iterator[None]:
    """Have another account listen where an endpoint of the host will be."""
    words = f"{shlex.quote(LISTEN)} {address(host)} {stable_port(app)}"
    host.check_output(f"systemd-run --quiet --unit=squatter --uid=nobody python3 -c {words} && sleep 1")
    try:
        assert f"{address(host)}:{stable_port(app)}" in host.check_output("ss --listening --tcp --numeric")
        yield
    finally:
        host.check_output("systemctl stop squatter.service")


def _status() -> str:
    """Return what the playbook status says."""
    _code, output = run(*HOSTS.values(), playbook="pyhost.web.status")
    return re.sub(r"\s+", " ", output)


@pytest.mark.parametrize("app", APPS)
@pytest.mark.parametrize("front", FRONTS, ids=str)
def test_on_a_front_end_host_nobody_but_its_server_opens_an_endpoint(front: Host, app: str) -> None:
    assert _connects(front, BACKS[0], app)
    assert _connects(front, BACKS[0], app, SERVER)
    assert not _connects(front, BACKS[0], app, SHELL)
    assert not _connects(front, BACKS[0], app, APPLICATION)
    # The same application connects elsewhere: its sandbox is not what stops it.
    assert front.run(f"{APPLICATION} timeout 3 bash -c 'exec 3<>/dev/tcp/{address(front)}/80'").succeeded
    if front is HOSTS["apache"]:
        assert not _connects(front, BACKS[0], app, INSIDE)


def test_no_program_is_run_over_uwsgi_from_a_front_end_host() -> None:
    arguments = f"{shlex.quote(EXECUTE)} {address(BACKS[1])} {stable_port('on-uwsgi')}"
    refused = FRONTS[1].run(f"{SHELL} python3 -c {arguments}")
    assert "ConnectionRefusedError" in refused.stderr
    assert not BACKS[1].run("ls /tmp/owned /tmp/systemd-private-*/tmp/owned").stdout


def test_what_other_hosts_send_through_a_front_end_host_is_rejected() -> None:
    """A container would leave with the host's address."""
    front = FRONTS[1]
    front.check_output(
        "ip netns add guest && ip link add guest0 type veth peer name eth0 netns guest"
        " && ip addr add 192.168.77.1/24 dev guest0 && ip link set guest0 up"
        " && ip -n guest addr add 192.168.77.2/24 dev eth0 && ip -n guest link set eth0 up"
        " && ip -n guest route add default via 192.168.77.1 && nft add table ip nat"
        " && nft 'add chain ip nat out { type nat hook postrouting priority srcnat; }'"
        " && nft add rule ip nat out ip saddr 192.168.77.2 masquerade"
    )
    try:
        assert front.run("ip netns exec guest timeout 3 bash -c 'exec 3<>/dev/tcp/192.168.77.1/80'").succeeded
        assert not _connects(front, BACKS[0], "on-uwsgi", "ip netns exec guest")
        # Without that rule it would.
        front.check_output("nft flush chain inet pyhost forward")
        assert _connects(front, BACKS[0], "on-uwsgi", "ip netns exec guest")
    finally:
        front.check_output("nft delete table ip nat; ip netns del guest; systemctl reload pyhost.nftables.service")


@pytest.mark.parametrize("back", BACKS[:2], ids=str)
def test_who_listens_at_an_endpoint_before_it_is_there_gets_nobody(back: Host) -> None:
    with _stopped(back, "on-uwsgi"), _squatting(back, "on-uwsgi"):
        assert not _connects(FRONTS[0], back, "on-uwsgi")
    assert _connects(FRONTS[0], back, "on-uwsgi")


def test_nobody_begins_a_connection_from_where_an_endpoint_will_be() -> None:
    back, words = BACKS[1], f"{shlex.quote(BEGIN)} {address(BACKS[1])} {stable_port('on-uwsgi')} {address(FRONTS[0])}"
    with _stopped(back, "on-uwsgi"):
        refused = back.run(f"{SHELL} python3 -c {words}")
        assert "TimeoutError" in refused.stderr
        back.check_output(f"python3 -c {words}")


def test_an_application_cannot_listen_where_an_endpoint_will_be() -> None:
    """Debian 12's systemd is built without what this needs: the test before this one is about what it has instead."""
    back = BACKS[1]
    with _stopped(back, "on-uwsgi"):
        listens = back.run(f"{APPLICATION} timeout 3 python3 -c %s 0.0.0.0 {stable_port('on-uwsgi')}", LISTEN)
    assert "Operation not permitted" in listens.stderr


def test_an_endpoint_has_its_port_before_its_host_has_the_address() -> None:
    back = BACKS[2]
    where = back.check_output("ip -o -4 addr show dev eth0 | awk '{print $4}'")
    back.check_output(f"systemctl stop 'pyhost-*.service' 'pyhost-*.socket'; ip addr del {where} dev eth0")
    try:
        back.check_output("systemctl start " + " ".join(f"pyhost-{app}.socket" for app in APPS))
    finally:
        back.check_output(f"ip addr add {where} dev eth0")
    for app in APPS:
        assert _connects(FRONTS[0], back, app)


@pytest.mark.parametrize("verb", ["start", "reload", "restart", "stop"])
def test_the_operators_own_rules_leave_the_table_alone(verb: str) -> None:
    front = FRONTS[0]
    assert "flush ruleset" in front.file("/etc/nftables.conf").content_string
    front.check_output(f"systemctl {verb} nftables.service")
    assert front.run(TABLE).succeeded
    assert not _connects(front, BACKS[0], "on-uwsgi", SHELL)


def test_a_table_that_somebody_flushes_is_reported_and_loaded_again() -> None:
    # The tests before may have left other releases.
    converge(*HOSTS.values())
    assert "inet pyhost is missing" not in _status()
    FRONTS[2].check_output("nft flush ruleset")
    assert "pyhost-multi-apache: the nftables table inet pyhost is missing" in _status()
    output = converge(*HOSTS.values())
    assert output.count("changed=0 ") == len(HOSTS) - 1
    assert FRONTS[2].run(TABLE).succeeded
    assert not _connects(FRONTS[2], BACKS[0], "on-uwsgi", SHELL)


def test_the_table_is_there_before_the_network_after_a_boot() -> None:
    front = FRONTS[1]
    front.check_output("nft delete table inet pyhost")
    subprocess.run(["docker", "restart", "--time", "30", front.backend.name], check=True, capture_output=True)
    deadline = time.monotonic() + 60
    # A container has its network before systemd has begun; a host has none before sysinit.target.
    while not (front.run("systemctl is-active sysinit.target").succeeded and _connects(front, BACKS[0], "on-uwsgi")):
        assert time.monotonic() < deadline
        time.sleep(1)
    assert not _connects(front, BACKS[0], "on-uwsgi", SHELL)
    order = front.check_output("systemctl show --value --property Before pyhost.nftables.service").split()
    assert {"network-pre.target", "sysinit.target"} <= {*order}


def test_an_endpoint_that_is_open_to_others_is_reported() -> None:
    back, folder = BACKS[1], "/run/systemd/system/pyhost-on-flup.socket.d"
    lines = "[Socket]\\nIPAddressDeny=\\nIPAddressAllow=any\\n"
    socket, unit = "pyhost-on-flup.socket", "pyhost-on-flup.service"
    again = f"systemctl daemon-reload && systemctl stop {unit} {socket} && systemctl start {socket} {unit}"
    back.check_output(f"mkdir -p {folder} && printf '{lines}' > {folder}/open.conf && {again}")
    try:
        assert f"the endpoint {address(back)}:{stable_port('on-flup')} accepts connections" in _status()
    finally:
        back.check_output(f"rm -r {folder} && {again}")


def test_a_guard_that_one_host_cannot_have_lets_no_host_publish() -> None:
    """Nor does an application start whose endpoint anybody could open, or answer for."""
    back = BACKS[0]
    fails = "#!/bin/sh\\necho no nf_tables >&2; exit 1\\n"
    back.check_output(
        f"mv /usr/sbin/nft /usr/sbin/nft.away && printf '{fails}' > /usr/sbin/nft && chmod +x /usr/sbin/nft"
    )
    apps = {"pyhost_apps__new": {"new": {"domains": ["new.example"]}}}
    try:
        code, output = run(*HOSTS.values(), **apps)
    finally:
        back.check_output("mv /usr/sbin/nft.away /usr/sbin/nft")
    assert code != 0
    assert "no nf_tables" in output
    for front in FRONTS:
        assert not front.run("grep -r new.example /etc/nginx /etc/lighttpd /etc/apache2").succeeded
    for host in BACKS:
        assert not host.service("pyhost-new.socket").exists


def test_an_endpoint_that_goes_is_guarded_until_the_end_and_no_longer() -> None:
    pattern = f"{address(BACKS[0])} . {stable_port('on-mod-wsgi')}"
    assert pattern in FRONTS[0].check_output(TABLE)
    kept = {
        "on-uwsgi": {"domains": ["on-uwsgi.example"]},
        "on-flup": {"domains": ["on-flup.example"], "backend": "flup", "protocol": "scgi"},
    }
    converge(*HOSTS.values(), pyhost_apps=kept)
    left = FRONTS[0].check_output(TABLE)
    assert pattern not in left
    assert f"{address(BACKS[0])} . {stable_port('on-uwsgi')}" in left
    assert converge(*HOSTS.values(), pyhost_apps=kept).count("changed=0 ") == len(HOSTS)


def test_the_last_endpoint_takes_the_table_with_it() -> None:
    converge(*HOSTS.values(), pyhost_apps={})
    for host in HOSTS.values():
        assert not host.run(TABLE).succeeded
        assert not host.service("pyhost.nftables.service").exists
        assert not host.file("/etc/systemd/system/nftables.service.d/pyhost.conf").exists
        assert not host.run("ls /etc/pyhost/.endpoints.nft /etc/pyhost/.loaded.nft").stdout
