# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Texts for the user have no secret in them."""

from __future__ import annotations

import html
import json
import shlex
import urllib.parse
from collections.abc import Callable

import pytest
from ansible_collections.pyhost.web.plugins.module_utils._mask import SHORTEST, STARS, Mask, addresses
from hypothesis import given, settings
from hypothesis import strategies as st

MASKED = {
    "a secret": (["hunter22"], "password hunter22!", "password ********!"),
    "short values stay": (["abc", "1"], "abc 123", "abc 123"),
    "the longest first": (["hunter", "hunter22"], "hunter22 hunter", "******** ********"),
    "secrets that overlap": (["abcdef", "defghi"], "abcdefghi!", "********!"),
    "lines of a secret": (["first-line\n  second-line"], "at second-line", "at ********"),
    "the password of an address": (["postgres://shop:hunter22@db/shop"], "hunter22 at db/shop", "******** at db/shop"),
    "a name is no secret": (["postgres://shop@db/shop"], "shop at db", "shop at db"),
    "a token as the name": (["https://ghp_token@git/shop"], "bad ghp_token", "bad ********"),
    "a password as it is decoded": (["https://me:p%40ssword@git"], "for p@ssword", "for ********"),
    "a token in a query": (["https://x/a.tgz?a=1&private_token=SECRET7"], "no SECRET7", "no ********"),
    "in quotes": (['say "hi" twice'], json.dumps('say "hi" twice'), '"********"'),
    "in Python": (["it's\ttab"], repr("it's\ttab"), '"********"'),
    "in an address": (["p@ss word"], "p%40ss%20word p%40ss+word", "******** ********"),
    "in an address, lower case": (["p:/s é"], "p%3a%2fs%20%c3%a9 p%3a/s%20%c3%a9", f"{STARS} {STARS}"),
    "in a form, lower case": (["p:/s é"], "p%3a%2fs+%c3%a9", STARS),
    "in a page": (["a&b<\"c'>"], "a&amp;b&lt;&quot;c&#x27;&gt;", STARS),
    "in a page of Jinja": (["a&b<\"c'>"], "a&amp;b&lt;&#34;c&#39;&gt;", STARS),
    "in a page, quotes as they are": (["a&b<\"c'>"], "a&amp;b&lt;\"c'&gt;", STARS),
    "as bytes": (["caf\u00e9!"], repr("caf\u00e9!".encode()), "b'********'"),
    "as bytes taken for characters": (["caf\u00e9!"], "caf\u00c3\u00a9!", STARS),
    "in JSON in JSON": (['caf\u00e9 "x"'], json.dumps(json.dumps('caf\u00e9 "x"')), '"\\"********\\""'),
    "in JSON in JSON, as it is": (['\u00e9\n"x'], '"\\"\u00e9\\\\n\\\\\\"x\\""', '"\\"********\\""'),
    "with its white space collapsed": (["two  words\n\tlines"], "two words lines", STARS),
    "half of a pair": (["half \ud800 of"], "half \\ud800 of", STARS),
}


@pytest.mark.parametrize("case", MASKED)
def test_mask(case: str) -> None:
    values, text, expected = MASKED[case]
    assert Mask(values)(text) == expected


ADDRESSES = {
    "git https://me:pw@git.example.org/x": "git https://********@git.example.org/x",
    "https://u:p@ss@host/x": "https://********@host/x",
    "https://u:p/ss@host/x": "https://********@host/x",
    "https://u:p?ss#x@host/x": "https://********@host/x",
    "https://TOKEN@host": "https://********@host",
    "https://git.example.org/@x a@b": "https://git.example.org/@x a@b",
    "git+https://host:8443/x.git@v1#egg=x": "git+https://host:8443/x.git@v1#egg=x",
    "http://[::1]:80/a@b": "http://[::1]:80/a@b",
    "'https://x/a.tgz?private_token=SECRET' cannot": "'https://x/a.tgz?********' cannot",
    "https://x/a.tgz?t='SE'CRET#sha256=00": "https://x/a.tgz?********#sha256=00",
    "url:https://u:p@x/a.tgz?t=S, https://y/?t=T": "url:https://********@x/a.tgz?********, https://y/?********",
    "have you seen https://x/?": "have you seen https://x/?",
}


@pytest.mark.parametrize("text", ADDRESSES)
def test_addresses(text: str) -> None:
    assert addresses(text) == ADDRESSES[text]


CUTS = {
    "the end": ("token abcdefgh…", "token ********…"),
    "the beginning": ("…ghijklmnop!", "…********!"),
    "both sides": ("abcde [90 characters omitted] klmnop", "******** [90 characters omitted] ********"),
    "on lines of its own": ("abcde\n[90 characters omitted]\nklmnop", "********\n[90 characters omitted]\n********"),
    "less than is masked": ("abc… …nop", "abc… …nop"),
    "no part of it": ("abcx… …xmnop", "abcx… …xmnop"),
    "in quotes": (repr("x%40y…"), "'********…'"),
    "not cut": ("abcdefgh ghijklmnop", "abcdefgh ghijklmnop"),
}


