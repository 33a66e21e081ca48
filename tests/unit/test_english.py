# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What users read is plain English, its examples are valid, and its links lead somewhere."""

from __future__ import annotations

import ast
import re
import typing as t
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from ansible_collections.pyhost.web.plugins.plugin_utils._items.roles import ROLES
from ansible_collections.pyhost.web.plugins.plugin_utils._keys.app import APP
from ansible_collections.pyhost.web.plugins.plugin_utils._keys.host import HOST
from ansible_collections.pyhost.web.plugins.plugin_utils._keys.key import Key, Validator

from tools.messages import LIST

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("roles/*/README.md")])
LONGEST = 30
"""Words of a sentence in prose."""

# Whole words or phrases, and what to write instead.
FORBIDDEN = {
    r"(take|takes|took|taken|taking|put|puts|way) back": "roll back, restore, rollback",
    r"in service": "live, active",
    r"refus(e|es|ed|ing|al)": "reject",
    r"heed(s|ed|ing)?": "use, respect",
    r"killed runs?|run (is|was) killed|heal(s|ed)?": "an interrupted run, recover",
    r"words?": "setting, value, message",
    r"of (one's|its|their|your|our|my) own": "its own, your own, separate",
    r"without a word": "by default; silently",
    r"left out": "Default: …; optional; omit",
    r"what (is there|has come)": "name the thing",
    r"tells?|told|telling|says?|said|saying": "report, print, show",
    r"look(s|ed|ing)? at": "check, inspect",
    r"whoever|who may": "users who, clients that",
    r"pairs?": "combination",
    r"(other )?parts? of (a|the|this|each) hosts?": "component",
    r"wish(es|ed)?|wanted": "desired state",
}

# What one of these phrases means elsewhere is not what the glossary is about.
ALLOWED = {
    r"refus(e|es|ed|ing) (new )?connections?|connections? (is|are|was|were)? ?refused": "what TCP does",
    r"key pairs?": "a key and its certificate",
}


def _pattern(phrases: Iterable[str]) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(phrases)})\b", re.IGNORECASE)


def _words(text: str) -> list[str]:
    """Return the glossary's words and phrases that a text uses, with their replacements."""
    text = _pattern(ALLOWED).sub("…", " ".join(_without_code(text).split()))
    return [
        f"{match[0]!r} (write: {better})"
        for phrase, better in FORBIDDEN.items()
        for match in _pattern([phrase]).finditer(text)
    ]


def _without_code(text: str) -> str:
    """Return a text in which code and addresses are one word each."""
    text = re.sub(r"\b[A-Z]\([^()]*(\([^()]*\))?[^()]*\)", "CODE", text)
    text = re.sub(r"(`+).*?\1", "CODE", text, flags=re.DOTALL)
    text = re.sub(r"\]\([^)]*\)", "]", text)
    return re.sub(r"<https?:[^>]*>|https?://\S+", "URL", text)


def _without_blocks(text: str) -> str:
    """Return the text of a page without examples and comments."""
    return re.sub(r"^[ ]*```.*?^[ ]*```$|<!--.*?-->", "", text, flags=re.DOTALL | re.MULTILINE)


def _prose(page: str) -> Iterator[str]:
    """Yield the paragraphs, list items and headings of a page; no tables."""
    block: list[str] = []
    for line in [*_without_blocks(page).splitlines(), ""]:
        text = line.strip()
        begins = re.match(r"([-*]|\d+\.)\s|#+\s", text)
        if block and (not text or begins or text.startswith("|")):
            yield " ".join(block)
            block = []
        if text and not text.startswith("|"):
            block.append(text[begins.end() :] if begins else text)


def _sentences(paragraph: str) -> list[str]:
    return re.split(r"(?<=[.!?])[)\"'*]*\s+", _without_code(paragraph))


def _too_long(paragraph: str) -> list[str]:
    counted = [(len(re.findall(r"\S*\w\S*", sentence)), sentence) for sentence in _sentences(paragraph)]
    return [f"{count} words: {sentence}" for count, sentence in counted if count > LONGEST]


def _slug(heading: str) -> str:
    """Return the anchor that GitHub makes of a heading."""
    text = re.sub(r"\]\([^)]*\)", "]", heading).lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def _anchors(page: Path) -> set[str]:
    return {_slug(heading) for heading in re.findall(r"^#+ (.*)$", _without_blocks(page.read_text()), re.MULTILINE)}


def _dead(page: Path, link: str) -> bool:
    """Return whether a link that is no URL leads nowhere."""
    path, _hash, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    return not target.exists() or (bool(anchor) and anchor not in _anchors(target))


def _examples(page: Path) -> list[str]:
    return re.findall(r"^[ ]*```ya?ml\n(.*?)^[ ]*```$", page.read_text(), re.DOTALL | re.MULTILINE)


