"""Runs that fail and applications that go, on both releases at once, while visitors keep asking."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.support.playbook import converge, failures_by_host, foretold, messages, removed, run, told, would
from tests.support.visitor import Visitor, address, hosts, visiting

HOSTS = hosts()


def _everywhere(command: str) -> list[str]:
    return [host.check_output(command) for host in HOSTS]


def _files() -> list[str]:
    """Return a fingerprint of all that is in service."""
    return _everywhere(
        "find /etc/nginx /etc/pyhost /etc/systemd/system /etc/sysusers.d /etc/tmpfiles.d"
        " -type f -exec sha256sum {} + | sort -k2"
    )


def _paths() -> list[str]:
    """Return all that runs put on hosts: each file of the configuration, each folder of the applications."""
    return _everywhere(
        "find /etc/nginx /etc/pyhost /etc/systemd/system /etc/sysusers.d /etc/tmpfiles.d -type f;"
        " find /srv/pyhost /var/lib/pyhost /var/cache/pyhost -maxdepth 1; find /srv/pyhost -name current"
    )


def _reloads() -> list[str]:
    return _everywhere("journalctl --unit nginx --grep Reloaded --output cat | wc -l")


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
        ("}", 'unexpected "}"'),
        ("include /etc/nginx/none.conf;", "/etc/nginx/none.conf"),
    ],
    ids=["unknown", "brace", "include"],
)
def test_a_mistake_in_an_extra_line_changes_nothing(lines: str, words: str) -> None:
    before = _files()
    with visiting(HOSTS, "shop.example", "blog.example") as failures:
        code, output = run(*HOSTS, shop={"extra": {"nginx": lines}})
    assert code != 0
    for host in HOSTS:
        told = failures_by_host(output)[host.backend.hostname]
        assert words in told
        assert "application shop" in told
        assert "/etc/nginx/pyhost/sites/shop.example.conf:" in told
    assert _files() == before
    assert failures == []


def test_a_mistake_on_one_host_is_its_own() -> None:
    bad, good = HOSTS
    line = f"add_header X-Corrected {{{{ 'yes' if inventory_hostname == '{good.backend.hostname}' else '}}' }}}};"
    code, output = run(*HOSTS, shop={"extra": {"nginx": line}})
    assert code != 0
    (change, answer, url) = told(output, good)["shop"]
    assert (change, answer[:6], url) == ("configuration", "200 in", "http://shop.example/")
    assert f"- {bad.backend.hostname}: failed. The error is printed above.\n" in output


def test_a_dry_run_of_a_part_tells_its_part() -> None:
    output = would(*HOSTS, options=["--tags", "app"], shop={"setup": ["true"]})
    for host in HOSTS:
        release = host.check_output("basename $(readlink /srv/pyhost/shop/current)")
        ((change, _url),) = told(output, host).values()
        assert change.startswith(f"release {release[:8]} -> ")


def test_the_corrected_run_succeeds() -> None:
    with visiting(HOSTS, "shop.example", "blog.example") as failures:
        converge(*HOSTS, shop={"extra": {"nginx": "add_header X-Corrected yes;"}})
        for visitor in _visitors("shop.example"):
            assert visitor.ask("/env").headers["X-Corrected"] == "yes"
        converge(*HOSTS)
    assert failures == []
    for visitor in _visitors("shop.example"):
        assert visitor.ask("/env").headers["X-Corrected"] is None


def test_a_port_that_somebody_else_holds() -> None:
    """It passes nginx -t, and the reload reports success although nothing came of it.

    One that the role knows of is refused beforehand, one in an extra line is taken back.
    """
    _everywhere("systemd-run --unit pyhost-squatter python3 -m http.server --bind 127.0.0.1 8099")
    before, reloads = _files(), _reloads()
    with visiting(HOSTS, "shop.example", "blog.example") as failures:
        code, output = run(*HOSTS, frontend_nginx_listen=["80", "8099"])
        assert code != 0
        holder = r"8099: already in use by python3 \(process \d+ of pyhost-squatter.service\)"
        assert len(re.findall(holder, output)) >= len(HOSTS)
        assert (_files(), _everywhere("journalctl --unit nginx --grep Reloaded --output cat | wc -l")) == (
            before,
            reloads,
        )
        code, output = run(*HOSTS, shop={"extra": {"nginx": "listen 127.0.0.1:8099;"}})
    _everywhere("systemctl stop pyhost-squatter")
    assert code != 0
    assert "8099" in output
    assert output.count("failed=1") == len(HOSTS)
    assert _files() == before
    assert failures == []


def test_a_host_that_has_everything_needs_no_mirror() -> None:
    """Nor has the rejected configuration of the test before left anything to do."""
    _everywhere("""echo 'Acquire::http::Proxy "http://127.0.0.1:9";' > /etc/apt/apt.conf.d/zz-down""")
    _everywhere("touch --date '2 days ago' /var/lib/apt/lists; ! apt-get update --option APT::Update::Error-Mode=any")
    output = converge(*HOSTS)
    assert output.count("changed=0 ") == len(HOSTS)
    assert "\nNothing changed. 2 of 2 applications answer.\n" in output
    _everywhere("rm /etc/apt/apt.conf.d/zz-down")


def test_somebody_who_cannot_become_root_is_told_so() -> None:
    code, output = run(*HOSTS, ansible_user="nobody")
    assert code != 0
    refused = "pyhost.web needs root, but nobody cannot become root on this host (sudo: a password is required)"
    assert [message.partition(". Grant")[0] for message in messages(output)] == [refused] * len(HOSTS)


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


# It loads where it is tried, and fails as a service.
LEAKY = """\
import os, sys
if "wsgiref.simple_server" not in sys.modules:
    raise RuntimeError("\\x1b[31m" + repr(dict(os.environ)))
