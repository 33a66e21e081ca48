"""Runs that fail and applications that go, on both releases at once, while visitors keep asking."""

from __future__ import annotations

import pytest

from tests.http.visitor import Visitor, address, hosts, visiting
from tests.playbook import converge, run

HOSTS = hosts()


def _everywhere(command: str) -> list[str]:
    return [host.check_output(command) for host in HOSTS]


def _files() -> list[str]:
    """Return a fingerprint of all that is in service."""
    return _everywhere(
        "find /etc/nginx /etc/pyhost /etc/systemd/system /etc/sysusers.d /etc/tmpfiles.d"
        " -type f -exec sha256sum {} + | sort -k2"
    )


def _visitors(domain: str) -> list[Visitor]:
    return [Visitor(address(host), domain) for host in HOSTS]


@pytest.fixture(scope="module", autouse=True)
def _begin() -> None:
    """The kills leave a state of their own."""
    converge(*HOSTS)


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
def test_a_mistake_in_an_extra_line_changes_nothing(lines: str, words: str) -> None:
    before = _files()
    with visiting(HOSTS, "shop.example", "blog.example") as failures:
        code, output = run(*HOSTS, shop={"extra": {"nginx": lines}})
    assert code != 0
    for host in HOSTS:
        told = next(line for line in output.splitlines() if f"[{host.backend.hostname}]: FAILED!" in line)
        assert words in told.replace('\\"', '"')
        assert "application shop" in told
        assert "/etc/nginx/pyhost/sites/shop.example.conf:" in told
    assert _files() == before
    assert failures == []


def test_the_corrected_run_succeeds() -> None:
    with visiting(HOSTS, "shop.example", "blog.example") as failures:
        converge(*HOSTS, shop={"extra": {"nginx": "add_header X-Corrected yes;"}})
        for visitor in _visitors("shop.example"):
            assert visitor.ask("/env").headers["X-Corrected"] == "yes"
        converge(*HOSTS)
    assert failures == []
    for visitor in _visitors("shop.example"):
        assert visitor.ask("/env").headers["X-Corrected"] is None


def test_what_passes_the_test_but_not_the_reload_is_taken_back() -> None:
    """A port that somebody else holds passes nginx -t, and the reload reports success although nothing came of it."""
    _everywhere("systemd-run --unit pyhost-squatter python3 -m http.server --bind 127.0.0.1 8099")
    before = _files()
    with visiting(HOSTS, "shop.example", "blog.example") as failures:
        code, output = run(*HOSTS, shop={"extra": {"nginx": "listen 127.0.0.1:8099;"}})
    _everywhere("systemctl stop pyhost-squatter")
    assert code != 0
    assert "8099" in output
    assert output.count("failed=1") == len(HOSTS)
    assert _files() == before
    assert failures == []
    assert converge(*HOSTS).count("changed=0 ") == len(HOSTS)


def test_an_application_that_does_not_start_takes_nothing_down() -> None:
    before = _files()
    releases = _everywhere("readlink /srv/pyhost/blog/current")
    with visiting(HOSTS, "shop.example", "blog.example") as failures:
        code, output = run(*HOSTS, blog={"wsgi": "probe:no_such_callable"})
    assert code != 0
    assert output.count("failed=1") == len(HOSTS)
    assert "blog" in output
    assert "no_such_callable" in output
    assert _everywhere("readlink /srv/pyhost/blog/current") == releases
    assert _files() == before
    assert failures == []


def test_an_application_that_left_the_list_is_gone_and_its_data_is_there() -> None:
    _everywhere("runuser -u shop -- touch /var/lib/pyhost/shop/precious")
    with visiting(HOSTS, "blog.example") as failures:
        converge(*HOSTS, pyhost_apps__shop={})
    assert failures == []
    for host in HOSTS:
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
    for visitor in _visitors("shop.example"):
        assert visitor.raw("GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n") == b""
    assert converge(*HOSTS, pyhost_apps__shop={}).count("changed=0 ") == len(HOSTS)


def test_absent_and_purge_remove_the_rest() -> None:
    converge(*HOSTS)
    with visiting(HOSTS, "blog.example") as failures:
        converge(*HOSTS, shop={"state": "absent"})
        for host in HOSTS:
            assert host.file("/var/lib/pyhost/shop/precious").exists
            assert not host.file("/srv/pyhost/shop").exists
        converge(*HOSTS, shop={"state": "absent", "purge": True})
    for host in HOSTS:
        assert not host.file("/var/lib/pyhost/shop").exists
        assert not host.user("shop").exists
    assert failures == []
    converge(*HOSTS)
    for visitor in _visitors("shop.example"):
        assert visitor.ask("/env").status == 200
