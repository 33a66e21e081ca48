"""What a visitor may expect of an application behind any front end and any back end.

A scenario publishes tests/http/probe at least once at the root of a domain and once below a mount point; see `probes`.
"""

from __future__ import annotations

import dataclasses
import functools
import gzip
import hashlib
import json
import os
import re
import secrets
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

import pytest
from testinfra.host import Host

from tests.http.claims import Cell, claim, claim_of
from tests.http.smuggling import CASES, REFUSED, Sent
from tests.http.visitor import Visitor, hosts, probes

MEGABYTE = 1024 * 1024
PIECE = bytes(range(256)) * 4096
# Size of what is large, in MiB: more than any buffer has, and more than that where only few are asked.
LARGE = int(os.environ.get("PYHOST_LARGE", "100"))


@pytest.fixture(scope="module")
def cells() -> list[Cell]:
    """Each probe, at the root of a domain or below a mount point, on each host."""
    files = frozenset(os.environ.get("PYHOST_FILES", "static private").split())
    return [Cell(probe, host, host, files=files) for host in hosts() for probe in probes()]


def _app(visitor: Visitor) -> str:
    return visitor.domain.removesuffix(".example")


def _requests(host: Host, visitor: Visitor) -> list[str]:
    """Return the paths that reached the application."""
    log = host.file(f"/var/lib/pyhost/{_app(visitor)}/requests")
    return log.content_string.splitlines() if log.exists else []


def _large(visitor: Visitor) -> int:
    """Return the MiB of what is large; below a mount point the buffers are the same, so less does."""
    return min(LARGE, 5) if visitor.mount else LARGE


@functools.cache
def _digest(pieces: int) -> str:
    return hashlib.sha256(PIECE * pieces).hexdigest()


# ---- the environment


@claim
def test_environ_is_what_pep_3333_says(visitor: Visitor, host: Host) -> None:
    environ = visitor.ask("/env/a%20b/%C3%A9?x=1&y=%20").json()
    gateway = host.check_output("ip -4 route show default").split()[2]
    assert environ["REQUEST_METHOD"] == "GET"
    assert environ["SCRIPT_NAME"] == visitor.mount
    # PEP 3333: decoded, each byte as one character.
    assert environ["PATH_INFO"] == "/env/a b/é".encode().decode("latin-1")
    assert environ["QUERY_STRING"] == "x=1&y=%20"
    assert environ["REMOTE_ADDR"] == gateway
    assert environ["wsgi.url_scheme"] == "http"
    assert environ["HTTP_HOST"] == visitor.domain
    assert environ["SERVER_NAME"]
    assert environ["SERVER_PORT"] == "80"
    assert environ["SERVER_PROTOCOL"] == "HTTP/1.1"
    assert environ.get("CONTENT_LENGTH", "") in ("", "0")
    assert "HTTP_TRANSFER_ENCODING" not in environ


@claim
def test_mount_point_without_slash(visitor: Visitor) -> None:
    if not visitor.mount:
        environ = visitor.ask("/").json()
        assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("", "/")
    elif visitor.differs("mount point is redirected"):
        answer = visitor.ask("?a=b")
        assert (answer.status, answer.headers["Location"]) == (301, "/sub/?a=b")
    else:
        environ = visitor.ask("?a=b").json()
        inside = "/" if visitor.differs("mount point without slash") else ""
        # PEP 3333: what is empty may be left out.
        seen = environ["SCRIPT_NAME"], environ.get("PATH_INFO", ""), environ["QUERY_STRING"]
        assert seen == ("/sub", inside, "a=b")
    if visitor.mount:
        environ = visitor.ask("/").json()
        assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/sub", "/")
        outside = dataclasses.replace(visitor, mount="")
        assert outside.ask("/subway").status == 404
        assert outside.ask("/").status == 404


@claim
def test_the_port_of_host_reaches_the_application(visitor: Visitor) -> None:
    assert (
        visitor.ask("/env", headers={"Host": f"{visitor.domain}:8080"}).json()["HTTP_HOST"] == f"{visitor.domain}:8080"
    )


@claim
def test_host_arrives_as_it_was_sent(visitor: Visitor) -> None:
    sent = f"{visitor.domain.upper()}:80"
    expected = visitor.domain if visitor.differs("host") else sent
    assert visitor.ask("/env", headers={"Host": sent}).json()["HTTP_HOST"] == expected


