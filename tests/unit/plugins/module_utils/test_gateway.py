"""What an application is told at its own endpoint, and what counts as its answer."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import typing as t
from pathlib import Path

import pytest
from ansible_collections.pyhost.web.plugins.module_utils._gateway import endpoint
from ansible_collections.pyhost.web.plugins.module_utils._host import Host

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

        def listen(protocol: str, answer: bytes, told: dict[str, str] | None = None) -> str:
            path = str(tmp_path / "a socket")
            server = stack.enter_context(socket.socket(socket.AF_UNIX))
            server.bind(path)
            server.listen()

            def serve() -> None:
                with server.accept()[0] as connection, connection.makefile("rb") as stream:
                    (told if told is not None else {}).update(READ[protocol](stream))
                    connection.sendall(answer)

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


@pytest.mark.parametrize(
    ("protocol", "answer", "status"),
    [
        ("scgi", b"Content-Type: text/plain\r\n\r\nbody", "200 OK"),
        ("scgi", b"", "no answer before the connection was closed"),
        ("scgi", b"Traceback\n", "no answer, but 'Traceback\\n'"),
        ("uwsgi", b"", "no answer before the connection was closed"),
        ("fastcgi", _records((7, b"a complaint"), (3, b"\0" * 8)), "no answer before the connection was closed"),
        ("fastcgi", b"", "no answer before the connection was closed"),
    ],
)
def test_what_counts_as_an_answer(protocol: str, answer: bytes, status: str, listening: t.Callable[..., str]) -> None:
    assert HOST.ask(listening(protocol, answer), None, 5) == status


def test_nobody_listens(tmp_path: Path) -> None:
    assert "No such file" in HOST.ask(endpoint("uwsgi", str(tmp_path / "none")), None, 5)
