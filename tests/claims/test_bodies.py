"""What a visitor sends and gets in bodies: large ones, chunked ones, streams, and ones that end early."""

from __future__ import annotations

import functools
import hashlib
import os
import secrets
import time

import pytest
from testinfra.host import Host

from tests.claims.claims import claim, requests
from tests.support.visitor import Visitor

MEGABYTE = 1024 * 1024
PIECE = bytes(range(256)) * 4096
# Size of what is large, in MiB: more than any buffer has, and more than that where only few are asked.
LARGE = int(os.environ.get("PYHOST_LARGE", "100"))


def _large(visitor: Visitor) -> int:
    """Return the MiB of what is large; below a mount point the buffers are the same, so less does."""
    return min(LARGE, 5) if visitor.mount else LARGE


@functools.cache
def _digest(pieces: int) -> str:
    return hashlib.sha256(PIECE * pieces).hexdigest()


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
    before = len(requests(host, visitor))
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
    assert passes or len(requests(host, visitor)) == before


@claim
def test_an_answer_arrives_though_the_body_is_not_read(visitor: Visitor) -> None:
    """As that of an application that asks for a password first; of what is lost, only some is."""
    for size, times in ((20_000, 5), (MEGABYTE, 5), (min(_large(visitor), 50) * MEGABYTE, 2)):
        answers = [visitor.ask("/unread?5", "POST", body=b"y" * size) for _ in range(times)]
        assert [(answer.status, answer.body) for answer in answers] == [(401, b"xxxxx")] * times, size


@claim
def test_an_upload_may_pause(visitor: Visitor) -> None:
    """For less than the 10 seconds after which front ends give up."""
    with visitor.connect() as connection:
        head = f"POST {visitor.mount}/upload HTTP/1.1\r\nHost: {visitor.domain}\r\nContent-Length: {len(PIECE)}\r\n"
        connection.sendall(f"{head}Connection: close\r\n\r\n".encode() + PIECE[: MEGABYTE // 2])
        time.sleep(6)
        connection.sendall(PIECE[MEGABYTE // 2 :])
        assert f'"length": {MEGABYTE}'.encode() in b"".join(iter(lambda: connection.recv(65536), b""))


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