@pytest.mark.parametrize(
    ("sent", "path"),
    [
        ("/env/a%2Fb", "/env/a/b"),
        ("/env//a///b", "/env/a/b"),
        ("/x/../env/./a", "/env/a"),
        ("/x/%2e%2e/env", "/env"),
        ("/env/%E9", "/env/\xe9"),
        ("/env/a%25b+c;d", "/env/a%b+c;d"),
    ],
)
@claim
def test_paths_are_normalised_and_the_uri_is_not(visitor: Visitor, sent: str, path: str) -> None:
    environ = visitor.ask(f"{sent}?x=%2F&y=a//b").json()
    assert environ["PATH_INFO"] == path
    assert environ["QUERY_STRING"] == "x=%2F&y=a//b"
    uri, _, query = environ["REQUEST_URI"].partition("?")
    if visitor.differs("request uri"):
        assert urllib.parse.unquote(uri, "latin-1") == visitor.mount + path
    else:
        assert uri == visitor.mount + sent
    assert query == "x=%2F&y=a//b"


@claim
def test_a_line_feed_in_the_path(visitor: Visitor) -> None:
    answer = visitor.ask("/env/a%0Ab")
    if visitor.differs("control characters"):
        assert answer.status == 400
    else:
        assert answer.json()["PATH_INFO"] == "/env/a\nb"


