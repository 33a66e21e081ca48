# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask an application at its own endpoint, a unix socket, in the protocol that a front end would speak to it.

Private to the collection.

Sources: "FastCGI Specification" 1.0, sections 3, 5 and 6; "SCGI: A Simple Common Gateway Interface alternative", 2008;
"The uwsgi (lowercase) Protocol" in the documentation of uWSGI.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import struct
import threading
import typing as t
import urllib.parse
from collections.abc import Callable, Iterator

from ._text import beginning, one_line

SUFFIX = "+unix"
ENCRYPTED = "+https"
"""Of a URL whose visitors come over HTTPS: the application is asked as a front end would ask it for them."""
"""A URL is C(PROTOCOL+unix://SOCKET/path), the path of the socket percent-encoded."""

Variables = list[tuple[bytes, bytes]]

LARGEST = 256 * 1024
"""Bytes of headers that are waited for."""

BEGIN, PARAMS, STDIN, STDOUT = 1, 4, 5, 6
"""Types of FastCGI's records."""


END = b"\r\n\r\n"
"""What ends the headers."""

STATUS = re.compile(r"[1-9][0-9]{2}(?![^ ])")

# What is raised where no answer comes. Parsers of the standard library raise ValueError for what they never expected.
Failed = (OSError, http.client.HTTPException, ValueError)


class NoAnswer(OSError):
    """What came is no answer."""


def status_of(line: str) -> int | None:
    """Return the status of a line such as C(200 OK): three ASCII digits; None where it begins with anything else."""
    found = STATUS.match(line)
    return int(found[0]) if found else None


def failure(error: Exception) -> str:
    """Return why there is no answer, in words that nobody takes for a status line."""
    if isinstance(error, http.client.BadStatusLine) and not isinstance(error, http.client.RemoteDisconnected):
        return f"invalid answer: {beginning(str(error), 80)!r}"
    words = one_line(getattr(error, "strerror", None) or str(error) or type(error).__name__)
    return f"no answer: {words}" if words[:1].isnumeric() else words


@contextlib.contextmanager
def deadline(seconds: float, connected: Callable[[], socket.socket | None]) -> Iterator[None]:
    """End a conversation after some seconds in total, however often a byte arrives; raises TimeoutError then.

    C(connected) returns its socket at that time; None while there is none.
    """
    late = threading.Event()

    def end() -> None:
        late.set()
        connection = connected()
        if connection:
            with contextlib.suppress(OSError):
                # Of TLS too the plain socket: a goodbye could block.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Failed as error:
        if late.is_set() or isinstance(error, TimeoutError):
            raise TimeoutError(f"no answer after {seconds:g} s") from error
        raise
    else:
        if late.is_set():
            raise TimeoutError(f"no answer after {seconds:g} s")
    finally:
        timer.cancel()


def endpoint(protocol: str, path: str) -> str:
    """Return the URL of the unix socket at C(path), behind which an application speaks C(protocol)."""
    return f"{protocol}{SUFFIX}://{urllib.parse.quote(path, safe='')}"


def is_direct(url: str) -> bool:
    """Return whether a URL is that of an application itself, behind its unix socket."""
    return SUFFIX in urllib.parse.urlsplit(url).scheme


def ask(url: str, mount: str, host: str, timeout: float) -> str:
    """Return the status line, such as C(200 OK), of the answer to a GET; C(timeout) is seconds for all of it.

    Raises one of C(Failed) where none comes.
    """
    parts = urllib.parse.urlsplit(url)
    is_encrypted = ENCRYPTED in parts.scheme
    protocol = parts.scheme.removesuffix(ENCRYPTED).removesuffix(SUFFIX)
    with socket.socket(socket.AF_UNIX) as connection, deadline(timeout, lambda: connection):
        connection.settimeout(timeout)
        connection.connect(urllib.parse.unquote(parts.netloc))
        if protocol == "http":
            client = http.client.HTTPConnection(host)
            client.sock = connection
            client.request("GET", _target(parts), headers={"X-Forwarded-Proto": "https"} if is_encrypted else {})
            answer = client.getresponse()
            return f"{answer.status} {answer.reason}"
        connection.sendall(REQUESTS[protocol](_variables(parts, mount, host, is_encrypted)))
        with connection.makefile("rb") as stream:
            return _status(_stdout(stream) if protocol == "fastcgi" else iter(lambda: stream.read1(8192), b""))


def _target(parts: urllib.parse.SplitResult) -> str:
    """Return what a request line names: the path with its query."""
    return parts._replace(scheme="", netloc="").geturl() or "/"


def _variables(parts: urllib.parse.SplitResult, mount: str, host: str, is_encrypted: bool) -> Variables:
    values = {
        # SCGI wants this one first.
        "CONTENT_LENGTH": "0",
        "REQUEST_METHOD": "GET",
        "REQUEST_URI": _target(parts),
        "SCRIPT_NAME": mount,
        "QUERY_STRING": parts.query,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": host,
        "SERVER_PORT": "443" if is_encrypted else "80",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": host,
        **({"HTTPS": "on"} if is_encrypted else {}),
    }
    path = urllib.parse.unquote_to_bytes(parts.path.removeprefix(mount))
    return [*((name.encode(), value.encode()) for name, value in values.items()), (b"PATH_INFO", path)]


def _uwsgi(variables: Variables) -> bytes:
    packed = b"".join(struct.pack("<H", len(text)) + text for pair in variables for text in pair)
    return struct.pack("<BHB", 0, len(packed), 0) + packed


def _scgi(variables: Variables) -> bytes:
    packed = b"".join(b"%s\0%s\0" % pair for pair in [*variables, (b"SCGI", b"1")])
    return b"%d:%s," % (len(packed), packed)


def _fastcgi(variables: Variables) -> bytes:
    def record(kind: int, content: bytes = b"") -> bytes:
        return struct.pack(">BBHHxx", 1, kind, 1, len(content)) + content

    # Lengths in their long form, four bytes of which the highest bit says so.
    packed = b"".join(
        struct.pack(">II", len(name) | 1 << 31, len(value) | 1 << 31) + name + value for name, value in variables
    )
    # In the role of a responder, which does not keep the connection.
    begin = record(BEGIN, struct.pack(">HB5x", 1, 0))
    return begin + record(PARAMS, packed) + record(PARAMS) + record(STDIN)


REQUESTS: dict[str, t.Callable[[Variables], bytes]] = {"uwsgi": _uwsgi, "scgi": _scgi, "fastcgi": _fastcgi}


def _stdout(stream: t.BinaryIO) -> t.Iterator[bytes]:
    """Return what the application says, record by record, without what it complains about."""
    while len(head := stream.read(8)) == 8:
        kind, length, padding = struct.unpack(">xBxxHBx", head)
        content = stream.read(length + padding)[:length]
        if kind == STDOUT:
            yield content


def _status(pieces: t.Iterable[bytes]) -> str:
    """Return the status of an answer that begins as in HTTP, or as in CGI, where 200 may be left out."""
    received = bytearray()
    for piece in pieces:
        seen = max(0, len(received) - len(END) + 1)
        received += piece
        if received.find(END, seen) >= 0 or len(received) > LARGEST:
            break
    lines = received.partition(END)[0].decode("latin-1").split("\r\n")
    if lines[0].startswith("HTTP/"):
        return lines[0].partition(" ")[2]
    headers = {name.lower(): value.strip() for name, colon, value in (line.partition(":") for line in lines) if colon}
    if not headers:
        words = f"invalid answer: {beginning(lines[0], 80)!r}"
        raise NoAnswer(words if received else "the connection was closed without an answer")
    return headers.get("status", "200 OK")