@pytest.mark.parametrize("case", CUTS)
def test_what_a_cut_leaves_of_a_secret_is_masked(case: str) -> None:
    text, expected = CUTS[case]
    assert Mask(["abcdefghijklmnop", "x@y@z@"])(text) == expected


@given(st.text("abcdefgh", min_size=2 * SHORTEST, max_size=30), st.text("xyz …[]09", max_size=9), st.data())
@settings(max_examples=200, derandomize=True, deadline=None, database=None)
def test_no_part_of_a_secret_is_left_at_a_cut(secret: str, around: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(SHORTEST, len(secret) - SHORTEST))
    assert Mask([secret])(f"{around}{secret[:at]}…{secret[at:]}{around}") == f"{around}{STARS}…{STARS}{around}"


MUCH = 256 * 1024
HOSTILE = {
    "quotes in a query": ("a://?" + "'" * MUCH + "b", f"a://?{STARS}"),
    "punctuation in a query": ("a://?" + ").,;:>]}`" * (MUCH // 9) + "b", f"a://?{STARS}"),
    "quotes alone in a query": ("a://?" + "'" * MUCH, "a://?" + STARS + "'" * (MUCH - 1)),
    "queries in a query": ("a://?" + "?" * MUCH, f"a://?{STARS}"),
    "schemes": ("a://" * (MUCH // 4), "a://" * (MUCH // 4)),
    "schemes and a query": ("a://" * (MUCH // 4) + "?b", "a://" * (MUCH // 4) + f"?{STARS}"),
    "fragments": ("a://" + "#" * MUCH, "a://" + "#" * MUCH),
    "fragments of schemes": ("a://#" * (MUCH // 5), "a://#" * (MUCH // 5)),
    "at signs": ("a://" + "@" * MUCH, f"a://{STARS}@"),
    "colons": ("a://" + ":" * MUCH, "a://" + ":" * MUCH),
    "slashes": ("/" * MUCH, "/" * MUCH),
    "slashes of an address": ("a://" + "/" * MUCH, "a://" + "/" * MUCH),
    "digits": ("a://b:" + "1" * MUCH, "a://b:" + "1" * MUCH),
    "digits of a cut": ("[" + "1" * MUCH, "[" + "1" * MUCH),
    "brackets": ("[" * MUCH, "[" * MUCH),
    "marks of cuts": ("…" * MUCH, "…" * MUCH),
    "beginnings of a secret at cuts": ("secre…" * (MUCH // 6), f"{STARS}…" * (MUCH // 6)),
    "beginnings of a secret": ("secr" * (MUCH // 4) + "…", "secr" * (MUCH // 4 - 1) + f"{STARS}…"),
    "white space": (" " * MUCH, " " * MUCH),
    "line breaks": ("\n" * MUCH, "\n" * MUCH),
    "letters": ("a" * MUCH, "a" * MUCH),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_text_that_is_made_to_be_slow_is_masked_too(case: str) -> None:
    """Of each, a search that steps back would take minutes."""
    text, expected = HOSTILE[case]
    # Without the texts: the difference of two long ones takes minutes to print.
    assert (Mask(["secret-of-shop"])(text) == expected) is True


WAYS: list[Callable[[str], str]] = [
    str,
    repr,
    json.dumps,
    shlex.quote,
    lambda text: urllib.parse.quote(text, safe=""),
    lambda text: urllib.parse.quote_plus(text),
    html.escape,
    lambda text: repr(text.encode()),
    lambda text: json.dumps(json.dumps(text)),
]

secret_texts = st.text(st.characters(codec="utf-8", exclude_characters="*"), min_size=SHORTEST, max_size=20)


@given(
    st.lists(secret_texts, min_size=1, max_size=4),
    st.text(max_size=10),
    st.sampled_from(WAYS),
)
@settings(max_examples=200, derandomize=True, deadline=None, database=None)
def test_no_secret_comes_through(secrets: list[str], between: str, way: Callable[[str], str]) -> None:
    text = between.join(map(way, secrets))
    masked = Mask(secrets)(text)
    assert [secret for secret in secrets if secret in masked and secret not in STARS] == []
    assert [secret for secret in secrets if (form := way(secret)[1:-1]) and len(form) > 9 and form in masked] == []


@given(st.text(st.characters(codec="utf-8"), max_size=12), st.text(alphabet="abc:%@", max_size=12))
@settings(max_examples=200, derandomize=True, deadline=None, database=None)
def test_no_password_of_an_address_comes_through(before: str, password: str) -> None:
    assert addresses(f"{before} https://me:{password}@example.org/x").endswith(" https://********@example.org/x")


def test_a_token_behind_a_scheme_in_capitals() -> None:
    assert Mask(["HTTPS://s3cr3t-token@git.example.org/x"])("asked with s3cr3t-token") == "asked with ********"