def _dictionaries(value: t.Any) -> Iterator[dict[str, t.Any]]:
    """Yield a dictionary and all that are in it."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
        yield from _dictionaries(inner)


def _problems_of_example(variables: dict[str, t.Any]) -> list[str]:
    """Return what an inventory would get rejected for; an example may show some of the required keys only."""
    check, optional = Validator(), [replace(key, required=False) for key in APP]
    apps = {
        f"{name}.{app}": keys
        for name, keys in variables.items()
        if name.startswith("pyhost_apps")
        for app, keys in keys.items()
    }
    for path, keys in {**apps, "pyhost_app_defaults": variables.get("pyhost_app_defaults", {})}.items():
        check.options(path, keys, optional)
    hosts = {name: value for name, value in variables.items() if name in {key.name for key in HOST}}
    check.options("host", hosts, HOST)
    lists = {key.name: key for role in ROLES.values() for key in role.variables}
    for name in lists.keys() & variables.keys():
        check.value(name, variables[name], lists[name])
    return [f"{problem.path}: {problem.message}" for problem in check.problems]


def _keys(keys: Iterable[Key], path: str = "") -> Iterator[tuple[str, Key]]:
    for key in keys:
        yield f"{path}{key.name}", key
        yield from _keys(key.options, f"{path}{key.name}.")


def _documentation() -> Iterator[tuple[str, str]]:
    """Yield the texts in the documentation of modules and plugins, with where each one is."""
    for path in sorted(ROOT.glob("plugins/*/*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
                name = ast.unparse(node.targets[0])
                if name in ("DOCUMENTATION", "RETURN", "NEEDED", "CONTROLLER"):
                    yield from _texts(yaml.safe_load(str(node.value.value)), f"{path.stem}: {name}")
    for path in sorted(ROOT.glob("plugins/filter/*.yml")):
        yield from _texts(yaml.safe_load(path.read_text()), path.stem)


def _texts(value: t.Any, path: str) -> Iterator[tuple[str, str]]:
    for name, inner in value.items() if isinstance(value, dict) else ():
        if name in ("short_description", "description", "details", "notes") and not isinstance(inner, dict):
            yield from ((f"{path}.{name}", text) for text in (inner if isinstance(inner, list) else [inner]))
        else:
            yield from _texts(inner, f"{path}.{name}")


KEYS = dict(
    [
        *_keys(APP),
        *_keys(HOST),
        *((f"{role}: {path}", key) for role, row in ROLES.items() for path, key in _keys(row.variables)),
    ]
)
DOCUMENTATION = list(_documentation())
MESSAGES = [line for line in LIST.read_text().splitlines() if line and not line.startswith("#")]
NOTES = sorted([*ROOT.glob("changelogs/fragments/*.y*ml"), ROOT / "changelogs" / "changelog.yaml", ROOT / "galaxy.yml"])


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_a_page_uses_the_words_of_the_glossary(page: Path) -> None:
    assert _words(_without_blocks(page.read_text())) == []


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_no_sentence_is_too_long(page: Path) -> None:
    assert [sentence for paragraph in _prose(page.read_text()) for sentence in _too_long(paragraph)] == []


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_example_is_valid(page: Path) -> None:
    for example in _examples(page):
        for variables in _dictionaries(yaml.safe_load(example)):
            assert _problems_of_example(variables) == [], example


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"", _without_blocks(page.read_text()))
    inside = [link for both in links for link in both if link and not re.match(r"[a-z]+:", link)]
    assert [link for link in inside if _dead(page, link)] == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent.name == "docs"], ids=_name)
def test_a_page_is_in_the_index(page: Path) -> None:
    assert page.name == "README.md" or f"]({page.name}" in (ROOT / "docs" / "README.md").read_text()


@pytest.mark.parametrize("path", KEYS)
def test_a_description_is_plain(path: str) -> None:
    description = KEYS[path].description
    assert _words(description) == []
    assert _too_long(description) == []
    assert (KEYS[path].type == "bool") == description.startswith("Whether to "), description


@pytest.mark.parametrize(("where", "text"), DOCUMENTATION)
def test_the_documentation_of_a_plugin_is_plain(where: str, text: str) -> None:
    assert _words(text) + _too_long(text) == [], where


@pytest.mark.parametrize("role", ROLES)
def test_a_role_describes_itself_plainly(role: str) -> None:
    for text in (ROLES[role].short, ROLES[role].description):
        assert _words(text) + _too_long(text) == []


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_is_plain(message: str) -> None:
    text = re.sub(r"\{[^{}]*\}", "X", message)
    assert _words(text) + _too_long(text) == []
    # "There is no such file" is English, "'x' is no file" is not.
    assert not re.search(r"(?<!there) (is|are) no (?!longer)", text), "write: is not a …"


@pytest.mark.parametrize("path", NOTES, ids=_name)
def test_release_notes_are_plain(path: Path) -> None:
    assert _words(path.read_text()) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("The run is refused.", "'refused'"),
        ("It goes live `without a word`.", ""),
        ("Cherokee refuses new connections.", ""),
        ("A [link](refused.md) is no prose.", ""),
        ("It reads C(words(1)) and O(told).", ""),
        ("Left out: 5.", "'Left out'"),
        ("The\npassword's word.", "'word'"),
    ],
)
def test_the_glossary_is_searched_in_prose(text: str, problem: str) -> None:
    assert [found.split(" (")[0] for found in _words(text)] == ([problem] if problem else [])


def test_sentences_are_counted_without_tables_and_examples() -> None:
    prose = f"# Title\n\nShort. Then {'word ' * 30}end.\n\n- {'item ' * 30}\n"
    page = f"{prose}\n| {'cell ' * 40} |\n\n```yaml\n{'x ' * 40}\n```\n"
    found = [sentence for paragraph in _prose(page) for sentence in _too_long(paragraph)]
    assert [sentence.split(":")[0] for sentence in found] == ["32 words"]


def test_a_misspelt_key_in_an_example_is_found() -> None:
    assert _problems_of_example({"pyhost_apps": {"shop": {"domain": ["shop.example.org"]}}})
    assert _problems_of_example({"pyhost_frontend": "ngnix"})
    assert _problems_of_example({"frontend_nginx_sites": [{"domains": ["a.example"], "mounts": [{"name": "shop"}]}]})


@pytest.mark.parametrize(
    ("link", "dead"),
    [("docs/tls.md#use-acme", False), ("docs/tls.md#nowhere", True), ("docs/none.md", True), ("#quick-start", False)],
)
def test_a_dead_link_is_found(link: str, dead: bool) -> None:
    assert _dead(ROOT / "README.md", link) == dead
