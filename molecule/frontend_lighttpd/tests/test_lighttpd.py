"""What is lighttpd's own: its reload, what it does not tell of its mistakes, and HTTP back ends."""

from __future__ import annotations

import gzip
import json
import select
import typing as t
from urllib.parse import unquote_to_bytes

import pytest
from testinfra.host import Host

from tests.support.access_log import HOSTILE, hostile_line
from tests.support.playbook import converge, run
from tests.support.processes import exposure, main_process_of
from tests.support.visitor import Visitor, address, probes, scenario_hosts, visiting

testinfra_hosts = scenario_hosts()

# Answers each request with what it received.
ECHO = """
import http.server, json
class Echo(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        length = int(self.headers["Content-Length"])
        told = {"line": self.requestline, "headers": self.headers.items(), "body": self.rfile.read(length).decode()}
        self.send_response(200)
        self.send_header("X-Sendfile", "/etc/passwd")
        self.end_headers()
        self.wfile.write(json.dumps(told).encode())
http.server.ThreadingHTTPServer(("127.0.0.1", 8099), Echo).serve_forever()
"""


def test_its_own_test_has_nothing_to_say(host: Host) -> None:
    test = host.run("lighttpd -tt -f /etc/lighttpd/lighttpd.conf")
    assert (test.rc, test.stdout, test.stderr) == (0, "", "")


def _visitor(host: Host) -> Visitor:
    return probes()[0].visitor(host)


def _files(host: Host) -> str:
    """Return a fingerprint of all that is in service."""
    return host.check_output("find /etc/lighttpd /etc/systemd/system -type f -exec sha256sum {} + | sort -k2")


@pytest.fixture(scope="module")
def echo(host: Host) -> t.Iterator[Visitor]:
    """The site whose application speaks HTTP."""
    host.check_output("systemd-run --unit pyhost-echo python3 -c %s", ECHO)
    host.check_output("timeout 60 sh -c 'until ss -ltn | grep -q :8099; do sleep 0.1; done'")
    yield Visitor(address(host), "http.example")
    host.check_output("systemctl stop pyhost-echo")


def test_http_back_ends_get_the_request_as_it_came(echo: Visitor) -> None:
    head = {"Host": "http.example:8080", "X-Forwarded-For": "6.6.6.6", "Forwarded": "for=6.6.6.6", "X_Forged": "x"}
    answer = echo.ask(
        "/a%2Fb//c/../d?x=%2F", "POST", iter([b"ab", b"c"]), {**head, "Transfer-Encoding": "chunked"}, True
    )
    told = answer.json()
    headers = dict(told["headers"])
    assert told["line"] == "POST /a%2Fb//c/../d?x=%2F HTTP/1.1"
    assert (headers["Content-Length"], told["body"]) == ("3", "abc")
    assert headers["Host"] == headers["X-Forwarded-Host"] == "http.example:8080"
    assert "6.6.6.6" not in str(told)
    assert "," not in headers["X-Forwarded-For"]
    assert headers["X-Forwarded-Proto"] == "http"
    assert "X_Forged" not in headers
    # A file that the site does not publish, and the back end's own version.
    assert (answer.headers["X-Sendfile"], answer.headers["Server"]) == (None, "lighttpd")


def test_duplicate_headers_arrive_joined(host: Host) -> None:
    visitor = _visitor(host)
    answer = visitor.raw(
        f"GET /env HTTP/1.0\r\nHost: {visitor.domain}\r\nCookie: a=1\r\nCookie: b=2\r\nX-Twice: 1\r\nX-Twice: 2\r\n\r\n"
    )
    environ = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert (environ["HTTP_COOKIE"], environ["HTTP_X_TWICE"]) == ("a=1; b=2", "1, 2")


