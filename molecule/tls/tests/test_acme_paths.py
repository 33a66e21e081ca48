"""What ACME servers ask for is answered in clear text, at sites with `tls: acme` and nowhere else."""

from __future__ import annotations

import pytest
from testinfra.host import Host

from tests.support.certificates import issued
from tests.support.planted import TARGET, plant, target
from tests.support.visitor import Visitor, address

CHALLENGES = "/.well-known/acme-challenge/"
HOOK = "/etc/letsencrypt/renewal-hooks/deploy/pyhost"


def test_a_challenge_is_answered_in_clear_text(front_end: str, host: Host) -> None:
    file = f"/var/lib/pyhost/.acme{CHALLENGES}token"
    host.check_output(f"mkdir -p $(dirname {file}) && echo answer >{file}")
    answer = Visitor(address(host), issued(host)).ask(f"{CHALLENGES}token")
    host.check_output(f"rm {file}")
    assert (answer.status, answer.body) == (200, b"answer\n")


@pytest.mark.parametrize("rest", ["../../x", "..//../x", "%2e%2e/%2e%2e/x", "%2e%2e%2f%2e%2e%2fx", "./../../x"])
def test_what_only_begins_like_a_challenge_is_sent_to_https(front_end: str, host: Host, rest: str) -> None:
    assert Visitor(address(host), issued(host)).ask(f"{CHALLENGES}{rest}").status == 308


@pytest.mark.parametrize("domain", ["self.example", "own.example"])
def test_sites_without_acme_send_all_to_https(front_end: str, host: Host, domain: str) -> None:
    assert Visitor(address(host), domain).ask(f"{CHALLENGES}token").status == 308


def test_the_hook_of_a_renewal_writes_through_no_link(front_end: str, host: Host) -> None:
    before = plant(host)
    host.check_output(HOOK)
    assert target(host) == before
    assert host.check_output(f"find /etc/pyhost/tls /run /var/lib/pyhost/.acme -lname {TARGET}") == ""


def test_root_rotates_no_logs_in_a_folder_that_others_may_write(front_end: str, host: Host) -> None:
    unit = {"apache": "apache2"}.get(front_end, front_end)
    folder, rule = host.file(f"/var/log/{unit}"), host.file(f"/etc/logrotate.d/{unit}").content_string
    assert f"/var/log/{unit}/*.log" in rule
    assert folder.mode & 0o022 == 0
    assert folder.user == "root" or f"\n    su {folder.user} " in rule
