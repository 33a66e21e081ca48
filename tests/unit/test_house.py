"""The layout of the private code: folders by subject, one below the other, and nothing too large to read."""

from __future__ import annotations

import ast
import re
import typing as t
from graphlib import TopologicalSorter
from pathlib import Path

import ansible_collections.pyhost.web.plugins.plugin_utils as plugin_utils
import pytest
from ansible_collections.pyhost.web.plugins.module_utils._catalog import BACK_ENDS, FRONT_ENDS

PLUGINS = Path(next(iter(plugin_utils.__path__))).parent
ROOT, CHECKOUT = PLUGINS.parent, Path(__file__).resolve().parents[2]
FILES = sorted(path for path in PLUGINS.rglob("*.py") if path.name != "__init__.py")
CLASS, FUNCTION = 300, 50
MADE = "Made by tools/generate.py"

# Each may import from its own folder and from those before it, nothing from those after it.
HOST_SIDE = ("", "_transaction", "_release", "_tls", "_packages", "_status")
CONTROLLER_SIDE = ("_keys", "_servers", "_items", "_model", "_report", "")

PROTOCOLS = {protocol for row in BACK_ENDS.values() for protocol in row.serves}
KINDS = {"frontend": FRONT_ENDS, "backend": BACK_ENDS}
NAMES = {*FRONT_ENDS, *BACK_ENDS} - PROTOCOLS


def _imports(path: Path) -> t.Iterator[Path]:
    """Yield the files of the plugins that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ImportFrom):
            continue
        assert "ansible_collections.pyhost" not in (node.module or ""), f"{path} imports absolutely"
        if node.level:
            folder = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            if folder.with_suffix(".py").is_file():
                yield folder.with_suffix(".py")
            else:
                yield from (folder / f"{alias.name}.py" for alias in node.names)


def _room(path: Path) -> tuple[str, str]:
    """Return the side of a file and its folder there."""
    side, *folders = path.relative_to(PLUGINS).parent.parts
    return side, folders[0] if folders else ""


def test_imports_go_in_no_circle() -> None:
    graph = {path: set(_imports(path)) for path in FILES}
    assert set().union(*graph.values()) <= set(FILES)
    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PLUGINS)))
def test_nothing_imports_from_above(path: Path) -> None:
    side, folder = _room(path)
    for other, room in map(_room, _imports(path)):
        if side == "module_utils":
            assert other == side
            assert HOST_SIDE.index(room) <= HOST_SIDE.index(folder)
        elif side == "plugin_utils" and other == side:
            assert CONTROLLER_SIDE.index(room) <= CONTROLLER_SIDE.index(folder)
        elif side == "modules":
            # What runs on a host; the rest of the code is not there.
            assert other == "module_utils"
        else:
            assert other in ("module_utils", "plugin_utils")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PLUGINS)))
def test_classes_and_functions_are_short(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            limit = CLASS if isinstance(node, ast.ClassDef) else FUNCTION
            assert (node.end_lineno or 0) - node.lineno < limit, f"{node.name} has more than {limit} lines"


def test_every_row_has_one_file_and_every_file_its_row() -> None:
    files = {path.stem for path in (PLUGINS / "plugin_utils" / "_servers").glob("*.py")}
    assert files - {"__init__", "server"} == {*FRONT_ENDS, *BACK_ENDS}


def _named(root: Path, paths: t.Iterable[Path]) -> set[tuple[str, str]]:
    """Return the names of servers in Python code, with the files that have them."""
    return {
        (str(path.relative_to(root)), node.value)
        for path in paths
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in NAMES
    }


def test_nobody_but_the_row_and_the_file_of_a_server_asks_for_its_name() -> None:
    named = _named(ROOT, FILES)
    assert {(path, name) for path, name in named if path != f"plugins/plugin_utils/_servers/{name}.py"} == {
        ("plugins/module_utils/_catalog.py", name) for name in NAMES
    }


def test_what_all_tests_share_and_tools_ask_the_rows() -> None:
    folders = ("tests/claims", "tests/controls", "tests/front_ends", "tests/support", "tools", "benchmarks")
    paths = [path for folder in folders for path in (CHECKOUT / folder).rglob("*.py")]
    assert len(paths) > 20
    assert _named(CHECKOUT, paths) == set()


def _words(path: Path) -> str:
    """Return the text of a file without its comments, which may explain a server."""
    return re.sub(r"\{#.*?#\}|^ *#.*?$| # .*?$", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)


def test_playbooks_by_hand_name_no_server() -> None:
    by_hand = [path for path in (ROOT / "playbooks").rglob("*.yml") if MADE not in path.read_text()]
    assert {path.name for path in by_hand} >= {"site.yml", "deploy.yml", "rollback.yml", "status.yml", "guard.yml"}
    files = [*by_hand, *(ROOT / "playbooks" / "templates").iterdir()]
    assert [(path.name, name) for path in files for name in NAMES if re.search(rf"(\b|_){name}\b", _words(path))] == []


@pytest.mark.parametrize(
    "role", [f"frontend_{name}" for name in FRONT_ENDS] + [f"backend_{name}" for name in BACK_ENDS]
)
def test_no_role_names_the_role_of_another_server(role: str) -> None:
    others = {f"{kind}_{name}" for kind, names in KINDS.items() for name in names} - {role}
    files = [path for path in (ROOT / "roles" / role).rglob("*") if path.suffix in (".yml", ".j2", ".py")]
    assert len(files) > 5
    assert [(path.name, other) for path in files for other in others if other in _words(path)] == []
