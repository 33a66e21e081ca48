# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Texts for the user without secrets: one way to mask them, on the controller and on hosts.

Private to the collection.
"""

from __future__ import annotations

import bisect
import html
import json
import re
import shlex
import typing as t
import urllib.parse
from collections.abc import Iterable

from ._text import CUT, escaped

STARS = "********"

SHORTEST = 4
"""Shorter values are not masked: they occur in too many words."""

# Foreign text is searched: each of these takes all that it can and never steps back, so time grows as the text does.
_ADDRESS = re.compile(r"(?P<scheme>\w://)(?P<rest>\S*)")
_BEFORE_FRAGMENT = re.compile(r"\w://[^\s#]*")
_PUNCTUATION = """'"`)]>},:;."""
"""What a sentence has around an address, which is not part of its query."""
_PERCENT = re.compile("%[0-9A-F]{2}")
_NO_PORT = re.compile(r"[^\[\]:]*:(?!\d*$)")


def addresses(text: str) -> str:
    """Return a text in which no address has its user, password or query."""
    return _BEFORE_FRAGMENT.sub(_without_query, _ADDRESS.sub(_without_user, text))


def _without_query(match: re.Match[str]) -> str:
    address, _mark, rest = match[0].partition("?")
    if not rest:
        return match[0]
    query = rest.rstrip(_PUNCTUATION) or rest[:1]
    return f"{address}?{STARS}{rest[len(query) :]}"


def _without_user(match: re.Match[str]) -> str:
    rest = match["rest"]
    end = _end_of_user(rest)
    return match["scheme"] + (f"{STARS}@{rest[end + 1 :]}" if end >= 0 else rest)


def _end_of_user(rest: str) -> int:
    """Return the index of the @ behind the user in what follows ``scheme://``, -1 where there is no user."""
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" not in authority and _NO_PORT.match(authority):
        # A password with one of these characters: no tool can use it, but many print it.
        return rest.rfind("@")
    return authority.rfind("@")


def inside(value: str) -> t.Iterator[str]:
    """Yield the passwords and query values of the addresses in a text; programs print them by themselves."""
    for match in _ADDRESS.finditer(value):
        rest = match["rest"]
        end = _end_of_user(rest)
        if end >= 0:
            user, colon, password = rest[:end].partition(":")
            yield password
            # A token often stands in the user's place; in other schemes the name is no secret.
            if not colon and value[: match.start() + 1].lower().endswith(("http", "https")):
                yield user
        query = rest[end + 1 :].partition("?")[2].partition("#")[0]
        yield from (pair.partition("=")[2] or pair for pair in query.split("&"))


def _bytes(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        # Half of a pair, which JSON allows.
        return text.encode("utf-8", "surrogatepass")


def _forms(secret: str) -> set[str]:
    """Return how programs print a secret: as it is, in quotes, escaped once or twice, and in pages and addresses."""
    data = _bytes(secret)
    page = html.escape(secret)
    in_json = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    in_addresses = {
        urllib.parse.quote(data, safe=""),
        urllib.parse.quote(data),
        urllib.parse.quote_plus(data),
    }
    return {
        secret,
        repr(secret)[1:-1],
        escaped(secret),
        # Its bytes, as Python prints them and as what takes each of them for a character does.
        repr(data)[2:-1],
        repr(data.decode("latin-1"))[1:-1],
        *in_json,
        *(json.dumps(form, ensure_ascii=False)[1:-1] for form in in_json),
        shlex.quote(secret).removeprefix("'").removesuffix("'"),
        page,
        html.escape(secret, quote=False),
        page.replace("&quot;", "&#34;").replace("&#x27;", "&#39;"),
        *in_addresses,
        *(_PERCENT.sub(lambda found: found[0].lower(), form) for form in in_addresses),
        urllib.parse.unquote(secret, errors="surrogateescape"),
        " ".join(secret.split()),
    }


class _Beginnings:
    """Finds the beginning of any of many texts at the end of another one."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._sorted = sorted(texts)
        self._longest = max(map(len, self._sorted), default=0)
        self._heads = {text[:SHORTEST] for text in self._sorted}

    def at_end(self, text: str) -> int:
        """Return how many characters at the end of the text, at least ``SHORTEST``, begin one of them; else 0."""
        for at in range(max(0, len(text) - self._longest), len(text) - SHORTEST + 1):
            if text[at : at + SHORTEST] in self._heads:
                place = bisect.bisect_left(self._sorted, text[at:])
                if place < len(self._sorted) and self._sorted[place].startswith(text[at:]):
                    return len(text) - at
        return 0


class Mask:
    """Takes secrets out of texts for the user: values, each line of them, and the passwords in their addresses.

    Nothing shorter than ``SHORTEST`` characters is masked. Where a mark shows that a text was cut (``CUT``), what is
    left of a secret there is masked too.
    """

    def __init__(self, values: Iterable[str]) -> None:
        found: set[str] = set()
        for value in values:
            for part in (value, *(line.strip() for line in value.splitlines()), *inside(value)):
                found |= _forms(part) if len(part) >= SHORTEST else set()
        self._secrets = sorted(secret for secret in found if len(secret) >= SHORTEST)
        self._begin = _Beginnings(self._secrets)
        self._begin_backwards = _Beginnings(secret[::-1] for secret in self._secrets)

    def __call__(self, text: str) -> str:
        """Return the text with every secret as asterisks, also those in addresses that nobody named."""
        return addresses(self._without_secrets(text))

    def _without_secrets(self, text: str) -> str:
        # Secrets may overlap: each of them is looked for in the text as it came.
        whole = (span for secret in self._secrets for span in _spans(secret, text))
        parts = ((start, end) for start, end in self._at_cuts(text) if start < end)
        spans = sorted({*whole, *parts})
        kept, at = [], 0
        for start, end in spans:
            if start >= at:
                kept += [text[at:start], STARS]
            at = max(at, end)
        return "".join([*kept, text[at:]])

    def _at_cuts(self, text: str) -> t.Iterator[tuple[int, int]]:
        at = 0
        for cut in CUT.finditer(text):
            yield cut.start() - self._begin.at_end(text[at : cut.start()]), cut.start()
            at = cut.end()
            following = CUT.search(text, at)
            piece = text[at : following.start() if following else None]
            yield at, at + self._begin_backwards.at_end(piece[::-1])


def _spans(secret: str, text: str) -> t.Iterator[tuple[int, int]]:
    start = text.find(secret)
    while start >= 0:
        yield start, start + len(secret)
        start = text.find(secret, start + 1)
