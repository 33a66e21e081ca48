"""Accounts over the whole life of an application: what it leaves behind, what a host has already, another user."""

from __future__ import annotations

import typing as t

from testinfra.host import Host

from tests.support.playbook import converge, messages, removed, run
from tests.support.visitor import Visitor, address, hosts

HOSTS = hosts()
NEXT = {"next": {"domains": ["next.example"]}}


def _uid(host: Host, name: str) -> str:
    return host.check_output("id -u %s", name)


def _answers(domain: str) -> set[int]:
    return {Visitor(address(host), domain).ask("/env").status for host in HOSTS}


def _rejected(**variables: t.Any) -> list[str]:
    code, output = run(*HOSTS, **variables)
    assert code != 0
    return messages(output)


def test_what_a_purged_application_left_is_nobody_elses() -> None:
    converge(*HOSTS)
    numbers = {}
    for host in HOSTS:
        numbers[host.backend.hostname] = _uid(host, "shop")
        host.check_output(
            "install -d -o shop -g shop -m 700 /srv/uploads && install -o shop -m 600 /dev/null /srv/uploads/left"
        )
        # One in a unit of its own, one that has given up its first name, one that forks without end.
        host.check_output("systemd-run --quiet --unit left --uid shop sleep infinity")
        host.check_output("systemd-run --quiet --unit saved setpriv --reuid shop sleep infinity")
        host.check_output(
            "systemd-run --quiet --unit forks --uid shop sh -c 'while :; do sleep 1000 & sleep 0.01; done'"
        )
    output = converge(*HOSTS, shop={"state": "absent", "purge": True})
    for host in HOSTS:
        number = numbers[host.backend.hostname]
        assert "user shop" in removed(output, host)
        assert host.run("ps -o pid= -u %s", number).stdout.strip() == ""
        assert _uid(host, "shop") == number
        assert host.check_output("getent passwd shop").split(":")[4] == "Python web application (retired)"
        assert host.check_output("getent shadow shop").split(":")[7] == "1"
    # Again: nothing is left to do.
    assert converge(*HOSTS, shop={"state": "absent", "purge": True}).count("changed=0 ") == len(HOSTS)
    converge(*HOSTS, shop={"state": "absent", "purge": True}, more=NEXT)
    assert _answers("next.example") == {200}
    for host in HOSTS:
        assert _uid(host, "next") != numbers[host.backend.hostname]
        assert host.run("runuser -u next -- cat /srv/uploads/left").rc != 0
    report = converge(*HOSTS, shop={"state": "absent", "purge": True}, more=NEXT, playbook="pyhost.web.status")
    assert "user shop" not in report
    # It comes back, with all that is its own.
    converge(*HOSTS, more=NEXT)
    assert _answers("shop.example") == {200}
    for host in HOSTS:
        assert _uid(host, "shop") == numbers[host.backend.hostname]
        assert host.check_output("getent shadow shop").split(":")[7] == ""
        assert host.run("runuser -u shop -- cat /srv/uploads/left").rc == 0


def test_an_account_that_somebody_deleted_comes_back_with_its_number() -> None:
    converge(*HOSTS)
    absent = {"shop": {"state": "absent"}}
    converge(*HOSTS, **absent)
    numbers = [_uid(host, "shop") for host in HOSTS]
    for host in HOSTS:
        host.check_output("userdel shop")
    converge(*HOSTS, **absent, more={"later": {"domains": ["later.example"]}})
    for host, number in zip(HOSTS, numbers, strict=True):
        assert _uid(host, "shop") == number
        assert _uid(host, "later") != number
        assert host.file("/var/lib/pyhost/shop").user == "shop"


