"""What is Apache's own: daemon processes, .htaccess, its own test, and what a mistake or a reload does to visitors."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

import pytest
from testinfra import get_host
from testinfra.host import Host

from tests.support.access_log import HOSTILE, hostile_line
from tests.support.playbook import converge, messages, run
from tests.support.processes import exposure
from tests.support.visitor import Visitor, address, probes, scenario_hosts, visiting

testinfra_hosts = scenario_hosts()

HOSTS = [get_host(name) for name in scenario_hosts()]
PROBES = {probe.app: probe for probe in probes()}
ROOTS = [f"{probe.app}.example" for probe in PROBES.values() if not probe.mount]
# A graceful restart starts mod_wsgi's processes anew, and what was on its way to the old ones may be lost.
PROXIED = [f"{probe.app}.example" for probe in PROBES.values() if not probe.mount and probe.protocol != "wsgi"]


def _configuration(host: Host) -> str:
    """Return a fingerprint of all that Apache reads."""
    return host.check_output("find /etc/apache2 /etc/pyhost -type f -exec sha256sum {} + | sort -k2")


def _reloads(host: Host) -> int:
    """Return how often Apache read its configuration again."""
    return host.file("/var/log/apache2/error.log").content_string.count("Doing graceful restart")


def test_its_own_test_has_nothing_to_say(host: Host) -> None:
    test = host.run("apachectl -t")
    assert (test.rc, test.stdout.strip(), test.stderr.strip()) == (0, "", "Syntax OK")


def test_it_loads_no_module_that_the_sites_do_not_need(host: Host) -> None:
    loaded = host.check_output("apachectl -M")
    for module in ("autoindex", "cgi", "cgid", "dir", "include", "info", "negotiation", "status", "userdir", "dav"):
        assert f" {module}_module" not in loaded


def test_each_application_inside_apache_runs_as_its_own_user(host: Host) -> None:
    running = host.check_output("ps -eo user:32=,args=")
    for app, processes in (("wsgi-root", 2), ("wsgi-sub", 1)):
        assert len(re.findall(rf"^{app} +\(wsgi:{app}\)", running, re.MULTILINE)) == processes


def test_an_exact_name_is_stronger_than_another_site_s_wildcard(host: Host) -> None:
    assert Visitor(address(host), "exact.uwsgi-root.example").ask("/sub/env").json()["SCRIPT_NAME"] == "/sub"
    assert Visitor(address(host), "other.uwsgi-root.example").ask("/sub/env").json()["SCRIPT_NAME"] == ""


@pytest.mark.parametrize("domain", ["uwsgi-and-scgi.example", "wsgi-and-uwsgi.example", "fastcgi-and-wsgi.example"])
def test_protocols_do_not_get_in_each_other_s_way(host: Host, domain: str) -> None:
    outside, inside = Visitor(address(host), domain), Visitor(address(host), domain, "/sub")
    for visitor in (outside, inside):
        environ = visitor.ask("/env/a%20b").json()
        assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == (visitor.mount, "/env/a b")
        assert visitor.ask("/static/style.css").body == b"body { color: black }\n"
        assert visitor.ask("/secret").body == b"a bill\n"
        assert visitor.ask("/private/bill.txt").status == 404
    assert outside.ask("/subway").json()["PATH_INFO"] == "/subway"


def test_text_is_compressed_but_what_applications_say_is_not(host: Host) -> None:
    visitor = PROBES["uwsgi-root"].visitor(host)
    text = b"body { color: black }\n" * 1000
    media = "/var/lib/pyhost/uwsgi-root/media"
    host.check_output(f"for _ in $(seq 1000); do echo 'body {{ color: black }}'; done > {media}/long.css")
    host.check_output(f"chgrp www-data {media}/long.css && chmod 0640 {media}/long.css")
    packed = visitor.ask("/media/long.css", headers={"Accept-Encoding": "gzip"})
    assert (packed.headers["Content-Encoding"], packed.headers["Vary"]) == ("gzip", "Accept-Encoding")
    assert len(packed.body) < 1000
    again = {"Accept-Encoding": "gzip", "If-None-Match": packed.headers["ETag"]}
    assert visitor.ask("/media/long.css", headers=again).status == 304
    assert visitor.ask("/media/long.css").body == text
    assert visitor.ask("/env", headers={"Accept-Encoding": "gzip"}).headers["Content-Encoding"] is None


def test_the_access_log_is_json_whatever_visitors_send(host: Host) -> None:
    line = hostile_line(host, PROBES["uwsgi-root"].visitor(host), "/var/log/apache2")
    assert (unquote_to_bytes(line["user_agent"]), unquote_to_bytes(line["referer"])) == (HOSTILE, HOSTILE)


@pytest.mark.parametrize("app", PROBES)
def test_a_link_in_a_private_folder_is_not_sent(host: Host, app: str) -> None:
    bill = f"/srv/pyhost/{app}/current/public/private/bill.txt"
    host.check_output(f"mv {bill} {bill}.kept && ln -s /etc/hostname {bill}")
    try:
        answer = PROBES[app].visitor(host).ask("/secret")
    finally:
        host.check_output(f"mv -f {bill}.kept {bill}")
    assert answer.status == 404
    assert b"application's own body" not in answer.body


def test_a_reload_fails_no_request(host: Host) -> None:
    before = _reloads(host)
    with visiting([host], *PROXIED) as failures:
        for _ in range(3):
            host.check_output("systemctl reload apache2 && sleep 1")
    assert failures == []
    assert _reloads(host) == before + 3


def test_a_new_release_is_no_reload_and_fails_no_request() -> None:
    before = [_reloads(host) for host in HOSTS]
    with visiting(HOSTS, "wsgi-root.example") as failures:
        converge(*HOSTS, setup=["echo 2 > made-by-setup"])
        for host in HOSTS:
            code = PROBES["wsgi-root"].visitor(host).ask("/python").json()["path"][0]
            assert host.file(f"{code}/made-by-setup").exists
    assert failures == []
    assert [_reloads(host) for host in HOSTS] == before


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("NoSuchDirective on", "Invalid command 'NoSuchDirective'"),
        ("</VirtualHost>", "</VirtualHost>"),
    ],
    ids=["unknown", "closed"],
)
def test_a_mistake_in_one_site_takes_down_none(lines: str, words: str) -> None:
    before = [_configuration(host) for host in HOSTS]
    reloads = [_reloads(host) for host in HOSTS]
    with visiting(HOSTS, *ROOTS) as failures:
        code, output = run(*HOSTS, extra=lines)
    assert code != 0
    assert words in output
    assert "application uwsgi-sub" in output
    assert "/etc/apache2/pyhost/sites/uwsgi-sub.example.conf" in output
    assert [_configuration(host) for host in HOSTS] == before
    assert [_reloads(host) for host in HOSTS] == reloads
    assert failures == []


def test_a_port_that_somebody_else_holds_is_refused_beforehand() -> None:
    """Apache passes its own test with it, and is dead after the reload."""
    for host in HOSTS:
        host.check_output("systemd-run --unit pyhost-squatter python3 -m http.server --bind 127.0.0.1 8098")
    reloads = [_reloads(host) for host in HOSTS]
    with visiting(HOSTS, *ROOTS) as failures:
        code, output = run(*HOSTS, frontend_apache_listen=["80", "[::]:80", "127.0.0.1:8098"])
    for host in HOSTS:
        host.check_output("systemctl stop pyhost-squatter")
    assert code != 0
    told = messages(output)
    assert ["127.0.0.1:8098: already in use by python3 (process" in message for message in told] == [True] * len(HOSTS)
    assert ([_reloads(host) for host in HOSTS], failures) == (reloads, [])


def test_htaccess_and_trusted_proxies_where_they_are_asked_for() -> None:
    told = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https"}
    for host in HOSTS:
        for app in ("uwsgi-root", "fastcgi"):
            media = f"/var/lib/pyhost/{app}/media"
            lines = f"echo 'Header set X-Override yes' > {media}/.htaccess; echo picture > {media}/new"
            host.check_output("runuser -u %s -- sh -c %s", app, f"umask 027; {lines}")
    assert {_override(host, app) for host in HOSTS for app in ("uwsgi-root", "fastcgi")} == {None}
    converge(*HOSTS, htaccess=True, pyhost_trusted_proxies=["172.16.0.0/12"], extra="Header set X-Extra yes")
    for host in HOSTS:
        assert (_override(host, "uwsgi-root"), _override(host, "fastcgi")) == ("yes", None)
        for probe in PROBES.values():
            environ = probe.visitor(host).ask("/env", headers=told).json()
            assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == ("6.6.6.6", "https"), probe
        assert PROBES["uwsgi-sub"].visitor(host).ask("/env").headers["X-Extra"] == "yes"
    converge(*HOSTS)
    assert {_override(host, "uwsgi-root") for host in HOSTS} == {None}


def _override(host: Host, app: str) -> str | None:
    """Return what the folder's .htaccess file says, where it is heeded."""
    answer = PROBES[app].visitor(host).ask("/media/new")
    assert answer.status == 200
    return answer.headers["X-Override"]


def test_sandbox_exposure_is_at_most_four(host: Host) -> None:
    assert exposure(host, "apache2.service") <= 4.0
