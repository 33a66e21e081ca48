# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an application is told at its own endpoint, and what counts as its answer."""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import struct
import threading
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.pyhost.web.plugins.module_utils import _gateway
from ansible_collections.pyhost.web.plugins.module_utils._gateway import endpoint, status_of
from ansible_collections.pyhost.web.plugins.module_utils._mask import STARS, Mask
from ansible_collections.pyhost.web.plugins.module_utils._transaction.host import Host
from hypothesis import given, settings
from hypothesis import strategies as st

CGI = b"Status: 201 Created\r\nContent-Type: text/plain\r\n\r\nbody"


def _read_uwsgi(stream: t.BinaryIO) -> dict[str, str]:
    (length,) = struct.unpack("<xHx", stream.read(4))
    packed, parts = stream.read(length), []
    while packed:
        (size,) = struct.unpack("<H", packed[:2])
        parts.append(packed[2 : 2 + size].decode())
        packed = packed[2 + size :]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def _read_scgi(stream: t.BinaryIO) -> dict[str, str]:
    digits = b""
    while (byte := stream.read(1)) != b":":
        digits += byte
    parts = stream.read(int(digits)).decode().split("\0")[:-1]
    assert (stream.read(1), parts[:2]) == (b",", ["CONTENT_LENGTH", "0"])
    return dict(zip(parts[::2], parts[1::2], strict=True))


def _read_fastcgi(stream: t.BinaryIO) -> dict[str, str]:
    packed, variables = b"", {}
    while True:
        version, kind, request, length = struct.unpack(">BBHHxx", stream.read(8))
        assert (version, request) == (1, 1)
        content = stream.read(length)
        if kind == 4:
            packed += content
        elif kind == 5:
            assert content == b""
            break
        else:
            assert (kind, content) == (1, b"\0\1\0\0\0\0\0\0")
    while packed:
        name, value = (size & 0x7FFFFFFF for size in struct.unpack(">II", packed[:8]))
        variables[packed[8 : 8 + name].decode()] = packed[8 + name : 8 + name + value].decode()
        packed = packed[8 + name + value :]
    return variables


def _read_http(stream: t.BinaryIO) -> dict[str, str]:
    target = stream.readline().decode().split()[1]
    lines = iter(lambda: stream.readline().decode().strip(), "")
    return {
        "REQUEST_URI": target,
        **{f"HTTP_{name.upper()}": value for name, value in (line.split(": ") for line in lines)},
    }


def _records(*records: tuple[int, bytes]) -> bytes:
    return b"".join(struct.pack(">BBHHBx", 1, kind, 1, len(text), 3) + text + b"pad" for kind, text in records)


@pytest.fixture
def listening(tmp_path: Path) -> t.Iterator[t.Callable[..., str]]:
    """Return what makes an application listen, which reads and says what it is told to, and keeps what it has read."""
    with contextlib.ExitStack() as stack:

        def listen(protocol: str, answer: bytes, told: dict[str, str] | None = None, drip: bytes = b"") -> str:
            path = str(tmp_path / "a socket")
            server = stack.enter_context(socket.socket(socket.AF_UNIX))
            server.bind(path)
            server.listen()

            def serve() -> None:
                with server.accept()[0] as connection, connection.makefile("rb") as stream:
                    (told if told is not None else {}).update(READ[protocol](stream))
                    connection.sendall(answer)
                    # Whoever asks has to hang up: a byte at a time, for as long as it takes.
                    end = time.monotonic() + 8
                    with contextlib.suppress(OSError):
                        while drip and time.monotonic() < end:
                            connection.sendall(drip)
                            time.sleep(0.05)

            thread = threading.Thread(target=serve)
            thread.start()
            stack.callback(thread.join, 10)
            return endpoint(protocol, path)

        yield listen


READ = {"uwsgi": _read_uwsgi, "scgi": _read_scgi, "fastcgi": _read_fastcgi, "http": _read_http}
ANSWERS = {
    "uwsgi": b"HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\n\r\nbody",
    "scgi": CGI,
    "fastcgi": _records((7, b"a complaint"), (6, CGI[:10]), (6, CGI[10:]), (6, b""), (3, b"\0" * 8)),
    "http": b"HTTP/1.1 201 Created\r\nContent-Length: 4\r\n\r\nbody",
}
HOST = Host(lambda *_words: (1, "", "no command is run"))


@pytest.mark.parametrize("protocol", READ)
def test_it_is_told_what_a_front_end_would_tell(protocol: str, listening: t.Callable[..., str]) -> None:
    told: dict[str, str] = {}
    url = listening(protocol, ANSWERS[protocol], told)
    assert HOST.ask(f"{url}/sub/%C3%A9?a=b", "shop.example.org", 5, "/sub") == "201 Created"
    expected = {"REQUEST_URI": "/sub/%C3%A9?a=b"}
    if protocol == "http":
        expected |= {"HTTP_HOST": "shop.example.org"}
    else:
        expected |= {"SCRIPT_NAME": "/sub", "PATH_INFO": "/é", "QUERY_STRING": "a=b", "REQUEST_METHOD": "GET"}
        expected |= {"HTTP_HOST": "shop.example.org", "SERVER_PROTOCOL": "HTTP/1.1"}
    assert told.items() >= expected.items()