def test_what_the_host_has_already_is_not_taken_over() -> None:
    converge(*HOSTS)
    for host in HOSTS:
        host.check_output(
            "for name in alice bob; do useradd --create-home --shell /bin/bash $name; done;"
            " groupadd --system choir; usermod -aG choir alice"
        )
    before = [
        host.check_output("getent passwd; getent group; find /etc/sysusers.d /srv/pyhost -maxdepth 1") for host in HOSTS
    ]
    more: dict[str, t.Any] = {name: {"domains": [f"{name}.example"]} for name in ("alice", "choir", "other")}
    more["other"]["user"] = "bob"
    told = _rejected(more=more)
    assert len(told) == len(HOSTS)
    for text in told:
        assert text.count("\n") == 2
        assert "app alice: user: the account 'alice'" in text
        assert "app other: user: the account 'bob'" in text
        assert text.count("It can log in") == 2
        assert "app choir: user: the group 'choir'" in text
    after = [
        host.check_output("getent passwd; getent group; find /etc/sysusers.d /srv/pyhost -maxdepth 1") for host in HOSTS
    ]
    assert before == after
    # Known to the controller without any host.
    assert "audio" in run(*HOSTS, more={"audio": {"domains": ["audio.example"]}})[1]


def test_another_user() -> None:
    converge(*HOSTS)
    for host in HOSTS:
        host.check_output(
            "install -d -o shop -g shop /var/lib/pyhost/shop/deep; mkdir -p /srv/outside; chown shop /srv/outside"
        )
        host.check_output("runuser -u shop -- sh -c 'echo kept >/var/lib/pyhost/shop/deep/file'")
        host.check_output("runuser -u shop -- ln -s /etc/shadow /var/lib/pyhost/shop/deep/shadow")
        host.check_output(
            "runuser -u shop -- sh -c 'echo x >/srv/outside/file; ln /srv/outside/file /var/lib/pyhost/shop/hard'"
        )
    # Not by the way, and not with what may be somebody else's.
    for text in _rejected(playbook="pyhost.web.deploy", pyhost_only="shop", shop={"user": "web"}):
        assert "shop" in text
    assert _answers("shop.example") == {200}
    for text in _rejected(shop={"user": "web"}):
        assert "/var/lib/pyhost/shop/hard has a hard link outside" in text
    assert _answers("shop.example") == {200}
    for host in HOSTS:
        assert host.file("/var/lib/pyhost/shop/deep/file").user == "shop"
        host.check_output("rm /srv/outside/file")
    # What cannot be built is given back.
    assert _rejected(shop={"user": "web", "setup": ["false"]})
    assert _answers("shop.example") == {200}
    for host in HOSTS:
        assert host.file("/var/lib/pyhost/shop/deep/file").user == "shop"
        assert host.file("/var/lib/pyhost/shop").user == "shop"
    converge(*HOSTS, shop={"user": "web"})
    assert _answers("shop.example") == {200}
    for host in HOSTS:
        for name in ("", "/deep", "/deep/file", "/hard"):
            assert host.file(f"/var/lib/pyhost/shop{name}").user == "web", name
        assert host.file("/etc/shadow").user == "root"
        assert host.check_output("ps -o user= -C uwsgi-core,pyuwsgi | sort -u").split() == ["blog", "web"]
        assert "(retired)" in host.check_output("getent passwd shop")
        assert host.run("runuser -u shop -- ls /var/lib/pyhost/shop").rc != 0
    assert converge(*HOSTS, shop={"user": "web"}).count("changed=0 ") == len(HOSTS)
    # An older release is a way back, as the account that the application has now.
    converge(*HOSTS, shop={"user": "web"}, playbook="pyhost.web.rollback", pyhost_only="shop")
    assert _answers("shop.example") == {200}
    # The data tells whose account goes with the application.
    output = converge(*HOSTS, shop={"state": "absent", "purge": True})
    for host in HOSTS:
        assert "user web" in removed(output, host)
        assert "(retired)" in host.check_output("getent passwd web")


def test_an_account_that_is_shared_stays_with_the_other() -> None:
    converge(*HOSTS, shop={"user": "both"}, blog={"user": "both"})
    output = converge(*HOSTS, shop={"state": "absent", "purge": True}, blog={"user": "both"})
    assert _answers("blog.example") == {200}
    for host in HOSTS:
        assert "user both" not in removed(output, host)
        assert "(retired)" not in host.check_output("getent passwd both")
    converge(*HOSTS)
    assert _answers("blog.example") == {200}
