"""Runs that fail and applications that go, while visitors keep asking."""

from __future__ import annotations

import pytest
from testinfra.host import Host

from tests.http.visitor import Visitor, address, scenario_hosts, visiting
from tests.playbook import converge, run

testinfra_hosts = scenario_hosts()


def _files(host: Host) -> str:
    """Return a fingerprint of all that is in service."""
    return host.check_output(
        "find /etc/nginx /etc/pyhost /etc/systemd/system /etc/sysusers.d /etc/tmpfiles.d"
        " -type f -exec sha256sum {} + | sort -k2"
    )


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("no_such_directive on;", 'unknown directive "no_such_directive"'),
        ("add_header X", 'unexpected "}"'),
        ("}", 'unexpected "}"'),
        ("location /static/ { }", "duplicate location"),
        ("include /etc/nginx/none.conf;", "/etc/nginx/none.conf"),
    ],
    ids=["unknown", "unfinished", "brace", "duplicate", "include"],
)
def test_a_mistake_in_an_extra_line_changes_nothing(host: Host, lines: str, words: str) -> None:
    converge(host)
    before = _files(host)
    with visiting([host], "shop.example", "blog.example") as failures:
        code, output = run(host, shop={"extra": {"nginx": lines}})
    assert code != 0
    assert words in output
    assert "application shop" in output
    assert "/etc/nginx/pyhost/sites/shop.example.conf:" in output
    assert _files(host) == before
    assert failures == []


def test_the_corrected_run_succeeds(host: Host) -> None:
    with visiting([host], "shop.example", "blog.example") as failures:
        converge(host, shop={"extra": {"nginx": "add_header X-Corrected yes;"}})
    assert Visitor(address(host), "shop.example").ask("/env").headers["X-Corrected"] == "yes"
    assert failures == []
    converge(host)
    assert Visitor(address(host), "shop.example").ask("/env").headers["X-Corrected"] is None


def test_what_passes_the_test_but_not_the_reload_is_taken_back(host: Host) -> None:
    """A port that somebody else holds passes nginx -t, and the reload reports success although nothing came of it."""
    host.check_output("systemd-run --unit pyhost-squatter python3 -m http.server --bind 127.0.0.1 8099")
    before = _files(host)
    with visiting([host], "shop.example", "blog.example") as failures:
        code, output = run(host, shop={"extra": {"nginx": "listen 127.0.0.1:8099;"}})
    host.check_output("systemctl stop pyhost-squatter")
    assert code != 0
    assert "8099" in output
    assert _files(host) == before
    assert failures == []
    assert "changed=0" in converge(host)


def test_an_application_that_does_not_start_takes_nothing_down(host: Host) -> None:
    before = _files(host)
    release = host.check_output("readlink /srv/pyhost/blog/current")
    with visiting([host], "shop.example", "blog.example") as failures:
        code, output = run(host, blog={"wsgi": "probe:no_such_callable"})
    assert code != 0
    assert "blog" in output
    assert "no_such_callable" in output
    assert host.check_output("readlink /srv/pyhost/blog/current") == release
    assert _files(host) == before
    assert failures == []


def test_an_application_that_left_the_list_is_gone_and_its_data_is_there(host: Host) -> None:
    converge(host)
    host.check_output("runuser -u shop -- touch /var/lib/pyhost/shop/precious")
    with visiting([host], "blog.example") as failures:
        converge(host, pyhost_apps__shop={})
    assert failures == []
    for path in (
        "/etc/systemd/system/pyhost-shop.service",
        "/etc/systemd/system/pyhost-shop.socket",
        "/run/pyhost/shop.sock",
        "/etc/pyhost/shop.env",
        "/etc/nginx/pyhost/sites/shop.example.conf",
    ):
        assert not host.file(path).exists, path
    assert not host.service("pyhost-shop.service").is_running
    assert host.file("/var/lib/pyhost/shop/precious").exists
    assert Visitor(address(host), "shop.example").raw("GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n") == b""
    assert "changed=0" in converge(host, pyhost_apps__shop={})


def test_absent_and_purge_remove_the_rest(host: Host) -> None:
    converge(host)
    with visiting([host], "blog.example") as failures:
        converge(host, shop={"state": "absent"})
        assert host.file("/var/lib/pyhost/shop/precious").exists
        assert not host.file("/srv/pyhost/shop").exists
        converge(host, shop={"state": "absent", "purge": True})
    assert not host.file("/var/lib/pyhost/shop").exists
    assert not host.user("shop").exists
    assert failures == []
    converge(host)
    assert Visitor(address(host), "shop.example").ask("/env").status == 200
