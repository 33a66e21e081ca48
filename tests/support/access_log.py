"""A request that wants to break the lines of a JSON access log, and the line that it got."""

from __future__ import annotations

import json
import time
import typing as t

from testinfra.host import Host

from .visitor import Visitor

# Quotes, backslashes, what looks like an escape, a control character, UTF-8, and what is none.
HOSTILE = b'"},{"\\\t\\x41 \\" \xc3\xa9 \xe2\x82\xac \xc3( \xfe end'

KEYS = set("time remote_addr host method uri protocol status bytes request_time referer user_agent".split())


def hostile_line(host: Host, visitor: Visitor, folder: str) -> dict[str, t.Any]:
    """Send the request and return its line of the site's log below ``folder``, which must come within 60 s."""
    path, marker = f"{visitor.mount}/env/", f'"\\{time.monotonic_ns()}'
    hostile = HOSTILE.decode("latin-1")
    answer = visitor.raw(
        f"GET {path}{marker}?\xc3\xa9 HTTP/1.1\r\nHost: {visitor.domain}\r\nConnection: close\r\n"
        f"User-Agent: {hostile}\r\nReferer: {hostile}\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 200"), answer
    deadline = time.monotonic() + 60
    while True:
        lines = host.file(f"{folder}/{visitor.domain}.access.log").content.decode("utf-8").splitlines()
        # Each of them, whoever asked.
        told = [json.loads(line) for line in lines]
        for line in told:
            assert KEYS <= line.keys() <= {*KEYS, "upstream_time"}, line
            if marker in line["uri"] or marker.replace('"', "%22").replace("\\", "%5c") in line["uri"]:
                assert (line["host"], line["method"], line["protocol"]) == (visitor.domain, "GET", "HTTP/1.1")
                assert (line["status"], line["uri"][: len(path)]) == (200, path)
                assert line["bytes"] > 0
                assert 0 <= line["request_time"] < 60
                return line
        assert time.monotonic() < deadline, told
        time.sleep(0.5)
