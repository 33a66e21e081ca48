# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Hold a value against the definition of its key and collect every problem, each with the path of the value."""

from __future__ import annotations

import datetime
import difflib
import re
import typing as t
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from ...module_utils._mask import addresses

# A check returns the accepted (perhaps normalised) value or raises ValueError with what would be right.
Check = Callable[[t.Any], t.Any]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, where it is, and what would be right; ``valid`` may be long, so it is printed once."""

    path: str
    message: str
    valid: str = ""

    def __str__(self) -> str:
        return f"{self.path}: {addresses(self.message)}"


class Invalid(ValueError):
    """What a user has written has problems; ``problems`` lists all of them."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(lines(self.problems)))


@dataclass(frozen=True)
class Key:
    """The one definition of a key.

    ``type`` is a type of Ansible's argument specs (str, int, bool, list, dict, raw). ``options`` are the keys of a
    dictionary (or of the dictionaries in a list), ``elements`` is the type of a list's members, ``check`` refines a
    single value: the key itself, each member of a list, or each value of a dictionary without ``options``. Such a
    value is text, and its name is refined by ``check_key``. ``secret`` values are never repeated in a message.
    ``same`` returns what two members of a list, or two names of a dictionary, have in common if they mean the same.
    ``forms`` is the type that the documentation shows, for values that are raw.
    """

    name: str
    type: str
    description: str
    default: t.Any = None
    required: bool = False
    example: t.Any = None
    choices: tuple[str, ...] = ()
    elements: str = ""
    options: tuple[Key, ...] = ()
    check: Check | None = None
    check_key: Check | None = None
    same: Callable[[str], str] | None = None
    secret: bool = False
    forms: str = ""


_TYPE_NAMES = {
    "str": "text",
    "int": "a whole number",
    "bool": "true or false",
    "list": "a list",
    "dict": "a dictionary",
}


_TRUTHS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}

# Not with a zero before it, which some read as an octal number. No number of a server has more digits.
_WHOLE = re.compile(r"0|[1-9][0-9]{0,17}")


def lines(problems: Sequence[Problem]) -> list[str]:
    """Return the problems as text; what is valid follows the last of those that it explains."""
    last = {problem.valid: index for index, problem in enumerate(problems) if problem.valid}
    return [
        f"{problem} {problem.valid}" if last.get(problem.valid) == index else str(problem)
        for index, problem in enumerate(problems)
    ]


def near(word: str, words: Iterable[str]) -> str:
    """Return ``Did you mean 'x'?`` for a word that is spelled like one of them, else nothing."""
    # What all variables begin with says nothing about which one is meant.
    known = {name.removeprefix("pyhost_"): name for name in sorted(words)}
    found = difflib.get_close_matches(word.removeprefix("pyhost_"), known, n=1, cutoff=0.7)
    return f"Did you mean '{known[found[0]]}'?" if found else ""


_PLAIN = re.compile(r"[A-Za-z/][\w./:@=+-]*( [\w./:@=+-]+)*(?<!:)")
_YAML_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}


def suggest(word: str, words: Iterable[str]) -> str:
    """Return ``Did you mean 'x'? (all, the, words)`` for a word that is none of them."""
    known = sorted(words)
    hint = near(word, known)
    return f"{hint} ({', '.join(known)})" if hint else f"Choose one of: {', '.join(known)}"


def misread(value: t.Any, example: t.Any = None) -> str:
    """Return what YAML has made of text without quotes, and what to do; empty for text, and for what never was one.

    Its own text is lost by then: 1.1 may have been 1.10, and 493 may have been 0755.
    """
    quotes = "Write it in quotes" + (f", such as {example!r}" if isinstance(example, str) else "")
    if isinstance(value, bool):
        return f"is a boolean: YAML reads yes, no, on and off without quotes as true or false. {quotes}."
    if isinstance(value, (int, float)):
        return (
            "is a number, and may differ from what you wrote: YAML reads 1.10 as 1.1, 0755 as 493 and 12:30 as 750."
            f" {quotes}, or end its template in `| string`."
        )
    if isinstance(value, (datetime.date, datetime.time)):
        return f"is a date or a time. {quotes}."
    if isinstance(value, bytes):
        return f"is binary data. {quotes}."
    return ""


def show(value: t.Any) -> str:
    """Return a value as YAML has it, cut to a readable length."""
    # A password that is cut off could not be told from anything else any more.
    text = addresses(repr(value) if isinstance(value, str) else _yaml(value))
    return text if len(text) <= 60 else text[:57] + "…"


