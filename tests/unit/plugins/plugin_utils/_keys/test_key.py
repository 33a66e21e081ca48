"""What YAML reads as something else than text is rejected wherever text belongs; what messages show of values."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Iterator

import pytest
import yaml
from ansible_collections.pyhost.web.plugins.plugin_utils._keys.app import APP
from ansible_collections.pyhost.web.plugins.plugin_utils._keys.host import HOST
from ansible_collections.pyhost.web.plugins.plugin_utils._keys.key import (
    Key,
    Problem,
    Validator,
    lines,
    misread,
    near,
    show,
)
from hypothesis import example, given
from hypothesis import strategies as st

Give = Callable[[t.Any], dict[str, t.Any]]

# As it is written, without quotes: versions, modes, times, dates, words, hexadecimal numbers, and what looks like them.
written = st.one_of(
    st.from_regex(r"[-+]?[0-9]{1,5}([.:_-][0-9]{1,2}){0,3}", fullmatch=True),
    st.sampled_from("on off yes no true false Yes NO .inf .nan 0x1f 0o17 0b11 1e3 1.5e3 2024-01-31 v1.10 HEAD".split()),
    st.text(alphabet="0123456789.:eExXo_+-abny", min_size=1, max_size=8),
)


def _places(keys: tuple[Key, ...], give: Give = lambda value: value) -> Iterator[tuple[str, Give]]:
    """Yield the path of every text, and what puts a value there."""
    for key in keys:
        name = key.name

        def put(value: t.Any, name: str = name) -> dict[str, t.Any]:
            return give({name: value})

        if key.type == "str":
            yield name, put
        elif key.type == "list" and key.elements == "str":
            yield f"{name}[0]", lambda value, put=put: put([value])
        elif key.type == "dict" and key.options:
            yield from ((f"{name}.{path}", deeper) for path, deeper in _places(key.options, put))
        elif key.type == "dict" and key.check:
            entry = next(iter(key.example))
            yield f"{name}.{entry}", lambda value, put=put, entry=entry: put({entry: value})


PLACES = [(path, give, keys) for keys in (APP, HOST) for path, give in _places(keys)]


@given(written)
@example("1.10")
@example("0755")
@example("12:30")
@example("2024-01-31")
def test_no_text_is_another_than_the_one_that_was_written(scalar: str) -> None:
    try:
        value = yaml.safe_load(scalar)
    except (yaml.YAMLError, ValueError):
        return
    for path, give, keys in PLACES:
        check = Validator()
        check.options("app", give(value), keys)
        told = [problem.message for problem in check.problems if problem.path == f"app.{path}"]
        if isinstance(value, str):
            assert value == scalar
            assert not [message for message in told if "YAML" in message]
        elif value is not None:
            assert len(told) == 1, (path, value, told)
            assert misread(value).partition(". Write")[0] in told[0], path


@pytest.mark.parametrize("name", [True, 1.1, 493])
@pytest.mark.parametrize("key", [key for key in APP if key.type == "dict"], ids=lambda key: key.name)
def test_a_name_is_text_too(key: Key, name: t.Any) -> None:
    check = Validator()
    check.value("app.key", {name: "x"}, key)
    told = [problem.message for problem in check.problems if problem.path == f"app.key.{name}"]
    assert [message for message in told if message.startswith(f"the name {misread(name)}")], told


@given(st.one_of(st.integers(), st.floats(), st.booleans(), st.dates(), st.datetimes(), st.binary()))
def test_no_secret_is_repeated(value: t.Any) -> None:
    check = Validator()
    check.value("app.env", {"KEY": value}, next(key for key in APP if key.name == "env"))
    (problem,) = check.problems
    assert problem.message.startswith(f"the value {misread(value)}")


@pytest.mark.parametrize(("given_", "accepted"), [("8", 8), ("0", 0), (8, 8), ("on", True), ("No", False)])
def test_numbers_and_truths_may_be_what_a_template_makes_of_them(given_: t.Any, accepted: int | bool) -> None:
    check = Validator()
    assert check.value("key", given_, Key("key", type(accepted).__name__, "")) == accepted
    assert check.problems == []


@pytest.mark.parametrize("given_", ["010", "0x10", "1_0", "٣", "9" * 19, 1.0, True, None])
def test_a_number_is_written_in_one_way(given_: t.Any) -> None:
    check = Validator()
    check.value("key", given_, Key("key", "int", "", required=True))
    assert [problem.path for problem in check.problems] == ["key"]


EXAMPLES = {key.name: key for key in (*APP, *HOST) if key.type in ("int", "list", "dict")}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_in_a_message_can_be_pasted(name: str) -> None:
    check, key = Validator(), EXAMPLES[name]
    check.value(name, object(), key)
    example = check.problems[0].message.partition("such as `")[2].rpartition("`")[0]
    assert yaml.safe_load(example) == {name: key.example}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("shop", "'shop'"),
        (True, "true"),
        (["a.example", "*.a.example"], "[a.example, '*.a.example']"),
        ({"a": "off", "b": "1", "c": "x: y"}, "{a: 'off', b: '1', c: 'x: y'}"),
        ("https://user:hunter2@example.org/", "'https://********@example.org/'"),
    ],
)
def test_a_value_is_shown_as_yaml(value: t.Any, shown: str) -> None:
    assert show(value) == shown


def test_valid_keys_are_listed_once() -> None:
    check = Validator()
    check.options("a", {"nmae": 1, "x": 1, "y": 1}, [Key("name", "str", "")])
    assert lines(check.problems) == [
        "a.nmae: unknown key. Did you mean 'name'?",
        "a.x: unknown key.",
        "a.y: unknown key. Valid keys: name.",
    ]
    assert lines([Problem("a", "b.")]) == ["a: b."]


def test_only_what_is_spelled_alike_is_suggested() -> None:
    known = ["pyhost_access_log", "pyhost_frontend", "requirements"]
    assert near("pyhost_backends_typo", known) == near("redirect", known) == ""
    assert near("pyhost_fronted", known) == "Did you mean 'pyhost_frontend'?"