@pytest.mark.parametrize("path", ["/env/a b", "/env/a%", "/env/a%zz", "/env/a%00b"])
@claim
def test_malformed_paths_are_refused(visitor: Visitor, path: str) -> None:
    answer = visitor.raw(f"GET {visitor.mount}{path} HTTP/1.1\r\nHost: {visitor.domain}\r\nConnection: close\r\n\r\n")
    assert answer[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 404")


@claim
def test_host_that_contradicts_the_request_line_does_not_pass(visitor: Visitor) -> None:
    answer = visitor.raw(
        f"GET http://{visitor.domain}{visitor.mount}/env HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    )
    assert b"evil.example" not in answer


@claim
def test_forged_headers_do_not_arrive(visitor: Visitor) -> None:
    forged = {
        "X-Forwarded-For": "6.6.6.6",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Port": "6666",
        "X-Forwarded-Prefix": "/evil",
        "X-Forwarded-Scheme": "evil",
        "X-Forwarded-Server": "evil.example",
        "X-Forwarded-Ssl": "evil",
        "X-Real-IP": "6.6.6.6",
        "Forwarded": "for=6.6.6.6",
        "Proxy": "http://evil.example",
    }
    if visitor.differs("forged headers"):
        assert {visitor.ask("/env", headers={name: value}).status for name, value in forged.items()} == {400}
        return
    environ = visitor.ask("/env", headers=forged).json()
    assert environ["wsgi.url_scheme"] == "http"
    assert "HTTP_PROXY" not in environ
    assert not [key for key, value in environ.items() if re.search("6666|6.6.6.6|evil", str(value))]
    assert ("HTTP_X_FORWARDED_HOST" in environ) == visitor.differs("forwarded host")


@pytest.mark.parametrize(
    "headers",
    [
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 3\r\nContent-Length: 4\r\n",
        "Host: evil.example\r\nContent-Length: 5\r\n",
    ],
    ids=["length and chunked", "two lengths", "two hosts"],
)
@claim
def test_contradictions_are_refused(visitor: Visitor, headers: str) -> None:
    head = f"POST {visitor.mount}/upload HTTP/1.1\r\nHost: {visitor.domain}\r\n"
    answer = visitor.raw(f"{head}{headers}\r\n0\r\n\r\n")
    if "chunked" in headers and visitor.differs("length and chunked"):
        assert answer[:12] in (b"HTTP/1.1 200", b"HTTP/1.1 411")
        # What another server in between might take for the next request is not read.
        assert b"\r\nConnection: close\r\n" in answer
    else:
        assert answer[:12] == b"HTTP/1.1 400"


@claim
def test_no_second_request_hides_in_a_first(visitor: Visitor) -> None:
    sent = [Sent(case, visitor, secrets.token_hex(8)) for case in CASES]
    with ThreadPoolExecutor(len(sent)) as pool:
        answers = list(pool.map(Sent.answers, sent))
    wrong = []
    for one, found in zip(sent, answers, strict=True):
        asked = visitor.ask(f"/asked?{one.mark}").json()
        begun = [f"/upload/{one.mark}"]
        # No answer at all: the connection was just closed.
        refused = len(found) < 2 and {status for status, _length in found} <= REFUSED
        refused = refused and (not asked or (asked == begun and visitor.differs("body as it comes")))
        taken = len(found) == 1 and found[0][1] in one.right and asked == begun
        if not refused and not taken:
            wrong.append(f"{one.case.name}: {found} {asked}")
    assert not wrong, "; ".join(wrong)


@claim
def test_methods_of_ones_own_and_trace(visitor: Visitor) -> None:
    answer = visitor.ask("/env", "BREW")
    if visitor.differs("method"):
        assert answer.status in (405, 501)
    else:
        assert answer.json()["REQUEST_METHOD"] == "BREW"
    assert visitor.ask("/env", "TRACE").status == 405
    tunnel = visitor.raw("CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\nConnection: close\r\n\r\n")
    assert tunnel[:12] in (b"", b"HTTP/1.1 400", b"HTTP/1.1 404", b"HTTP/1.1 405", b"HTTP/1.1 501")


@claim
def test_a_range_is_for_the_application_to_choose(visitor: Visitor) -> None:
    assert visitor.ask("/env", headers={"Range": "bytes=0-3"}).status == (206 if visitor.differs("range") else 200)


@claim
def test_underscore_headers_do_not_pose_as_others(visitor: Visitor) -> None:
    for name in ("X_Foo_Bar", "Remote_User", "X_Forwarded_For", "Content_Length"):
        answer = visitor.ask("/env", headers={name: "6"})
        if visitor.differs("forged headers"):
            assert answer.status == 400
        else:
            assert "6" not in answer.json().values()


@claim
def test_headers_of_one_name_are_one_list(visitor: Visitor) -> None:
    answer = visitor.raw(
        f"GET {visitor.mount}/env HTTP/1.0\r\nHost: {visitor.domain}\r\n"
        "X-Twice: a\r\nX-Twice: b\r\nCookie: a=1\r\nCookie: b=2\r\n\r\n"
    )
    environ = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert environ["HTTP_X_TWICE"] in ({"a", "b", "a, b"} if visitor.differs("headers of one name") else {"a, b"})
    assert environ["HTTP_COOKIE"] in ({"a=1"} if visitor.differs("cookies") else {"a=1; b=2", "a=1, b=2"})


@claim
def test_authorization_arrives(visitor: Visitor) -> None:
    environ = visitor.ask("/env", headers={"Authorization": "Basic dTpw"}).json()
    assert environ["HTTP_AUTHORIZATION"] == "Basic dTpw"


@claim
def test_large_and_many_request_headers(visitor: Visitor) -> None:
    assert len(visitor.ask("/env", headers={"X-Large": "x" * 7000}).json()["HTTP_X_LARGE"]) == 7000
    if visitor.differs("request header over 8 kB"):
        assert visitor.ask("/env", headers={"X-Large": "x" * 15000}).status == 413
    else:
        assert len(visitor.ask("/env", headers={"X-Large": "x" * 15000}).json()["HTTP_X_LARGE"]) == 15000
        larger = visitor.ask("/env", headers={"X-Large": "x" * 30000}).json().get("HTTP_X_LARGE", "")
        assert len(larger) == (0 if visitor.differs("large request header") else 30000)
    many = visitor.ask("/env", headers={f"X-Many-{number}": "x" for number in range(90)}).json()
    assert len([key for key in many if key.startswith("HTTP_X_MANY_")]) == 90


# ---- bodies


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@claim
def test_large_upload(visitor: Visitor, chunked: bool) -> None:
    if chunked and visitor.differs("chunked upload"):
        assert visitor.ask("/upload", "POST", body=iter([b"abc"]), chunked=True).status == 411
        return
    large = _large(visitor)
    headers = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(large * MEGABYTE)}
    answer = visitor.ask("/upload", "POST", body=iter([PIECE] * large), headers=headers, chunked=chunked)
    assert answer.json() == {"length": large * MEGABYTE, "sha256": _digest(large)}


@claim
def test_body_over_the_limit_is_refused(visitor: Visitor, host: Host) -> None:
    before = len(_requests(host, visitor))
    # What test_large_upload sends is just not over it.
    limit = _large(visitor) * MEGABYTE
    answer = visitor.raw(
        f"POST {visitor.mount}/upload HTTP/1.1\r\nHost: {visitor.domain}\r\nContent-Length: {limit + 1}\r\n"
        "Connection: close\r\n\r\n"
    )
    assert b" 413 " in answer.split(b"\r\n")[0]
    passes = False
    if visitor.mount and not visitor.differs("chunked upload"):
        status = visitor.status("/upload", "POST", iter([PIECE] * _large(visitor) + [b"x"]))
        passes = visitor.differs("chunked body over the limit")
        assert status in ({200, 413, 502} if passes else {413})
        before += visitor.differs("body as it comes")
    # What passes may have been somebody else's, who asks the same application.
    assert passes or len(_requests(host, visitor)) == before


@claim
def test_expect_100_continue(visitor: Visitor) -> None:
    with visitor.connect() as connection:
        head = f"POST {visitor.mount}/upload HTTP/1.1\r\nHost: {visitor.domain}\r\nContent-Length: 3\r\n"
        connection.sendall(f"{head}Expect: 100-continue\r\nConnection: close\r\n\r\n".encode())
        assert b" 100 " in connection.recv(65536)
        connection.sendall(b"abc")
        assert b'"length": 3' in b"".join(iter(lambda: connection.recv(65536), b""))


@claim
def test_large_download(visitor: Visitor) -> None:
    length = _large(visitor) * MEGABYTE
    answer = visitor.ask(f"/download?{length}")
    assert len(answer.body) == length
    assert answer.headers["Content-Length"] == str(length)


@claim
def test_streaming_where_the_application_asks_for_it(visitor: Visitor) -> None:
    mark = secrets.token_hex(8)
    connection = visitor.connection()
    connection.request("GET", f"{visitor.mount}/stream?{mark}", headers={"Host": visitor.domain})
    answer = connection.getresponse()
    assert answer.read1(8) == b"piece 0\n"
    # Only who has the first piece already can say so.
    assert visitor.ask(f"/arrived?{mark}").status == 200
    assert answer.read() == b"piece 1\n"
    connection.close()


@claim
def test_the_application_learns_that_the_visitor_has_gone(visitor: Visitor) -> None:
    mark = secrets.token_hex(8)
    with visitor.connect() as connection:
        connection.sendall(f"GET {visitor.mount}/endless?{mark} HTTP/1.1\r\nHost: {visitor.domain}\r\n\r\n".encode())
        assert connection.recv(1000)
    deadline = time.monotonic() + 60
    while not visitor.ask(f"/closed?{mark}").json():
        assert time.monotonic() < deadline, "the iterator was not closed"
        time.sleep(0.2)


# ---- answers


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
    journal, file = "journalctl --no-pager --output cat --unit pyhost-%s", "cat /var/log/apache2/%s.example.error.log"
    log = file if visitor.protocol == "wsgi" else journal
    words = "RuntimeError: probe: an exception that nobody catches"
    # The journal is written a moment later.
    look = f"for _ in $(seq 100); do {log} | grep --text --quiet %s && exit; sleep 0.2; done; exit 1"
    host.check_output(look, _app(visitor), words)


@claim
def test_wsgiref_validates(visitor: Visitor) -> None:
    assert visitor.ask("/env/validated").status == 200
    assert visitor.ask("/upload/validated", "POST", body=b"abc").json()["length"] == 3


VERSION = re.compile(rb"(nginx|apache|lighttpd|cherokee|python|wsgi|flup|debian)[^\r\n]{0,3}[0-9]")


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
    for cell in {cell.front: cell for cell in cells if cell.probe.protocol != "wsgi"}.values():
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


# ---- files


@claim_of("static")
def test_static_files_never_reach_the_application(visitor: Visitor, host: Host) -> None:
    before = len(_requests(host, visitor))
    answer = visitor.ask("/static/style.css")
    assert (answer.status, answer.body) == (200, b"body { color: black }\n")
    assert answer.headers["Content-Type"].startswith("text/css")
    assert answer.headers["Cache-Control"] == "public, max-age=600"
    assert visitor.ask("/favicon.ico").body == b"icon\n"
    assert visitor.ask("/static/none.css").status == 404
    assert visitor.ask("/static/").status in (403, 404)
    for hidden in (".hidden", "deeper/.hidden"):
        assert host.file(f"/srv/pyhost/{_app(visitor)}/current/public/static/{hidden}").exists
        for path in (hidden, hidden.replace(".", "%2e"), f"none/../{hidden}"):
            assert visitor.ask(f"/static/{path}").status == 404
    # A folder that is published by its name is not.
    assert visitor.ask("/.well-known/style.css").status == 200
    assert visitor.ask("/.well-known/.hidden").status == 404
    assert visitor.ask("/static/style.css", "POST", body=b"x").status == 405
    assert len(_requests(host, visitor)) == before


@claim_of("static")
def test_static_file_conditional_range_and_head(visitor: Visitor) -> None:
    whole = visitor.ask("/static/style.css")
    assert visitor.ask("/static/style.css", headers={"If-None-Match": whole.headers["ETag"]}).status == 304
    assert visitor.ask("/static/style.css", headers={"If-Modified-Since": whole.headers["Last-Modified"]}).status == 304
    part = visitor.ask("/static/style.css", headers={"Range": "bytes=0-3"})
    assert (part.status, part.body, part.headers["Content-Range"]) == (206, b"body", f"bytes 0-3/{len(whole.body)}")
    assert visitor.ask("/static/style.css", headers={"Range": "bytes=9999-"}).status == 416
    head = visitor.ask("/static/style.css", "HEAD")
    assert (head.headers["Content-Length"], head.body) == (str(len(whole.body)), b"")


@claim_of("static")
def test_static_file_precompressed(visitor: Visitor) -> None:
    answer = visitor.ask("/static/large.js", headers={"Accept-Encoding": "gzip"})
    if visitor.differs("precompressed"):
        assert b"plain" in (gzip.decompress(answer.body) if "Content-Encoding" in answer.headers else answer.body)
    else:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(answer.body) == b"// made beforehand\n"
    assert visitor.ask("/static/large.js").body == b"// plain\n"


@claim_of("static")
def test_files_of_the_data_folder_but_no_links_out_of_it(visitor: Visitor, host: Host) -> None:
    app = _app(visitor)
    media = f"/var/lib/pyhost/{app}/media"
    host.check_output(
        "runuser -u %s -- sh -c %s", app, f"umask 027; echo picture > {media}/new; ln -sfn /etc {media}/link"
    )
    assert visitor.ask("/media/new").body == b"picture\n"
    assert visitor.ask("/media/link/passwd").status in ((500,) if visitor.differs("link") else (403, 404))


@claim_of("private")
def test_private_file_is_sent_where_the_application_says_so(visitor: Visitor) -> None:
    answer = visitor.ask("/secret")
    assert answer.body == b"a bill\n"
    # The words to any front end are not for visitors.
    assert not {"x-accel-redirect", "x-sendfile"} & {name.lower() for name in answer.headers}
    assert visitor.ask("/private/bill.txt").status == 404


# ---- hosts


@claim
def test_unknown_hosts_get_no_application(visitor: Visitor, host: Host) -> None:
    before = len(_requests(host, visitor))
    for name in ("unknown.example", visitor.address, ""):
        answer = visitor.raw(f"GET {visitor.mount}/env HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n")
        assert answer[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 404" if visitor.differs("unknown host") else b"")
    assert len(_requests(host, visitor)) == before


@claim
def test_wildcard_domain(visitor: Visitor) -> None:
    assert dataclasses.replace(visitor, domain=f"any.{visitor.domain}").ask("/env").status == 200


@claim
def test_the_generation_is_not_for_visitors(visitor: Visitor) -> None:
    answer = visitor.raw("GET / HTTP/1.1\r\nHost: generation.pyhost.invalid\r\nConnection: close\r\n\r\n")
    assert answer[:12] == (b"HTTP/1.1 404" if visitor.differs("unknown host") else b"")
    assert not re.search(rb"\n[0-9a-f]{16,}", answer)
