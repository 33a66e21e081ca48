# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Texts of hosts and applications before they reach a terminal."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.pyhost.web.plugins.module_utils._text import (
    CUT,
    LONGEST,
    beginning,
    clean,
    counted,
    decode,
    end_of,
    escaped,
    last_lines,
    number,
    one_line,
    printable,
    shortened,
    unforeseen,
)
from hypothesis import given, settings
from hypothesis import strategies as st

FUZZ = settings(derandomize=True, max_examples=150, deadline=None)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ä 中 \U0001f40d\n\ttext", "plain ä 中 \U0001f40d\n\ttext"),
        ("\x1b[31mred\x1b]0;title\x07", "\\x1b[31mred\\x1b]0;title\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("user\u202egnp.exe", "user\\u202egnp.exe"),
        ("\u2066a\u2069\u200f", "\\u2066a\\u2069\\u200f"),
        ("half \ud800", "half \\ud800"),
        (b"name \xff".decode("utf-8", "surrogateescape"), "name \\xff"),
        ("one\r\ntwo\rthree", "one\ntwo\nthree"),
        ("\u2028line", "\\u2028line"),
    ],
    ids=range(9),
)
def test_what_steers_a_terminal_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_long_text_keeps_its_beginning_and_its_end() -> None:
    text = printable(f"begin {'x' * LONGEST} end")
    assert text.startswith("begin ") and text.endswith(" end")
    assert "[10 characters omitted]" in text


def test_a_cut_can_be_seen() -> None:
    assert [beginning("word", 4), beginning("words", 4)] == ["word", "word…"]
    assert [end_of(b"word", 4), end_of(b"words", 4)] == ["word", "…ords"]
    # The rest of a character is not a character.
    assert end_of("xéy".encode(), 2) == "…y"
    assert one_line(f"a{' ' * 1000}b") == "a …"
    text = "x" * 999
    cut = [printable(text, 9), shortened(text, 9, " "), one_line(text), beginning(text, 9), end_of(text.encode(), 9)]
    assert [len(CUT.findall(text)) for text in cut] == [1] * 5


def test_one_line() -> None:
    assert one_line("a\nb\x1b\t c") == "a b\\x1b c"
    assert len(one_line("word " * 1000)) == 300


def test_bytes_of_any_kind() -> None:
    assert decode(b"\xffname") == "\\xffname"


@pytest.mark.parametrize("text", ["\u00b2\u00b3\u00b9", "\u0661", "-1", "+1", "1_0", " 1", "", "1" * 5000, "0x1"])
def test_what_is_no_number(text: str) -> None:
    assert number(text) is None


def test_the_last_lines_are_bounded() -> None:
    assert last_lines("\n a \r\n\n b\n") == " a\n b"
    assert last_lines("\n".join(map(str, range(99))), 2) == "97\n98"
    assert len(last_lines("x" * 10**6)) < 2100


def test_things_are_counted() -> None:
    assert (counted(0, "problem"), counted(1, "day"), counted(2, "day")) == ("0 problems", "1 day", "2 days")


def test_numbers() -> None:
    assert number("0042") == 42


def test_what_nobody_foresaw_is_told_in_one_line_with_its_place() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        _ = 1 / 0
    assert unforeseen(caught.value).startswith("unexpected ZeroDivisionError at test_text.py:")
    assert "\n" not in unforeseen(ValueError("a\nb"))


def _texts(value: t.Any) -> t.Iterator[str]:
    if isinstance(value, str):
        yield value
    for member in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(member)
    yield from value if isinstance(value, dict) else ()


@FUZZ
@given(JSON)
def test_a_clean_result_can_be_printed_and_sent(value: t.Any) -> None:
    found = clean(value)
    assert all(text == escaped(text) for text in _texts(found))
    assert json.loads(json.dumps(found).encode()) == found
    assert clean(found) == found


def test_a_result_of_any_depth() -> None:
    value: list[t.Any] = []
    for _ in range(5000):
        value = [value]
    assert json.dumps(clean(value))


@FUZZ
@given(st.text(st.characters(), max_size=200))
def test_a_printable_text_stays_printable(text: str) -> None:
    shown = printable(text)
    assert all(line.replace("\t", "").isprintable() for line in shown.split("\n"))
    assert printable(shown) == shown
    shown.encode()
