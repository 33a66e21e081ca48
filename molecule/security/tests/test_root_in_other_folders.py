"""What the front end's account may do to root, behind lighttpd, which never is root and writes its own logs."""

from __future__ import annotations

import pytest
from testinfra.host import Host

from tests.support.planted import COPIES, plant, target
from tests.support.playbook import converge
from tests.support.tls import EncryptedVisitor
from tests.support.visitor import Visitor, address, hosts, scenario_hosts

testinfra_hosts = scenario_hosts()
HOSTS = hosts()
LOGS = "/var/log/lighttpd"
ROTATE = "logrotate --force /etc/logrotate.d/lighttpd"


@pytest.fixture(scope="module", autouse=True)
def _lighttpd() -> None:
    if not all(host.service("lighttpd").is_running for host in HOSTS):
        converge(*HOSTS, frontend="lighttpd")


def _bring(host: Host, verb: str) -> None:
    """Have systemd do it, and wait until visitors are answered; lighttpd does not tell when it listens."""
    host.check_output(f"systemctl {verb} lighttpd")
    host.check_output("timeout 30 bash -c 'until exec 3<>/dev/tcp/127.0.0.1/443; do sleep 0.2; done' 2>/dev/null")


@pytest.mark.parametrize("verb", ["reload", "restart"])
def test_root_writes_keys_through_no_link(host: Host, verb: str) -> None:
    before = plant(host)
    _bring(host, verb)
    assert target(host) == before
    assert EncryptedVisitor(address(host), "victim-flup.example").ask("/env").status == 200
    assert host.check_output(f"stat --format '%U:%G %a' {COPIES} {COPIES}/* | sort -u").splitlines() == [
        "root:www-data 640",
        "root:www-data 750",
    ]


def test_no_copy_of_a_key_outlives_the_service(host: Host) -> None:
    host.check_output("systemctl stop lighttpd")
    left = host.file(COPIES).exists
    _bring(host, "start")
    assert (left, host.file(COPIES).exists) == (False, True)


def test_logs_are_rotated_in_the_name_of_the_account_that_owns_their_folder(host: Host) -> None:
    visitor, log = Visitor(address(host), "victim.example"), f"{LOGS}/victim.example.access.log"
    assert visitor.ask("/env").status == 200
    host.check_output(f"rm -f {log}.* && {ROTATE}")
    assert visitor.ask("/env?after").status == 200
    host.check_output(f"timeout 30 sh -c 'until grep -q after {log}; do sleep 0.2; done'")
    assert host.file(f"{log}.1").exists
    # Which only root could read and compress.
    planted = f"{LOGS}/planted.log"
    try:
        host.check_output(f"umask 077 && echo secret >{planted}.1 && echo secret >{planted}")
        assert host.run(ROTATE).rc == 1
        assert host.check_output(f"find {LOGS} -name 'planted*gz'") == ""
    finally:
        host.check_output(f"rm -f {planted}*")
