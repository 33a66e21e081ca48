"""What an application learns of a request: its environment, and nothing that a visitor forged."""

from __future__ import annotations

import dataclasses
import json
import re
import secrets
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

import pytest
from testinfra.host import Host

from tests.claims.claims import claim
from tests.support.smuggling import CASES, REFUSED, Sent
from tests.support.visitor import Visitor


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