@pytest.mark.parametrize("protocol", READ)
def test_it_is_told_of_visitors_who_come_over_https(protocol: str, listening: t.Callable[..., str]) -> None:
    """Or it would redirect who asks for its health."""
    told: dict[str, str] = {}
    url = listening(protocol, ANSWERS[protocol], told).replace(
        _gateway.SUFFIX, f"{_gateway.SUFFIX}{_gateway.ENCRYPTED}"
    )
    assert HOST.ask(f"{url}/", "shop.example.org", 5) == "201 Created"
    expected = {"HTTP_X-FORWARDED-PROTO": "https"} if protocol == "http" else {"HTTPS": "on", "SERVER_PORT": "443"}
    assert told.items() >= expected.items()


@pytest.mark.parametrize(
    ("protocol", "answer", "status"),
    [
        ("scgi", b"Content-Type: text/plain\r\n\r\nbody", "200 OK"),
        ("scgi", b"", "the connection was closed without an answer"),
        ("scgi", b"Traceback\n", "invalid answer: 'Traceback\\n'"),
        ("uwsgi", b"", "the connection was closed without an answer"),
        ("fastcgi", _records((7, b"a complaint"), (3, b"\0" * 8)), "the connection was closed without an answer"),
        ("fastcgi", b"", "the connection was closed without an answer"),
        # It would be taken for a status line.
        ("http", b"200 OK\r\n\r\n", "invalid answer: '200 OK\\r\\n'"),
        ("http", b"\x1b[31mred\r\n", "invalid answer: '\\x1b[31mred\\r\\n'"),
        ("http", b"HTTP/1.1 \xb2\xb3\xb9 OK\r\n\r\n", "invalid answer: 'HTTP/1.1 \xb2\xb3\xb9 OK\\r\\n'"),
        ("uwsgi", b"HTTP/1.1 \xb2\xb3\xb9 OK\r\n\r\n", "\xb2\xb3\xb9 OK"),
    ],
)
def test_what_counts_as_an_answer(protocol: str, answer: bytes, status: str, listening: t.Callable[..., str]) -> None:
    assert HOST.ask(listening(protocol, answer), None, 5) == status


def test_nobody_listens(tmp_path: Path) -> None:
    assert "No such file" in HOST.ask(endpoint("uwsgi", str(tmp_path / "none")), None, 5)


DRIPS = {
    "uwsgi": (b"", b"x"),
    "scgi": (b"", b"x"),
    "fastcgi": (b"", b"\1\7\0\1\0\0\0\0"),
    "http": (b"HTTP/1.1 200 O", b"x"),
}


@pytest.mark.parametrize("protocol", DRIPS)
def test_a_byte_at_a_time_is_no_life(protocol: str, listening: t.Callable[..., str]) -> None:
    begin = time.monotonic()
    answer, drip = DRIPS[protocol]
    assert HOST.ask(listening(protocol, answer, drip=drip), None, 0.4) == "no answer after 0.4 s"
    assert time.monotonic() - begin < 3


def test_an_endless_list_of_intermediate_answers_ends(listening: t.Callable[..., str]) -> None:
    begin = time.monotonic()
    url = listening("http", b"", drip=b"HTTP/1.1 100 Continue\r\n\r\n")
    assert HOST.ask(url, None, 0.4) == "no answer after 0.4 s"
    assert time.monotonic() - begin < 3


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("200 OK", 200),
        ("404", 404),
        ("\u00b2\u00b3\u00b9 OK", None),
        ("\u0662\u0660\u0660 OK", None),
        ("2000 OK", None),
        ("20 OK", None),
        ("", None),
        ("099 Low", None),
        ("2_0 OK", None),
        ("+20 OK", None),
        ("no answer: 200", None),
    ],
)
def test_a_status_has_three_digits(line: str, status: int | None) -> None:
    assert status_of(line) == status


FUZZ = settings(derandomize=True, max_examples=150, deadline=None)
# Most random bytes end at the first check; these come further.
WORDS = st.sampled_from(
    [b"HTTP/1.1 ", b"Status: ", b"200 OK", b"\r\n", b"\r\n\r\n", b":", b"\xb2\xb3\xb9", b"\x1b[31m", b"\0"]
)
SAID = st.lists(WORDS | st.binary(max_size=20), max_size=8).map(b"".join)


@FUZZ
@given(st.lists(SAID, max_size=4))
def test_any_bytes_are_a_status_line_or_no_answer(pieces: list[bytes]) -> None:
    try:
        line = _gateway._status(iter(pieces))
    except _gateway.Failed as error:
        assert status_of(_gateway.failure(error)) is None
        assert _gateway.failure(error).isprintable()
    else:
        assert status_of(line) is None or 100 <= int(line[:3]) <= 999
        assert len(line) <= _gateway.LARGEST + len(b"".join(pieces))


SECRET = "caf\u00e9-hunter22"


@pytest.mark.parametrize("protocol", ["http", "scgi"])
def test_no_part_of_a_secret_is_left_where_an_answer_is_cut(protocol: str, listening: t.Callable[..., str]) -> None:
    answer = HOST.ask(listening(protocol, f"{'x' * 70}{SECRET}\r\n\r\n".encode()), None, 5)
    assert Mask([SECRET])(answer) == f"invalid answer: '{'x' * 70}{STARS}…'"


@FUZZ
@given(st.binary(max_size=60))
def test_any_bytes_are_records(data: bytes) -> None:
    assert b"".join(_gateway._stdout(io.BytesIO(data))) in data or len(data) > 8


@FUZZ
@given(SAID)
def test_any_bytes_from_a_socket_that_speaks_http(said: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(said)
        theirs.shutdown(socket.SHUT_WR)
        client = http.client.HTTPConnection("a.example")
        client.sock = ours
        with contextlib.suppress(*_gateway.Failed):
            client.request("GET", "/")
            assert 100 <= client.getresponse().status <= 999
