# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Texts for the user without secrets: one way to mask them, on the controller and on hosts.

Private to the collection.
"""

from __future__ import annotations

import json
import re
import shlex
import typing as t
import urllib.parse
from collections.abc import Iterable

STARS = "********"

SHORTEST = 4
"""Shorter values are not masked: they occur in too many words."""

_SCHEME = r"\w://"
# Punctuation of the sentence around an address is not part of its query.
_QUERY = r"""\?(?P<query>[^\s#]+?)(?=['"`)\]>},:;.]*(?:[\s#]|$))"""
_ADDRESS = re.compile(rf"(?P<scheme>{_SCHEME})(?P<rest>\S*)")
_NO_PORT = re.compile(r"[^\[\]:]*:(?!\d*$)")


def addresses(text: str) -> str:
    """Return a text in which no address has its user, password or query."""
    return re.sub(rf"({_SCHEME}[^\s?#]*){_QUERY}", rf"\1?{STARS}", _ADDRESS.sub(_without_user, text))


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


def _forms(secret: str) -> set[str]:
    """Return how programs print a secret: as it is, in quotes, in an address, and decoded from one."""
    return {
        secret,
        repr(secret)[1:-1],
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        shlex.quote(secret).removeprefix("'").removesuffix("'"),
        urllib.parse.quote(secret, safe="", errors="surrogateescape"),
        urllib.parse.quote(secret, errors="surrogateescape"),
        urllib.parse.quote_plus(secret, errors="surrogateescape"),
        urllib.parse.unquote(secret, errors="surrogateescape"),
    }


class Mask:
    """Takes secrets out of texts for the user: values, each line of them, and the passwords in their addresses.

    Nothing shorter than ``SHORTEST`` characters is masked.
    """

    def __init__(self, values: Iterable[str]) -> None:
        found: set[str] = set()
        for value in values:
            for part in (value, *(line.strip() for line in value.splitlines()), *inside(value)):
                found |= _forms(part) if len(part) >= SHORTEST else set()
        self._secrets = sorted(secret for secret in found if len(secret) >= SHORTEST)

    def __call__(self, text: str) -> str:
        """Return the text with every secret as asterisks, also those in addresses that nobody named."""
        return addresses(self._without_secrets(text))

    def _without_secrets(self, text: str) -> str:
        # Secrets may overlap: each of them is looked for in the text as it came.
        spans = sorted(span for secret in self._secrets for span in _spans(secret, text))
        kept, at = [], 0
        for start, end in spans:
            if start >= at:
                kept += [text[at:start], STARS]
            at = max(at, end)
        return "".join([*kept, text[at:]])


def _spans(secret: str, text: str) -> t.Iterator[tuple[int, int]]:
    start = text.find(secret)
    while start >= 0:
        yield start, start + len(secret)
        start = text.find(secret, start + 1)