from probe import application
"""


def test_an_application_that_prints_its_environment_tells_no_secret() -> None:
    releases = _everywhere("readlink /srv/pyhost/blog/current")
    secret = "postgres://blog:hunter2-very-secret@db/blog"
    leaky = {
        "wsgi": "leaky:application",
        # It is up when the application has loaded; uWSGI is before, as its workers load it.
        "backend": "flup",
        "setup": [f"printf %s {shlex.quote(LEAKY)} > leaky.py"],
        "env": {"DATABASE_URL": secret, "TOKEN": "abcdef0123456789"},
    }
    code, output = run(*HOSTS, blog=leaky)
    assert code != 0
    assert any("application blog: " in message for message in messages(output))
    assert "DATABASE_URL" in output
    assert not re.findall(r"hunter2-very-secret|abcdef0123456789|\x1b\[31m{", output)
    assert _everywhere("readlink /srv/pyhost/blog/current") == releases


def test_an_application_that_left_the_list_is_gone_and_its_data_is_there() -> None:
    _everywhere("runuser -u shop -- head --bytes 3M /dev/zero > /var/lib/pyhost/shop/precious")
    with visiting(HOSTS, "blog.example") as failures:
        output = converge(*HOSTS, pyhost_apps__shop={})
    assert failures == []
    for host in HOSTS:
        assert told(output, host)["shop"] == ["removed", "–", "–"]
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
    announced = would(*HOSTS, shop={"state": "absent", "purge": True})
    before = _paths()
    with visiting(HOSTS, "blog.example") as failures:
        kept = foretold(*HOSTS, shop={"state": "absent"})
        for host in HOSTS:
            assert host.file("/var/lib/pyhost/shop/precious").exists
            assert not host.file("/srv/pyhost/shop").exists
        purged = foretold(*HOSTS, shop={"state": "absent", "purge": True})
    for host, paths_before, paths_after in zip(HOSTS, before, _paths(), strict=True):
        gone = {*paths_before.splitlines()} - {*paths_after.splitlines()}
        units, user = {"pyhost-shop.service", "pyhost-shop.socket"}, {"user shop"}
        assert removed(announced, host) == removed(kept, host) | removed(purged, host) == gone | units | user
        # Beside the file there are folders, and what the application may have left.
        size = re.search(rf"^- {host.backend.hostname}: /var/lib/pyhost/shop \((.*) MiB\)$", announced, re.MULTILINE)
        assert size
        assert 3 <= float(size[1]) < 4
        assert not host.file("/var/lib/pyhost/shop").exists
        assert host.check_output("getent passwd shop").split(":")[4].endswith("(retired)")
    assert failures == []
    converge(*HOSTS)
    for visitor in _visitors("shop.example"):
        assert visitor.ask("/env").status == 200
