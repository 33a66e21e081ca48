# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What stays on the controller of a folder that is a source: rules as git has them, and names of secrets.

The rules are read here and not by git: a controller without git must not send more.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable, Iterator
from pathlib import Path

GIT, OWN = ".gitignore", ".pyhostignore"

# Nobody misses these.
BUILT_IN = ".git .hg .svn .tox .venv __pycache__ node_modules *.pyc".split()

SECRETS = """
.env .envrc .env.* !.env.example !.env.sample !.env.template !.env.dist
*.pem *.key *.p12 *.pfx *.jks *.keystore *.kdbx *.ppk id_rsa* id_dsa* id_ecdsa* id_ed25519*
.netrc _netrc .npmrc .pypirc .pgpass .my.cnf .htpasswd .git-credentials .aws/ **/.docker/config.json .gnupg/ .kube/
.ssh/ .vault-pass* .vault_pass* vault-pass* vault_pass* secrets.* credentials.json *.tfstate *.tfstate.*
*.sqlite *.sqlite3 *.sqlite-* *.sqlite3-*
""".split()
"""Names that people use for keys, passwords and local databases."""


class Rule(t.NamedTuple):
    """One line of an ignore file."""

    leaves_out: bool
    folders_only: bool
    whole_path: bool
    pattern: re.Pattern[str]

    def matches(self, parts: tuple[str, ...], is_folder: bool) -> bool:
        """Whether the line is about this path, which is relative to the folder of the file."""
        if self.folders_only and not is_folder:
            return False
        return bool(self.pattern.fullmatch(_bytes("/".join(parts) if self.whole_path else parts[-1])))


def _bytes(text: str) -> str:
    """Return a text with one character for each byte: that is what git's wildcards count."""
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def parse(lines: Iterable[str], flags: int = 0) -> Iterator[Rule]:
    """Yield the rules of an ignore file; ``flags`` are those of ``re``."""
    for given in lines:
        line = _without_spaces(given.removesuffix("\r"))
        if not line or line.startswith("#"):
            continue
        leaves_out = not line.startswith("!")
        line = line.removeprefix("!")
        folders_only = line.endswith("/")
        line = line.removesuffix("/")
        if line:
            pattern = re.compile(_expression(_bytes(line.removeprefix("/"))), re.DOTALL | re.ASCII | flags)
            yield Rule(leaves_out, folders_only, "/" in line, pattern)


def _without_spaces(line: str) -> str:
    """Return a line without spaces at its end; one behind a backslash stays."""
    stripped = line.rstrip(" ")
    backslashes = len(stripped) - len(stripped.rstrip("\\"))
    # Two of them are one, which escapes nothing.
    return line[: len(stripped) + backslashes % 2]


_CLASS = re.compile(r"\[([!^]?)((?:\\.|\[:[a-z]+:\]|[^\\])(?:\\.|\[:[a-z]+:\]|[^\]\\])*)\]", re.DOTALL)
_CLASSES = {
    "alnum": "A-Za-z0-9", "alpha": "A-Za-z", "blank": r" \t", "digit": "0-9", "lower": "a-z", "space": r"\s",
    "upper": "A-Z", "xdigit": "0-9A-Fa-f",
}  # fmt: skip
NEVER = "(?!)"


def _behind_stars(pattern: str, at: int) -> int:
    while pattern.startswith("*", at):
        at += 1
    return at


def _expression(pattern: str) -> str:
    found, at = "", 0
    while at < len(pattern):
        ahead = pattern[at : at + 2]
        if ahead[0] == "*":
            begin, at = at, _behind_stars(pattern, at)
            after, before = pattern[at : at + 1], pattern[begin - 1 : begin] if begin else ""
            if at - begin == 1 or after not in ("", "/") or before not in ("", "/"):
                found += "[^/]*"
            elif after:
                found, at = f"{found}(?:.*/)?", at + 1
            else:
                found += ".*"
        elif ahead[0] == "?":
            found, at = f"{found}[^/]", at + 1
        elif ahead[0] == "[":
            group = _CLASS.match(pattern, at)
            if not group:
                return NEVER
            found, at = found + _group(group[1], group[2]), group.end()
        elif ahead[0] == "\\":
            if len(ahead) < 2:
                return NEVER
            found, at = found + re.escape(ahead[1]), at + 2
        else:
            found, at = found + re.escape(ahead[0]), at + 1
    return found


