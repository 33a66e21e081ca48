"""What the host is after the roles have been there, by systemd's and lynis' own judgement."""

from __future__ import annotations

import re

import pytest
from testinfra.host import Host

from tests.support.processes import exposure
from tests.support.visitor import scenario_hosts

testinfra_hosts = scenario_hosts()

BEFORE = "/var/tmp/before"

# Of dev-sec's linux-baseline, package-01 to package-06.
FORBIDDEN = {
    "inetd", "xinetd", "openbsd-inetd", "inetutils-inetd", "telnetd", "telnetd-ssl", "inetutils-telnetd",
    "rsh-server", "rsh-redone-server", "inetutils-tools", "nis", "ypserv", "ypbind", "tftpd", "tftpd-hpa", "atftpd",
}  # fmt: skip


# What lynis asks for besides where there are web servers, and why it is not done.
STATED = {
    "HTTP-6640": "mod_evasive: no Apache publishes here; limits for each address are the front end's",
    "HTTP-6643": "ModSecurity: rules for all applications alike are not ours to make",
    "HTTP-6710": "the server's own order of ciphers, which Mozilla's guideline switches off",
    "HTTP-6712": "a site without an access log: the one at which the host asks its own nginx for its configuration",
}


def _lines(host: Host, command: str) -> set[str]:
    return set(host.check_output(command).splitlines())


def test_nothing_new_runs_with_others_rights(host: Host) -> None:
    before = _lines(host, f"cat {BEFORE}/suid")
    assert "/usr/bin/passwd" in before
    # Packages that others need have brought these.
    assert _lines(host, "find / -xdev -perm /6000 -type f") - before <= {"/usr/lib/dbus-1.0/dbus-daemon-launch-helper"}


def test_no_package_that_baselines_forbid(host: Host) -> None:
    new = _lines(host, "dpkg-query --show --showformat '${Package}\\n'") - _lines(host, f"cat {BEFORE}/packages")
    assert {"nginx", "uwsgi-core"} <= new
    assert new & FORBIDDEN == set()


def _report(host: Host, path: str) -> tuple[int, set[str]]:
    """Return lynis' hardening index and its suggestions."""
    report = host.file(path).content_string
    index = re.search(r"^hardening_index=(\d+)$", report, re.MULTILINE)
    assert index
    return int(index[1]), set(re.findall(r"^suggestion\[\]=([A-Z]+-\d+)\|", report, re.MULTILINE))


def test_lynis_finds_no_more_than_before(host: Host) -> None:
    host.check_output("timeout 120 sh -c 'until systemctl show audit | grep -q SubState=exited; do sleep 1; done'")
    before, suggested = _report(host, f"{BEFORE}/lynis")
    after, suggests = _report(host, "/var/tmp/after")
    assert after >= before
    assert suggests - suggested <= set(STATED)


@pytest.mark.parametrize("app", ["victim", "victim-flup", "attacker", "attacker-apache"])
def test_applications_have_little_to_attack(host: Host, app: str) -> None:
    assert exposure(host, f"pyhost-{app}.service") <= 1.0


# The first one may make machine code and read /proc, too.
@pytest.mark.parametrize(("app", "most"), [("attacker-flup", 1.7), ("victim-apache", 1.5)])
def test_with_the_network_it_is_more(host: Host, app: str, most: float) -> None:
    assert exposure(host, f"pyhost-{app}.service") <= most
