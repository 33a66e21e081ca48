"""Requests over whose end two servers might differ, so that one takes for a body what the other takes for a request."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from tests.support.visitor import Visitor

REFUSED = frozenset({400, 405, 408, 411, 413, 417, 501})


@dataclass(frozen=True)
class Case:
    """A request to ``/upload``: what comes after Host, and the bytes after the head.

    In both, ``INNER`` stands for a second request. Where the application gets the request, the body has to be one of
    ``right``.
    """

    name: str
    head: str
    body: str
    right: tuple[str, ...] = ()
    version: str = "HTTP/1.1"


def _sized(size: str) -> str:
    return f"Content-Length: {size}\r\n"


CHUNKED = "Transfer-Encoding: chunked\r\n"
# A whole chunked body of none or three bytes, and what would be the next request.
NONE, THREE = "0\r\n\r\nINNER", "3\r\nabc\r\n0\r\n\r\n"

CASES = (
    Case("length over all, and chunked", _sized("LENGTH") + CHUNKED, NONE, ("",)),
    Case("chunked over all, and a short length", _sized("4") + CHUNKED, "CHUNK", ("INNER",)),
    Case("chunked over all, and two lengths", _sized("4") + _sized("5") + CHUNKED, "CHUNK", ("INNER",)),
    Case("two lengths", _sized("0") + _sized("LENGTH"), "INNER"),
    Case("a list of lengths", _sized("0, LENGTH"), "INNER"),
    Case("a length with a sign", _sized("+LENGTH"), "INNER"),
    Case("a negative length", _sized("-1"), "INNER"),
    Case("a length that is no decimal number", _sized("0xLENGTH"), "INNER"),
    Case("a length beyond all numbers", _sized("18446744073709551616"), "INNER"),
    Case("a space before the colon of the length", "Content-Length : 0\r\n" + _sized("LENGTH"), "INNER"),
    Case("a space before the colon", _sized("LENGTH") + "Transfer-Encoding : chunked\r\n", NONE, (NONE,)),
    Case("a vertical tab before the coding", _sized("LENGTH") + "Transfer-Encoding: \x0bchunked\r\n", NONE),
    Case("an unknown coding", _sized("LENGTH") + "Transfer-Encoding: xchunked\r\n", NONE),
    Case("chunked is not the last coding", "Transfer-Encoding: chunked, identity\r\n", NONE, ("",)),
    Case("two codings", CHUNKED + "Transfer-Encoding: identity\r\n", NONE, ("",)),
    Case("a folded header", _sized("LENGTH") + "Transfer-Encoding:\r\n chunked\r\n", NONE, ("",)),
    Case("a folded other header", "X-Folded: a\r\n Content-Length: 9\r\n" + CHUNKED, THREE, ("abc",)),
    Case("NUL in a header", _sized("3") + "X-Nul: a\0b\r\n", "abc", ("abc",)),
    Case("a carriage return alone", "X-Return: a\rContent-Length: LENGTH\r\n" + _sized("0"), "", ("",)),
    Case("a header without a name", ": a\r\n" + _sized("3"), "abc"),
    Case("a line without a colon", "Content-Length\r\n" + _sized("3"), "abc"),
    Case("line feeds alone", "Content-Length: 3\nX-Feed: a\n", "abc", ("abc",)),
    Case("a chunk's extension", CHUNKED, "3;a=b\r\nabc\r\n0\r\n\r\n", ("abc",)),
    Case("a chunk's size in another way", CHUNKED, "0x3\r\nabc\r\n0\r\n\r\n"),
    Case("a chunk's size with a sign", CHUNKED, "+3\r\nabc\r\n0\r\n\r\n"),
    Case("a chunk's size that wraps around", CHUNKED, "10000000000000003\r\nabc\r\n0\r\n\r\n"),
    Case("a chunk without its end", CHUNKED, "3\r\nabcde0\r\n\r\nINNER"),
    Case("a length among the trailers", CHUNKED, "3\r\nabc\r\n0\r\nContent-Length: 9\r\n\r\n", ("abc",)),
    Case("chunked with HTTP/1.0", CHUNKED, THREE, ("abc", ""), "HTTP/1.0"),
    Case("chunked and a length with HTTP/1.0", _sized("LENGTH") + CHUNKED, NONE, ("", NONE), "HTTP/1.0"),
)


@dataclass(frozen=True)
class Sent:
    """A case with its second request written out, as somebody sends it."""

    case: Case
    visitor: Visitor
    mark: str

    def _with_inner(self, text: str) -> str:
        inner = (
            f"GET {self.visitor.mount}/env/{self.mark}-second HTTP/1.1\r\nHost: {self.visitor.domain}\r\n"
            "Connection: close\r\n\r\n"
        )
        return text.replace("CHUNK", f"{len(inner):x}\r\nINNER\r\n0\r\n\r\n").replace("INNER", inner)

    @property
    def right(self) -> set[int]:
        """The lengths that the application may tell."""
        return {len(self._with_inner(body)) for body in self.case.right}

    def answers(self) -> list[tuple[int, t.Any]]:
        """Send it; return what comes back until the server closes, or says no more for a second: statuses, lengths."""
        case, visitor = self.case, self.visitor
        body = self._with_inner(case.body)
        head = f"POST {visitor.mount}/upload/{self.mark} {case.version}\r\nHost: {visitor.domain}\r\n{case.head}\r\n"
        received = visitor.raw(head.replace("LENGTH", str(len(body))) + body, patience=1)
        found = re.split(rb"HTTP/1\.[01] ", received)[1:]
        lengths = [re.search(rb'{"length": ([0-9]+)', answer) for answer in found]
        return [(int(answer[:3]), length and int(length[1])) for answer, length in zip(found, lengths, strict=True)]