def _group(negation: str, text: str) -> str:
    """Return a bracket expression of git as one of Python, which never takes a slash."""
    inside = ""
    for part in re.finditer(r"\[:([a-z]+):\]|(\\?.)-(\\?.)|\\?(.)", text, re.DOTALL):
        named, first, last, one = part.groups()
        if named:
            inside += _CLASSES.get(named, "")
        elif one:
            inside += re.escape(one)
        elif first[-1] <= last[-1]:
            inside += f"{re.escape(first[-1])}-{re.escape(last[-1])}"
    if not inside:
        return "[^/]" if negation else NEVER
    return f"(?!/)[{'^' if negation else ''}{inside}]"


Places = Iterator[tuple[Rule, tuple[str, ...]]]
"""Rules, each with the path as it is seen from the folder of its file."""


class Ignore:
    """The rules for a folder that is a source."""

    def __init__(self, folder: Path) -> None:
        self._built_in = list(parse(BUILT_IN))
        self._secrets = list(parse(SECRETS, re.IGNORECASE))
        # By the folder of the file, as seen from the source; those of outer folders come first.
        self._git: dict[tuple[str, ...], list[Rule]] = {}
        self._own: dict[tuple[str, ...], list[Rule]] = {}
        self._above: list[tuple[tuple[str, ...], list[Rule]]] = _above(folder)
        self._folder = folder

    def enter(self, parts: tuple[str, ...]) -> None:
        """Read the files of a folder of the source, before what is in it is asked for."""
        for name, files in ((GIT, self._git), (OWN, self._own)):
            rules = _read(self._folder.joinpath(*parts, name))
            if rules:
                files[parts] = rules

    def why(self, parts: tuple[str, ...], is_folder: bool) -> str:
        """Return what leaves a path out: a file's name, ``secret`` or ``built in``; empty where it travels."""
        own = _verdict(self._of(self._own, parts), is_folder)
        if own is not None:
            return OWN if own else ""
        reasons = {
            "built in": ((rule, parts) for rule in self._built_in),
            "secret": ((rule, parts) for rule in self._secrets),
            GIT: self._of_git(parts),
        }
        return next((reason for reason, rules in reasons.items() if _verdict(rules, is_folder)), "")

    def _of_git(self, parts: tuple[str, ...]) -> Places:
        for prefix, rules in self._above:
            yield from ((rule, (*prefix, *parts)) for rule in rules)
        yield from self._of(self._git, parts)

    @staticmethod
    def _of(files: dict[tuple[str, ...], list[Rule]], parts: tuple[str, ...]) -> Places:
        for folder, rules in files.items():
            if parts[: len(folder)] == folder:
                yield from ((rule, parts[len(folder) :]) for rule in rules)


def _verdict(rules: Places, is_folder: bool) -> bool | None:
    """Return whether the last rule that is about a path leaves it out; None where none is."""
    found = None
    for rule, parts in rules:
        if rule.matches(parts, is_folder):
            found = rule.leaves_out
    return found


def _read(path: Path) -> list[Rule]:
    # As git, which takes no link for one either.
    if path.is_symlink() or not path.is_file():
        return []
    return list(parse(path.read_text(encoding="utf-8-sig", errors="surrogateescape").split("\n")))


def _above(folder: Path) -> list[tuple[tuple[str, ...], list[Rule]]]:
    """Return the rules of the repository that the folder lies in, with the folder's path below each file."""
    whole = folder.resolve()
    for top in (whole, *whole.parents):
        if (top / ".git").exists():
            inner = whole.relative_to(top).parts
            return [(inner[depth:], _read(top.joinpath(*inner[:depth], GIT))) for depth in range(len(inner))]
    return []
