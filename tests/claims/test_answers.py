"""What a visitor gets: statuses, headers, error pages, and no word about the software."""

from __future__ import annotations

import http.client
import re
import time

from testinfra.host import Host

from plugins.module_utils._catalog import BACK_ENDS, FRONT_ENDS, INSIDE_THE_FRONT_END
from tests.claims.claims import Cell, app, claim
from tests.support.visitor import Visitor


@claim
def test_head_has_the_length_and_no_body(visitor: Visitor) -> None:
    answer = visitor.ask("/teapot", "HEAD")
    status = 500 if visitor.differs("status") else 418
    assert (answer.status, answer.headers["Content-Length"], answer.body) == (status, "6", b"")


@claim
def test_statuses_arrive_as_they_are(visitor: Visitor) -> None:
    reason = "" if visitor.differs("reason") else "I'm a teapot"
    expected = (500, "Internal Server Error") if visitor.differs("status") else (418, reason)
    answer = visitor.ask("/teapot")
    assert ((answer.status, answer.reason), answer.body) == (expected, b"teapot")
    unchanged = visitor.ask("/unchanged")
    assert (unchanged.status, unchanged.headers["ETag"], unchanged.body) == (304, '"1"', b"")


@claim
def test_two_cookies(visitor: Visitor) -> None:
    assert visitor.ask("/cookies").headers.get_all("Set-Cookie") == ["a=1", "b=2"]


@claim
def test_large_response_header(visitor: Visitor) -> None:
    assert len(visitor.ask("/large?7000").headers["X-Large"]) == 7000
    larger = visitor.ask("/large?30000")
    if visitor.differs("large response header"):
        assert larger.status in (500, 502)
    else:
        assert len(larger.headers["X-Large"]) == 30000


@claim
def test_http_1_0_and_keep_alive(visitor: Visitor) -> None:
    old = visitor.raw(f"GET {visitor.mount}/env HTTP/1.0\r\nHost: {visitor.domain}\r\n\r\n")
    assert b" 200 " in old.split(b"\r\n")[0]
    assert b"chunked" not in old.split(b"\r\n\r\n")[0].lower()
    connection = visitor.connection()
    for _ in range(3):
        connection.request("GET", visitor.mount + "/env", headers={"Host": visitor.domain})
        assert connection.getresponse().read()
    connection.close()


@claim
def test_an_uncaught_exception_is_an_error_page_and_a_traceback_in_the_log(visitor: Visitor, host: Host) -> None:
    assert visitor.ask("/crash").status == 500
    assert visitor.ask("/env").status == 200
    # What the front end runs itself writes to the site's log there. A log may have what visitors sent, in any encoding.
    inside = visitor.protocol == INSIDE_THE_FRONT_END
    file = f"cat {FRONT_ENDS[visitor.front_end].logs}/%s.example.error.log"
    log = file if inside else "journalctl --no-pager --output cat --unit pyhost-%s"
    words = "RuntimeError: probe: an exception that nobody catches"
    # The journal is written a moment later.
    look = f"for _ in $(seq 100); do {log} | grep --text --quiet %s && exit; sleep 0.2; done; exit 1"
    host.check_output(look, app(visitor), words)


@claim
def test_an_error_that_the_application_answers_is_what_arrives(visitor: Visitor) -> None:
    """PEP 3333: `start_response` with `exc_info`; too late, the answer that has begun is all that there is."""
    answer = visitor.ask("/failing?before")
    assert (answer.status, answer.headers["X-Begun"], answer.body) == (503, None, b"answered")
    try:
        late = visitor.ask("/failing?after")
    except (http.client.IncompleteRead, http.client.RemoteDisconnected):
        pass
    else:
        assert late.status in (200, 500, 502)
        assert b"answered" not in late.body
    assert visitor.ask("/env").status == 200


@claim
def test_wsgiref_validates(visitor: Visitor) -> None:
    assert visitor.ask("/env/validated").status == 200
    assert visitor.ask("/upload/validated", "POST", body=b"abc").json()["length"] == 3


SOFTWARE = "|".join([*FRONT_ENDS, *BACK_ENDS, "python", "wsgi", "debian"])
VERSION = re.compile(rf"({SOFTWARE})[^\r\n]{{0,3}}[0-9]".encode())


@claim
def test_no_version_is_told(visitor: Visitor) -> None:
    begin = f"POST {visitor.mount}/upload HTTP/1.1\r\nHost: {visitor.domain}\r\nConnection: close\r\n"
    for answer in (
        visitor.raw(f"{begin}\r\n"),
        visitor.raw(f"{begin}Content-Length: {10**10}\r\n\r\n"),
        visitor.raw(f"{begin}no header\r\n\r\n"),
        visitor.raw(begin.replace("/upload", "/static/none") + "\r\n"),
        visitor.raw(begin.replace(f"{visitor.mount}/", f"{visitor.mount}/%zz") + "\r\n"),
    ):
        head, _end, page = answer.lower().partition(b"\r\n\r\n")
        assert head
        assert b"x-powered-by" not in head
        # Where no files are published, the application itself answers: with its environment.
        assert not VERSION.search(head if b"json" in head else head + page)


def _security_headers(visitor: Visitor) -> dict[str, list[str] | None]:
    """Return the headers that every answer has; the scenarios change some below mount points, by `headers`."""
    everywhere = {"X-Content-Type-Options": ["nosniff"], "X-Frame-Options": ["SAMEORIGIN"]}
    if visitor.mount:
        policy = ["default-src 'self' https://a.example:*"]
        return {**everywhere, "Referrer-Policy": None, "Content-Security-Policy": policy}
    return {**everywhere, "Referrer-Policy": ["strict-origin-when-cross-origin"], "Content-Security-Policy": None}


@claim
def test_every_answer_has_the_security_headers(visitor: Visitor) -> None:
    expected = _security_headers(visitor)
    answers = {path: visitor.ask(path) for path in ("/env", "/teapot", "/static/style.css", "/static/none", "/crash")}
    answers["too large"] = visitor.ask("/upload", "POST", headers={"Content-Length": str(10**10)})
    for path, answer in answers.items():
        assert {name: answer.headers.get_all(name) for name in expected} == expected, path
    own = visitor.ask("/own").headers
    said = {"X-Frame-Options": ["DENY"], "Referrer-Policy": ["no-referrer"]}
    if visitor.differs("headers of the application"):
        said = {name: expected[name] or value for name, value in said.items()}
    assert {name: own.get_all(name) for name in expected} == {**expected, **said}


def test_the_page_for_an_application_that_is_gone(cells: list[Cell]) -> None:
    # One of each host; what the front end runs itself goes with it.
    for cell in {cell.front: cell for cell in cells if cell.probe.protocol != INSIDE_THE_FRONT_END}.values():
        expected = _security_headers(cell.visitor)
        units = f"pyhost-{cell.probe.app}.socket pyhost-{cell.probe.app}.service"
        cell.back.check_output(f"systemctl stop {units}")
        answer = cell.visitor.ask("/env")
        cell.back.check_output(f"systemctl start {units}")
        # A front end may leave it alone for a moment.
        deadline = time.monotonic() + 60
        while cell.visitor.ask("/env").status != 200:
            assert time.monotonic() < deadline, "nobody asks the application again"
            time.sleep(0.2)
        assert answer.status in (502, 503)
        assert {name: answer.headers.get_all(name) for name in expected} == expected
        assert not VERSION.search(f"{answer.headers} {answer.body!r}".lower().encode())
