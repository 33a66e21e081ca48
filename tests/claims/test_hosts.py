"""Which sites a visitor reaches by which name."""

from __future__ import annotations

import dataclasses
import re

from testinfra.host import Host

from tests.claims.claims import claim, requests
from tests.support.visitor import Visitor


@claim
def test_unknown_hosts_get_no_application(visitor: Visitor, host: Host) -> None:
    before = len(requests(host, visitor))
    for name in ("unknown.example", visitor.address, ""):
        answer = visitor.raw(f"GET {visitor.mount}/env HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n")
        assert answer[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 404" if visitor.differs("unknown host") else b"")
    assert len(requests(host, visitor)) == before


@claim
def test_wildcard_domain(visitor: Visitor) -> None:
    assert dataclasses.replace(visitor, domain=f"any.{visitor.domain}").ask("/env").status == 200


@claim
def test_the_generation_is_not_for_visitors(visitor: Visitor) -> None:
    answer = visitor.raw("GET / HTTP/1.1\r\nHost: generation.pyhost.invalid\r\nConnection: close\r\n\r\n")
    assert answer[:12] == (b"HTTP/1.1 404" if visitor.differs("unknown host") else b"")
    assert not re.search(rb"\n[0-9a-f]{16,}", answer)
