"""Real applications, seen from outside: a Django project, httpbin from the package index, a plain WSGI file."""

from __future__ import annotations

import re
import urllib.parse
from http.cookies import SimpleCookie

from testinfra.host import Host

from tests.support.processes import main_process
from tests.support.visitor import Visitor, address, scenario_hosts

testinfra_hosts = scenario_hosts()


def test_django_admin_has_its_style_from_nginx(host: Host) -> None:
    visitor = Visitor(address(host), "django.example")
    page = visitor.ask("/admin/login/").body.decode()
    style = re.search(r'href="(/static/admin/css/[a-z]+\.css)"', page)
    assert style
    answer = visitor.ask(style.group(1))
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/css")
    assert answer.headers["Cache-Control"] == "public, max-age=3600"


def test_django_login_and_database(host: Host) -> None:
    visitor = Visitor(address(host), "django.example")
    form = visitor.ask("/admin/login/")
    token = re.search(rb'name="csrfmiddlewaretoken" value="([^"]+)"', form.body)
    assert token
    cookie = SimpleCookie(form.headers["Set-Cookie"])["csrftoken"].value
    fields = {
        "csrfmiddlewaretoken": token.group(1).decode(),
        "username": "admin",
        "password": "pyhost-test",
        "next": "/admin/",
    }
    answer = visitor.ask(
        "/admin/login/",
        "POST",
        urllib.parse.urlencode(fields),
        {
            "Cookie": f"csrftoken={cookie}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Origin": "http://django.example",
        },
    )
    assert (answer.status, answer.headers["Location"]) == (302, "/admin/")
    assert host.file("/var/lib/pyhost/django/db.sqlite3").user == "django"


def test_httpbin_without_a_source_of_our_own(host: Host) -> None:
    visitor = Visitor(address(host), "httpbin.example")
    answer = visitor.ask("/get?a=b", headers={"Proxy": "http://evil.example"}).json()
    assert answer["args"] == {"a": "b"}
    assert answer["url"] == "http://httpbin.example/get?a=b"
    assert "Proxy" not in answer["headers"]
    assert visitor.ask("/basic-auth/u/p", headers={"Authorization": "Basic dTpw"}).status == 200
    assert visitor.ask("/gzip").headers["Content-Encoding"] == "gzip"


def test_plain_file_at_the_root_and_below_another_application(host: Host) -> None:
    assert b"SCRIPT_NAME: ''" in Visitor(address(host), "hello.example").ask("/").body
    mounted = Visitor(address(host), "httpbin.example", "/hello").ask("/a%20b").body.decode()
    assert "SCRIPT_NAME: '/hello'" in mounted
    assert "PATH_INFO: '/a b'" in mounted


def test_unknown_hosts_get_the_application_that_asked_for_them(host: Host) -> None:
    assert b"Hello from a plain WSGI file" in Visitor(address(host), "unknown.example").ask("/").body


def test_nothing_listens_but_the_front_end(host: Host) -> None:
    listening = host.check_output("ss --no-header --listening --tcp --numeric").splitlines()
    assert {line.split()[3].rsplit(":", 1)[1] for line in listening} == {"80"}
    assert host.service("nginx").is_enabled
    assert not host.file("/etc/nginx/sites-enabled/default").exists


def test_every_application_runs_as_its_own_user(host: Host) -> None:
    for app in ("django", "httpbin", "hello", "hello-mounted"):
        master = main_process(host, app)
        assert host.check_output("ps -o user:32= --pid %s", master).strip() == app


def test_everything_answers_after_a_reboot(host: Host) -> None:
    """What a boot does: nothing runs, /run is empty, then the targets pull in what is enabled."""
    host.check_output("systemctl stop nginx 'pyhost-*.service' 'pyhost-*.socket' && rm -rf /run/pyhost")
    host.check_output("systemd-tmpfiles --create && systemctl start sockets.target multi-user.target")
    for domain in ("django.example", "httpbin.example", "hello.example"):
        assert Visitor(address(host), domain).ask("/").status == 200
