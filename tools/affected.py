"""usage: python -m tools.affected [BASE], in the root of the project

Print the parts of the suite that the changes since the commit BASE (default: main) can break, those not committed
included, and the command that runs them. What depends on what is read from the files themselves: Python's imports,
and the names of roles, playbooks and modules in YAML. A scenario that only runs `pyhost.web.site` would depend on every
role: of the roles that such a playbook wires, those count whose server the scenario names.
"""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

from plugins.module_utils._catalog import DEFAULT_BACK_END, DEFAULT_FRONT_END

ROOT = Path(__file__).resolve().parent.parent
NAMED = re.compile(r"pyhost\.web\.(\w+)")
IMPORTED = re.compile(r"^\s*(?:from|import) (\.*[\w.]+)(?: import ([\w, ]+))?", re.MULTILINE)
FILE = re.compile(r"[\w./-]+/[\w.-]+\.\w+")
TEXT = {".py", ".yml", ".j2", ""}
# Where servers are wired that a host need not have.
PLAYBOOKS = "playbooks/"
# Roles of hosts that nobody configured otherwise.
USUAL = {"app", f"backend_{DEFAULT_BACK_END}", f"frontend_{DEFAULT_FRONT_END}"}

PREFIXES = {
    "sanity": ("plugins/", "roles/", "meta/", "tests/sanity/", "tools/sanity"),
    "importer": ("plugins/", "roles/", "playbooks/", "meta/", "galaxy.yml", "README.md", "tools/importer"),
    "demo": (
        "examples/",
        "tools/demo",
        "tools/containers",
        "roles/app/",
        f"roles/frontend_{DEFAULT_FRONT_END}/",
        "roles/backend_",
    ),
}


def _below(folder: str) -> set[str]:
    found = (path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(ROOT)) for path in found}


def _module(dotted: str, file: str) -> set[str]:
    """Return the files of a module that Python imports by this name in the file."""
    if dotted.startswith("."):
        folder = Path(file).parents[len(dotted) - len(dotted.lstrip(".")) - 1]
        path = folder / dotted.lstrip(".").replace(".", "/")
    else:
        path = Path(dotted.removeprefix("ansible_collections.pyhost.web.").replace(".", "/"))
    return {name for name in (f"{path}.py", f"{path}/__init__.py") if (ROOT / name).is_file()}


def _imports(text: str, file: str) -> set[str]:
    found: set[str] = set()
    for source, names in IMPORTED.findall(text):
        inner = [name.split()[0] for name in names.split(",") if name.strip()]
        separator = "" if source.endswith(".") else "."
        found |= _module(source, file).union(*(_module(f"{source}{separator}{name}", file) for name in inner))
    return found


@cache
def needs(file: str) -> frozenset[str]:
    """Return the files that a file names; a role's name stands for all of its files."""
    path = ROOT / file
    if path.suffix not in TEXT or path.name == "README.md":
        return frozenset()
    text = path.read_text(errors="replace")
    found = _imports(text, file) if path.suffix == ".py" else set()
    for name in NAMED.findall(text):
        # What is included by a computed name stands for all roles of its kind.
        folders = (ROOT / "roles").glob(f"{name}*" if name.endswith("_") else name)
        found = found.union(*(_below(f"roles/{folder.name}") for folder in folders))
        for kind in ("action", "filter", "modules"):
            found |= {f"plugins/{kind}/{name}{suffix}" for suffix in (".py", ".yml")}
        found.add(f"playbooks/{name}.yml")
        # Every filter of the collection is in one file.
        found |= _below("plugins/filter") if path.parts[-3:-2] == ("roles",) or "/vars/" in file else set()
    found |= set(FILE.findall(text)) if path.suffix == ".yml" else set()
    found |= {f"tests/{name}" for name in re.findall(r"tests/([\w./-]+)", text) if (ROOT / "tests" / name).is_file()}
    for folder in re.findall(r"(?:tests|examples)/[\w/]+", text):
        found |= _below(folder) if (ROOT / folder).is_dir() and not file.startswith("tests/unit") else set()
    found |= _below("playbooks/tasks") | _below("playbooks/templates") if file.startswith(PLAYBOOKS) else set()
    return frozenset(name for name in found if (ROOT / name).is_file() and name != file)


def scenario(name: str) -> set[str]:
    """Return all files that a scenario depends on."""
    folder = _below(f"molecule/{name}")
    words = " ".join((ROOT / file).read_text(errors="replace") for file in folder)
    roles = {path.name for path in (ROOT / "roles").iterdir()}
    # What reads the catalog, or has an application for each of its back ends, needs all of them.
    wired = (
        roles
        if "_catalog" in words or "each_back_end" in words
        else USUAL | {role for role in roles if _names(role, words)}
    )
    seen: set[str] = set()
    left = folder | _below(".config/molecule") | _below("tools/path")
    left |= {"tools/containers", "tools/base-images", "tools/molecule"}
    while left:
        file = left.pop()
        seen.add(file)
        for other in needs(file) - seen:
            role = other.split("/")[1] if other.startswith("roles/") else ""
            if not (role and file.startswith(PLAYBOOKS) and role not in wired):
                left.add(other)
    return seen


def _names(role: str, words: str) -> bool:
    """Return whether a scenario's words name a role, or its server."""
    server = role.partition("_")[2]
    return bool(re.search(rf"\b{role}\b|\b(?:\w+_)?{server or role}\b", words))


def affected(changed: set[str]) -> list[str]:
    """Return the parts of the suite that changes in these files can break."""
    parts = ["lint"]
    # Pages too: tests/unit/test_english.py reads them.
    tested = (".py", ".j2", ".yml", ".yaml", ".md")
    if any(file.endswith(tested) and not file.startswith("molecule/") for file in changed):
        parts.append("unit")
    parts += [part for part, prefixes in PREFIXES.items() if any(file.startswith(prefixes) for file in changed)]
    scenarios = sorted(path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml"))
    return parts + [f"molecule:{name}" for name in scenarios if scenario(name) & changed]


def changes(base: str) -> set[str]:
    """Return the files that differ from a commit, and those that git does not know yet."""
    found: set[str] = set()
    for command in (["diff", "--name-only", base], ["ls-files", "--others", "--exclude-standard"]):
        done = subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True, check=True)
        found |= set(done.stdout.splitlines())
    return found


def main() -> None:
    """Print them."""
    parts = affected(changes(*sys.argv[1:2] or ["main"]))
    print(f"tools/suite {' '.join(parts)}")


if __name__ == "__main__":
    main()