def test_text_is_compressed_on_the_way(host: Host) -> None:
    visitor, text = _visitor(host), "runuser -u uwsgi-root -- sh -c %s"
    host.check_output(text, "umask 027; head -c 5000 /dev/zero | tr '\\0' x > /var/lib/pyhost/uwsgi-root/media/x.css")
    answer = visitor.ask("/media/x.css", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(answer.body) == b"x" * 5000
    refused = visitor.ask("/static/large.js", headers={"Accept-Encoding": "gzip;q=0, br"})
    assert (refused.headers["Content-Encoding"], refused.body) == (None, b"// plain\n")


def test_errors_are_not_kept_by_caches(host: Host) -> None:
    for path in ("/static/none.css", "/static/.hidden"):
        assert _visitor(host).ask(path).headers["Cache-Control"] is None


def test_only_a_trusted_proxy_tells_who_the_visitor_is(host: Host) -> None:
    gateway = host.check_output("ip -4 route show default").split()[2]
    told = {"X-Forwarded-For": "6.6.6.6, 192.0.2.1", "X-Forwarded-Proto": "https"}
    converge(host, trusted=[f"{gateway}/32"], front_end_only=True)
    environ = _visitor(host).ask("/env", headers=told).json()
    assert (environ["REMOTE_ADDR"], environ["HTTP_X_FORWARDED_FOR"]) == ("192.0.2.1", "192.0.2.1")
    assert (environ["wsgi.url_scheme"], environ["HTTP_X_FORWARDED_PROTO"]) == ("https", "https")
    converge(host, front_end_only=True)
    assert _visitor(host).ask("/env", headers=told).json()["REMOTE_ADDR"] == gateway


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("no.such-key = 1", "unknown config-key: no.such-key"),
        ("server.max-request-size =", "application uwsgi-root"),
    ],
    ids=["unknown", "unfinished"],
)
def test_a_mistake_in_an_extra_line_changes_nothing(host: Host, lines: str, words: str) -> None:
    before = _files(host)
    with visiting([host], "uwsgi-root.example", "scgi-root.example") as failures:
        code, output = run(host, extra=f"{lines}\n", front_end_only=True)
    assert code != 0
    assert words in output
    assert _files(host) == before
    assert failures == []


def test_reloads_lose_no_request_and_let_none_wait(host: Host) -> None:
    visitor, before = _visitor(host), main_process_of(host, "lighttpd.service")
    with visitor.connect() as long:
        long.sendall(f"GET /sleep?10 HTTP/1.1\r\nHost: {visitor.domain}\r\nConnection: close\r\n\r\n".encode())
        with visiting([host], "uwsgi-root.example", "scgi-root.example") as failures:
            # What still answers the first one becomes a child of what answers from now on.
            host.check_output(
                f"systemctl reload lighttpd && timeout 9 sh -c 'until pgrep -P {before}; do sleep 0.1; done'"
            )
            assert visitor.ask("/env").status == 200
            # The old process still has the first one.
            assert not select.select([long], [], [], 0)[0]
            # While it still begins anew, a signal would end it.
            host.check_output("for _ in $(seq 9); do systemctl reload lighttpd.service || exit; done")
            line = 'setenv.add-response-header = ( "X-Changed" => "yes" )'
            converge(host, lines=[line], front_end_only=True)
            assert visitor.ask("/env").headers["X-Changed"] == "yes"
            converge(host, front_end_only=True)
        assert failures == []
        assert long.recv(100).startswith(b"HTTP/1.1 200")
    assert main_process_of(host, "lighttpd.service") == before


def test_what_passes_the_test_but_not_the_reload_is_taken_back(host: Host) -> None:
    """A port that somebody else holds passes lighttpd -tt and ends lighttpd at its reload; it has to come back."""
    host.check_output("systemd-run --unit pyhost-squatter python3 -m http.server --bind 127.0.0.1 8098")
    before = _files(host)
    code, output = run(host, lines=['$SERVER["socket"] == "127.0.0.1:8098" { }'], front_end_only=True)
    host.check_output("systemctl stop pyhost-squatter")
    assert code != 0
    assert "8098" in output
    assert _files(host) == before
    host.check_output("timeout 60 sh -c 'until ss -ltn | grep -qw :80; do sleep 0.2; done'")
    assert _visitor(host).ask("/env").status == 200
    assert "changed=0" in converge(host, front_end_only=True)


def test_logs_are_found_after_their_rotation(host: Host) -> None:
    log = "/var/log/lighttpd/uwsgi-root.example.access.log"
    host.check_output(
        f"mv {log} {log}.1 && sed -n '/postrotate/,/endscript/p' /etc/logrotate.d/lighttpd | sed '1d;$d' | sh"
    )
    _visitor(host).ask("/env/after-rotation")
    host.check_output(f"timeout 60 sh -c 'until grep -q after-rotation {log}; do sleep 0.2; done'")


def test_the_access_log_is_json_whatever_visitors_send(host: Host) -> None:
    line = hostile_line(host, _visitor(host), "/var/log/lighttpd")
    assert (unquote_to_bytes(line["user_agent"]), unquote_to_bytes(line["referer"])) == (HOSTILE, HOSTILE)


def test_lighttpd_never_is_root_and_takes_many_connections(host: Host) -> None:
    assert set(host.check_output("ps -o user:32= -C lighttpd").split()) == {"www-data"}
    main = main_process_of(host, "lighttpd.service")
    limits = host.file(f"/proc/{main}/limits").content_string
    assert "Max open files            17408" in limits
    assert exposure(host, "lighttpd.service") <= 4.0
