"""The sentences that plugins, roles and tools print: `make generate` writes them to tests/unit/messages.txt.

What is printed is put together in many ways and places, but each piece is a text in the code somewhere. So every text
that reads like a sentence counts: what is raised, warned of, returned, or part of any of these. Not counted are
docstrings, documentation and the definitions of keys, which have their own checks, and programs: a program is written
in triple quotes, a message never is.
"""

from __future__ import annotations

import ast
import re
import typing as t
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
LIST = ROOT / "tests" / "unit" / "messages.txt"

# Definitions, which other tests read; patterns; and lists of names.
_DEFINITIONS = {"Key", "like", "_health", "Role", "RoleSpec", "compile", "split", "cast"}
_DOCUMENTATION = {"DOCUMENTATION", "EXAMPLES", "RETURN"}
# One line of a program, or of a file of its own format.
_PROGRAM = re.compile(
    r"(exec|export|cd|for|find|printf|if|main|machine|mount|git ls-remote|\[) [\[{\"-<;]|[-\w/{}]+ (-m )?pip install|"
    r"[ugM] ?\{|(dict|tuple|list)\[|import |unit=|#!|add_header |proxy_cache_path |venv \(uv"
)
_SENTENCE = re.compile(r"(…|[A-Za-z]{2,})[,;:.]? [a-z…]")
# What a program prints, and the names of units; what a page shows.
PRINTED = re.compile(r"""(?:echo|print|sys\.exit)[ (]f?"([^"]+)"(?: >&2|\))|^Description=(.+)$""", re.MULTILINE)
PAGE = re.compile(r">\s*([A-Z][^<>]*[a-z.])\s*<|aria-label=\"([^\"]+)\"")
_WORDS = re.compile(r"[A-Za-z]+ [a-z]+ [a-z]+ ")


class UnreadableError(Exception):
    """An exception that says nothing, or says it in a form that is not on the list."""


def messages() -> str:
    """Return the list: files in order, each with its messages in alphabetical order."""
    parts = []
    for path, found in _found():
        lines = sorted({" ".join(text.split()) for text in found})
        parts += [f"# {path.relative_to(ROOT)}", *lines, ""] if lines else []
    return "\n".join(parts)


def _found() -> Iterator[tuple[Path, Iterable[str]]]:
    for path in sorted([*ROOT.glob("plugins/**/*.py"), *ROOT.glob("roles/*/templates/*.py")]):
        yield path, of_python(path.read_text(), str(path))
    for path in sorted(
        [*ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("roles/*/vars/*.yml"), *ROOT.glob("playbooks/**/*.yml")]
    ):
        yield path, _of_yaml(yaml.safe_load(path.read_text()))
    templates = [*ROOT.glob("roles/*/templates/*.j2"), *ROOT.glob("playbooks/templates/*.j2")]
    for path in sorted([*templates, *ROOT.glob("tools/*")]):
        if path.is_file():
            yield path, of_text(path.read_text(), PAGE if ".html" in path.suffixes else PRINTED)


def of_text(text: str, pattern: re.Pattern[str]) -> list[str]:
    """Return what users see of a template or a program."""
    return ["".join(found) for found in pattern.findall(text)]


def of_python(source: str, path: str = "") -> Iterator[str]:
    """Yield the messages of a Python file; raise UnreadableError for an exception without one."""
    tree, lines = ast.parse(source), source.encode().split(b"\n")
    aside = set(_aside(tree))
    raised = {id(text) for text in _raised(tree, lines, path)}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Constant, ast.JoinedStr)) and id(node) not in aside:
            text = _text(node)
            is_program = _is_block(lines, node) or _PROGRAM.match(text)
            if id(node) in raised or (not is_program and _SENTENCE.search(re.sub(r"\{.*?\}", "…", text))):
                yield text


def _aside(tree: ast.AST) -> Iterator[int]:
    """Yield what is no message, or is part of one that is read as a whole."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield id(node.value)
        elif isinstance(node, ast.JoinedStr):
            yield from (id(part) for part in node.values)
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in _DOCUMENTATION:
            yield from map(id, ast.walk(node))
        elif isinstance(node, ast.Call) and _name(node.func) in _DEFINITIONS:
            for argument in [node.func, *node.args, *(keyword.value for keyword in node.keywords)]:
                yield id(argument)
                # What a check wants is part of its message.
                if not isinstance(argument, ast.Call):
                    yield from map(id, ast.walk(argument))


def _raised(tree: ast.AST, lines: list[bytes], path: str) -> Iterator[ast.expr]:
    """Yield the texts that exceptions are given."""
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Raise) or node.exc is None:
            continue
        where = f"{path}:{node.lineno}: {ast.unparse(node.exc)}"
        if isinstance(node.exc, ast.Call):
            given = [*node.exc.args, *(keyword.value for keyword in node.exc.keywords)]
            if not given:
                raise UnreadableError(f"{where} says nothing")
            for text in (inner for argument in given for inner in ast.walk(argument)):
                if isinstance(text, (ast.Constant, ast.JoinedStr)) and _is_block(lines, text):
                    raise UnreadableError(f"{where} has a message in triple quotes, as a program")
            if isinstance(given[0], (ast.Constant, ast.JoinedStr)) and isinstance(_text(given[0]), str):
                yield given[0]
        elif isinstance(node.exc, ast.Name) and (node.exc.id in own or node.exc.id[0].isupper()):
            raise UnreadableError(f"{where} says nothing")


def _is_block(lines: list[bytes], node: ast.expr) -> bool:
    return re.match(rb"""[rfb]*(\"\"\"|\'\'\')""", lines[node.lineno - 1][node.col_offset :]) is not None


def _text(node: ast.Constant | ast.JoinedStr) -> str:
    """Return a text, with the name of what is put in in braces."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    return "".join(
        str(part.value) if isinstance(part, ast.Constant) else f"{{{_name(t.cast(ast.FormattedValue, part).value)}}}"
        for part in node.values
    )


def _name(node: ast.AST) -> str:
    """Return a short name of an expression."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Subscript):
        key = node.slice.value if isinstance(node.slice, ast.Constant) else None
        return key if isinstance(key, str) else _name(node.value)
    if isinstance(node, ast.Call):
        name = _name(node.func)
        return _name(node.args[0]) if name in ("join", "str", "map", "sorted", "len") and node.args else name
    return "…"


def _of_yaml(value: t.Any) -> Iterator[str]:
    """Yield the sentences among values, and in expressions; names of plays and tasks, and conditions, are none."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ()):
        if isinstance(inner, str) and key not in ("name", "when"):
            texts = re.findall(r"'([^']*)'", inner) if "{{" in inner else [inner]
            yield from filter(_WORDS.search, texts)
        yield from _of_yaml(inner)
