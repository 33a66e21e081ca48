# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what a role writes for C(config_set) to finished files.

Private to the collection, pure: data and template files in, data and problems out.
"""

from __future__ import annotations

import hashlib
import json
import re
import traceback
import typing as t
from dataclasses import dataclass
from pathlib import PurePosixPath

import jinja2

from ..module_utils._fs import MANAGED
from ._keys.key import suggest

TOKEN = hashlib.sha256(b"pyhost.web: the generation comes here").hexdigest()
"""Stands for the generation until all is rendered: a digest cannot be part of what it is the digest of."""

FIELD = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*)\}")
IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]*")
UNIT = re.compile(r"[A-Za-z0-9:_.@\\-]+\.(service|socket|timer|path|target|slice|mount)")
MODE = re.compile(r"0?[0-7]{3}|[0-7]{4}")
USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\$?")
VERBS = ("reload", "restart")
SOURCES = ("template", "content", "link", "follow")
APP = "app"
"""Name of the item of an entry that is about one application alone."""
RESERVED = ("generation", "managed")

Check = t.Callable[[t.Any], "str | None"]


def _text(value: t.Any) -> str | None:
    return None if isinstance(value, str) else "should be a string"


def _matching(pattern: re.Pattern[str], right: str) -> Check:
    def check(value: t.Any) -> str | None:
        return None if isinstance(value, str) and pattern.fullmatch(value) else f"should be {right}"

    return check


def _path(value: t.Any) -> str | None:
    if not isinstance(value, str) or not value.startswith("/") or "\0" in value:
        return "should be an absolute path"
    if str(PurePosixPath(value)) != value or ".." in value.split("/") or value.startswith("//"):
        return "should be a plain path, without `..`, `//` and a slash at its end"
    return None


def _mode(value: t.Any) -> str | None:
    if isinstance(value, int):
        return 'should be a string of octal digits; quote it, such as "0644"'
    return _matching(MODE, 'a string of octal digits, such as "0644"')(value)


def _command(value: t.Any) -> str | None:
    if isinstance(value, list) and value and all(isinstance(word, str) for word in value):
        return None
    return "should be a list of strings, the program first"


def _verb(value: t.Any) -> str | None:
    return None if value in VERBS else f"should be one of {', '.join(VERBS)}"


def _list(value: t.Any) -> str | None:
    return None if isinstance(value, list) else "should be a list"


def _bool(value: t.Any) -> str | None:
    return None if isinstance(value, bool) else "should be true or false"


_unit = _matching(UNIT, "the full name of a unit, such as nginx.service")
_user = _matching(USER, "the name of a user or group")

EACH: dict[str, Check] = {"each": _list}
FILE: dict[str, Check] = {
    "path": _path,
    "template": _text,
    "content": _text,
    "link": _text,
    "follow": _path,
    "as": _matching(IDENTIFIER, "the name of a variable"),
    "owner": _user,
    "group": _user,
    "mode": _mode,
    "secret": _bool,
    "unit": _unit,
    "verb": _verb,
    "command": _command,
    **EACH,
}
ABSENT: dict[str, Check] = {"path": _path, "unit": _unit, "verb": _verb, **EACH}
PATH: dict[str, Check] = {"path": _path, **EACH}
UNITS: dict[str, Check] = {"name": _unit, "proof": _command, **EACH}


@dataclass
class Rendered:
    """The options of the module in their finished form, and what is wrong with what was given."""

    options: dict[str, t.Any]
    problems: list[str]


def render(options: t.Mapping[str, t.Any], search_path: t.Sequence[str]) -> Rendered:
    """Return the options of `config_set` with every entry expanded and every template rendered.

    `options` is plain data; `search_path` is where templates are looked for, nearest first. Each problem is a sentence
    that begins with the path of the value. What has a problem is left out of the result.
    """
    return _Renderer(options, search_path).render()


class _Renderer:
    def __init__(self, options: t.Mapping[str, t.Any], search_path: t.Sequence[str]) -> None:
        self.options = options
        self.problems: list[str] = []
        self.repeated: dict[str, int] = {}
        self.search_path = search_path
        self.environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(list(search_path)),
            # Configuration files are no web pages.
            autoescape=jinja2.select_autoescape(enabled_extensions=(), default_for_string=False),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )

    def render(self) -> Rendered:
        options = dict(self.options)
        variables = options.pop("variables", None)
        variables = {} if variables is None else variables
        if not isinstance(variables, dict):
            self._problem("variables", "should be a dictionary", variables)
            variables = {}
        for name in RESERVED:
            if name in variables:
                self._problem(f"variables.{name}", "config_set sets this variable. Choose another name.")
        self.variables = {**variables, "generation": TOKEN, "managed": f"{MANAGED}: changes here are lost"}

        options["files"] = [
            finished
            for where, entry, label, item in self._expand("files", "path", FILE)
            if (finished := self._finish(where, entry, label, item)) is not None
        ]
        options["absent"] = [
            self._reduce(entry, ABSENT) for _where, entry, _label, _item in self._expand("absent", "path", ABSENT)
        ]
        options["units"] = [
            self._reduce(entry, UNITS) for _where, entry, _label, _item in self._expand("units", "name", UNITS)
        ]
        options["keep"] = [entry["path"] for _where, entry, _label, _item in self._expand("keep", "path", PATH)]
        options["keep_units"] = [
            entry["name"] for _where, entry, _label, _item in self._expand("keep_units", "name", UNITS)
        ]
        self._refuse_twins([*options["files"], *options["absent"]])

        generation = hashlib.sha256(json.dumps(options["files"], sort_keys=True).encode()).hexdigest()
        for file in options["files"]:
            if "content" in file:
                file["content"] = file["content"].replace(TOKEN, generation)
        options["generation"] = generation
        return Rendered(
            options,
            [
                f"{problem} (and {self.repeated[problem]} more)" if problem in self.repeated else problem
                for problem in self.problems
            ],
        )

    def _problem(self, where: str, what: str, *value: t.Any) -> None:
        shown = f"{json.dumps(value[0], default=str)[:80]} " if value else ""
        self.problems.append(f"{where}: {shown}{what}")

    def _expand(
        self, option: str, key: str, checks: dict[str, Check]
    ) -> t.Iterator[tuple[str, dict[str, t.Any], str, t.Any]]:
        """Yield each entry of an option, once for each item of its `each`: where, entry, label of the item, item."""
        entries = self.options.get(option)
        if entries is None:
            return
        if not isinstance(entries, list):
            self._problem(option, "should be a list", entries)
            return
        for index, raw in enumerate(entries):
            where = f"{option}[{index}]"
            entry = {key: raw} if isinstance(raw, str) else raw
            if not isinstance(entry, dict):
                self._problem(where, "should be a dictionary", entry)
                continue
            entry = {name: value for name, value in entry.items() if value is not None}
            self._refuse_unknown(where, entry, checks)
            if key not in entry:
                self._problem(f"{where}.{key}", "a value is required")
                continue
            yield from self._each(where, entry, checks)

    def _refuse_unknown(self, where: str, entry: dict[str, t.Any], checks: dict[str, Check]) -> None:
        for name in entry:
            if name not in checks:
                self._problem(f"{where}.{name}", f"unknown key. {suggest(str(name), checks)}")

    def _each(
        self, where: str, entry: dict[str, t.Any], checks: dict[str, Check]
    ) -> t.Iterator[tuple[str, dict[str, t.Any], str, t.Any]]:
        given = {name: value for name, value in entry.items() if name in checks}
        items = given.pop("each", [None])
        if not isinstance(items, list):
            self._problem(f"{where}.each", "should be a list", items)
            return
        failed: dict[str, str] = {}
        for number, item in enumerate(items):
            label = f" (each[{number}])" if "each" in entry else ""
            filled, good = dict(given), True
            for name, value in given.items():
                try:
                    if label:
                        filled[name] = _fill(value, item, str(given.get("as", "item")))
                    complaint = checks[name](filled[name])
                except LookupError as error:
                    complaint = str(error)
                if complaint and name in failed:
                    self.repeated[failed[name]] = self.repeated.get(failed[name], 0) + 1
                elif complaint:
                    self._problem(f"{where}.{name}", complaint + label, filled[name])
                    failed[name] = self.problems[-1]
                good = good and not complaint
            if good:
                yield where, filled, label, item

    def _finish(self, where: str, entry: dict[str, t.Any], label: str, item: t.Any) -> dict[str, t.Any] | None:
        """Return an entry as the module gets it."""
        sources = [name for name in SOURCES if name in entry]
        before = len(self.problems)
        if len(sources) != 1:
            given = f"{', '.join(sources)} together" if sources else "none of them"
            self._once(where, f"a file needs exactly one of {', '.join(SOURCES)}, but has {given}", label)
        if ("unit" in entry) != ("verb" in entry):
            self._once(where, "unit and verb belong together. Write both or neither.", label)
        links = [name for name in ("owner", "group", "mode", "secret") if name in entry]
        if sources in (["link"], ["follow"]) and links:
            self._once(f"{where}.{links[0]}", "a symbolic link has no owner, group, mode or secret", label)
        finished = self._reduce(entry, FILE)
        finished["where"] = where
        if label and entry.get("as") == APP and isinstance(item, dict):
            finished["applications"] = [item["name"]]
        if sources == ["template"]:
            content = self._template(where, entry, label, item)
            if content is None:
                return None
            finished["content"] = content
        return finished if len(self.problems) == before else None

    def _reduce(self, entry: dict[str, t.Any], checks: dict[str, Check]) -> dict[str, t.Any]:
        """Return the part of an entry that the module needs."""
        return {name: entry[name] for name in checks if name in entry and name not in ("template", "as", "each")}

    def _once(self, where: str, what: str, label: str) -> None:
        """Note a problem; where many items have it, once."""
        first = next((problem for problem in self.problems if problem.startswith(f"{where}: {what}")), None)
        if first is None:
            self._problem(where, what + label)
        else:
            self.repeated[first] = self.repeated.get(first, 0) + 1

    def _template(self, where: str, entry: dict[str, t.Any], label: str, item: t.Any) -> str | None:
        name = entry["template"]
        scope = {str(entry.get("as", "item")): item} if label else {}
        where = f"{where}.template"
        try:
            return self.environment.get_template(name).render(self.variables, **scope)
        except jinja2.TemplateNotFound as error:
            self._once(where, f"there is no template {error.name} in {' or '.join(self.search_path)}", label)
        except jinja2.TemplateSyntaxError as error:
            self._once(where, f"{error.name} line {error.lineno}: {error.message}", label)
        except Exception as error:
            # Whatever an expression of a template raises is the template's error, or its data's.
            self._once(where, f"{_line(name, error)}: {error}", label)
        return None

    def _refuse_twins(self, files: list[dict[str, t.Any]]) -> None:
        seen: dict[str, str] = {}
        for file in files:
            where = file.get("where", "absent")
            if file["path"] in seen:
                self._problem(where, f"{file['path']} is in {seen[file['path']]} already. Remove one of the two.")
            seen.setdefault(file["path"], where)


def _fill(value: t.Any, item: t.Any, name: str) -> t.Any:
    """Return a value with every `{key}` filled in from the item; raises LookupError where one does not fit."""
    if isinstance(value, list):
        return [word for member in value for word in _words(member, item, name)]
    if not isinstance(value, str):
        return value

    def field(match: re.Match[str]) -> str:
        first, *rest = match[1].split(".")
        if isinstance(item, dict) and first in item:
            found = item[first]
        elif first == name:
            found = item
        else:
            raise LookupError(f"contains {match[0]}, but the item has no such key")
        for key in rest:
            if not isinstance(found, dict) or key not in found:
                raise LookupError(f"contains {match[0]}, but the item has no such key")
            found = found[key]
        if not isinstance(found, (str, int)) or isinstance(found, bool):
            raise LookupError(f"contains {match[0]}, which is neither a string nor a number in the item")
        return str(found)

    return FIELD.sub(field, value)


def _words(value: t.Any, item: t.Any, name: str) -> list[t.Any]:
    """Return what a member of a list stands for: all words of the item's list where it is the name of one."""
    found = item.get(match[1]) if isinstance(item, dict) and (match := FIELD.fullmatch(str(value))) else None
    return found if isinstance(found, list) else [_fill(value, item, name)]


def _line(name: str, error: Exception) -> str:
    """Return the template and its line where an expression failed."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.name in ("top-level template code",) or frame.name.startswith("block ") or frame.name == "template"
    ]
    return f"{PurePosixPath(frames[-1].filename).name} line {frames[-1].lineno}" if frames else name