def _yaml(value: t.Any) -> str:
    """Return a value in one line of YAML."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_yaml(key)}: {_yaml(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_yaml, value))}]"
    if isinstance(value, str):
        is_plain = _PLAIN.fullmatch(value) and ": " not in value and value.lower() not in _YAML_WORDS
        return str(value) if is_plain else repr(value)
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _convert(value: t.Any, type_name: str) -> t.Any:
    """Return ``value`` as the type, accepting the text that a template yields for numbers and booleans."""
    if type_name == "str" and isinstance(value, str):
        return str(value)
    if type_name == "int" and isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    if type_name == "int" and isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    if type_name == "bool" and isinstance(value, bool):
        return value
    if type_name == "bool" and isinstance(value, str) and value.lower() in _TRUTHS:
        return _TRUTHS[value.lower()]
    if type_name == "list" and isinstance(value, (list, tuple)):
        return list(value)
    if type_name == "dict" and isinstance(value, Mapping):
        return dict(value)
    if type_name == "raw":
        return value
    raise TypeError(type_name)


class Validator:
    """Collects the problems of one input; the methods return the accepted value, or the default beside a problem."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def problem(self, path: str, message: str, valid: str = "") -> None:
        """Note one problem."""
        self.problems.append(Problem(path, message, valid))

    def options(
        self,
        path: str,
        value: Mapping[str, t.Any],
        keys: Iterable[Key],
        unsupported: Mapping[str, str] = MappingProxyType({}),
    ) -> dict[str, t.Any]:
        """Return the dictionary with every key checked and every default filled in.

        ``unsupported`` says of names that users expect what they can do instead.
        """
        known = {key.name: key for key in keys}
        for name in value:
            if misread(name):
                self.problem(f"{path}.{name}", f"the name {misread(name)}")
            elif name not in known:
                message = unsupported.get(name) or f"unknown key. {near(str(name), known)}".strip()
                self.problem(f"{path}.{name}", message, f"Valid keys: {', '.join(sorted(known))}.")
        return {name: self.value(f"{path}.{name}", value.get(name), key) for name, key in known.items()}

    def value(self, path: str, value: t.Any, key: Key) -> t.Any:
        """Return one value checked against its key."""
        if value is None:
            if key.required:
                self.problem(path, f"a value is required. Write {wanted(key)}.")
            if key.options and isinstance(key.default, Mapping):
                return self.options(path, key.default, key.options)
            return key.default
        try:
            accepted = _convert(value, key.type)
        except TypeError:
            self.problem(path, self._unlike(value, key))
            return key.default
        if key.choices and accepted not in key.choices:
            self.problem(path, f"{show(accepted)} is not a valid {key.name}. {suggest(str(accepted), key.choices)}")
            return key.default
        if key.type == "list":
            return self._members(path, accepted, key)
        if key.type == "dict":
            return self.options(path, accepted, key.options) if key.options else self._entries(path, accepted, key)
        return self._checked(path, accepted, key.check, key.default)

    @staticmethod
    def _unlike(value: t.Any, key: Key) -> str:
        """Return what is wrong with a value that is not of its key's type."""
        seen = "the value" if key.secret else show(value)
        if key.type == "str" and misread(value):
            return f"{seen} {misread(value, key.example)}"
        return f"{seen} is not {_TYPE_NAMES[key.type]}. Write {wanted(key)}."

    def _checked(self, path: str, value: t.Any, check: Check | None, instead: t.Any) -> t.Any:
        if check is None:
            return value
        try:
            return check(value)
        except ValueError as error:
            self.problem(path, str(error))
            return instead

    def _once(self, path: str, name: t.Any, key: Key, seen: dict[str, t.Any]) -> None:
        """Note a problem where a name means the same as one before; ``seen`` fills with the names."""
        if key.same is None or not isinstance(name, str):
            return
        other = seen.setdefault(key.same(name), name)
        if other is not name:
            self.problem(path, f"this means the same as '{other}'. Keep one of them.")

    def _members(self, path: str, members: list[t.Any], key: Key) -> list[t.Any]:
        member = Key(
            key.name,
            key.elements or "raw",
            key.description,
            options=key.options,
            check=key.check,
            secret=key.secret,
        )
        result: list[t.Any] = []
        seen: dict[str, t.Any] = {}
        for index, value in enumerate(members):
            before = len(self.problems)
            accepted = self.value(f"{path}[{index}]", value, member)
            if value is None:
                self.problem(f"{path}[{index}]", "this entry is empty. Remove it, or write a value.")
            if len(self.problems) == before:
                self._once(f"{path}[{index}]", accepted, key, seen)
                result.append(accepted)
        return result

    def _entries(self, path: str, entries: dict[t.Any, t.Any], key: Key) -> dict[str, t.Any]:
        result = {}
        seen: dict[str, t.Any] = {}
        for name, value in entries.items():
            before = len(self.problems)
            if misread(name):
                self.problem(f"{path}.{name}", f"the name {misread(name)}")
                continue
            name_accepted = self._checked(f"{path}.{name}", str(name), key.check_key, None)
            accepted = self._entry(f"{path}.{name}", value, key)
            if len(self.problems) == before:
                self._once(f"{path}.{name}", name_accepted, key, seen)
                result[name_accepted] = accepted
        return result

    def _entry(self, path: str, value: t.Any, key: Key) -> t.Any:
        """Return the value of an entry; where it has a check, it is text."""
        if key.check is None:
            return value
        if not isinstance(value, str):
            seen = "the value" if key.secret or value is None else show(value)
            why = "is empty. Write '' for an empty text." if value is None else misread(value)
            self.problem(path, f"{seen} {why or 'is not text. Write it in quotes.'}")
            return None
        return self._checked(path, value, key.check, None)


def wanted(key: Key) -> str:
    """Return what the key takes, with its example."""
    kind = _TYPE_NAMES.get(key.type, "a value")
    if key.choices:
        kind = "one of " + ", ".join(key.choices)
    return f"{kind}, such as `{key.name}: {_yaml(key.example)}`" if key.example is not None else kind


def empty(path: str, given: Mapping[str, t.Any], below: Mapping[str, t.Any], keys: Iterable[Key]) -> Iterator[Problem]:
    """Yield keys without a value; one that stands over a value in ``below`` restores the default, so it is none."""
    for key in keys:
        value, under = given.get(key.name), below.get(key.name)
        if key.options and isinstance(value, Mapping):
            yield from empty(f"{path}.{key.name}", value, under if isinstance(under, Mapping) else {}, key.options)
        elif key.name in given and value is None and under is None and not key.required:
            yield Problem(f"{path}.{key.name}", f"the value is empty. Write {wanted(key)}, or remove the key.")
