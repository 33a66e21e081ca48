"""Golden cases: inventories, and all that their hosts get from the playbook, as files that a review can compare.

``NAME/inventory.yml`` is what a user writes, ``NAME/playbook.yml`` the playbook where it is not site. In
``NAME/expected/`` each host has a folder: its files at their paths, and ``index.yml``, which lists all that modules are
given but the contents. What is listed but not there is in ``NAME/expected/all/``, or else in ``all/``: most hosts have
the same of it.
"""

from __future__ import annotations

import functools
import shutil
import typing as t
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import ansible_collections.pyhost.web.plugins.plugin_utils as plugin_utils
import yaml
from ansible_collections.pyhost.web.plugins.module_utils._catalog import BACK_ENDS, FRONT_ENDS, protocols
from ansible_collections.pyhost.web.plugins.plugin_utils._servers import server

from tests.golden.dry_run import Host, play

CASES = Path(__file__).parent
COLLECTION = Path(next(iter(plugin_utils.__path__))).parents[1]
ALL, INDEX = "all", "index.yml"
MODULES = "pyhost.web."

# In the place of the digest of all files, which would be another one with each change of any of them.
GENERATION = "GENERATION"

# Application of the inventories that are made from the catalog.
APP = {"domains": ["shop.example.org"], "wsgi": "m:app", "requirements": ["m"]}

Tree = dict[str, str]


def names() -> list[str]:
    """Return all cases, those that the catalog demands among them."""
    return sorted({path.parent.name for path in CASES.glob("*/inventory.yml")} | inventories().keys())


def inventories() -> dict[str, t.Any]:
    """Return an inventory for each front end: a host for each back end and protocol that it can publish."""
    return {
        f"pairs-{front_end}": {
            "all": {
                "vars": {"pyhost_frontend": front_end, **_there(front_end)},
                "hosts": {
                    (pair := f"{back_end}-{protocol}".replace("_", "-")): {
                        "pyhost_apps": {pair: {**APP, "backend": back_end, "protocol": protocol}}
                    }
                    for back_end in BACK_ENDS
                    for protocol in protocols(front_end, back_end)
                },
            }
        }
        for front_end in FRONT_ENDS
    }


def _there(front_end: str) -> dict[str, t.Any]:
    """Return the variable that says where a host has a server which Debian does not package."""
    origin = server.front_end(front_end).origin
    defaults = {key.name: key.default for key in server.front_end(front_end).variables}
    return {name: defaults[name] for name in (origin.others if origin else ()) if defaults[name]}


@functools.cache
def produced(name: str) -> dict[str, Tree]:
    """Return the text of all files of each host of a case, by relative path, as the code of today makes them."""
    playbook = CASES / name / "playbook.yml"
    hosts = play(playbook if playbook.exists() else COLLECTION / "playbooks/site.yml", CASES / name / "inventory.yml")
    return {host: _tree(outcome) for host, outcome in hosts.items()}


def places(name: str, host: str, path: str) -> list[Path]:
    """Return where a file of a host may be expected; the first of them that exists is it."""
    return [CASES / name / "expected" / host / path, CASES / name / "expected" / ALL / path, CASES / ALL / path]


def place(name: str, host: str, path: str) -> Path | None:
    """Return where a file of a host is expected; None where it is not."""
    return next((each for each in places(name, host, path) if each.is_file()), None)


def stored() -> set[Path]:
    """Return all files that some host is expected to have."""
    return {path for path in [*CASES.glob("*/expected/**/*"), *(CASES / ALL).rglob("*")] if path.is_file()}


@dataclass
class Expected:
    """What a host is expected to have: its files by absolute path, and what its modules are given."""

    debian: str
    files: Tree
    calls: list[tuple[str, dict[str, t.Any]]]


def expected(name: str) -> dict[str, Expected]:
    """Return what each host of a case is expected to have, without a look at the code of today."""
    hosts = {}
    for listed in sorted((CASES / name / "expected").glob(f"*/{INDEX}")):
        host, index = listed.parent.name, yaml.safe_load(listed.read_text())
        calls = [(module, args) for call in index["modules"] for module, args in call.items()]
        paths = [file["path"] for _module, args in calls for file in args.get("files", [])]
        found = {path: place(name, host, path.lstrip("/")) for path in paths}
        hosts[host] = Expected(index["debian"], {path: at.read_text() for path, at in found.items() if at}, calls)
    return hosts


def write() -> None:
    """Make the inventories of the catalog, and what all cases expect, from the code of today."""
    for name, inventory in inventories().items():
        (CASES / name).mkdir(exist_ok=True)
        (CASES / name / "inventory.yml").write_text(dump(inventory))
    for folder in (CASES / ALL, *CASES.glob("*/expected")):
        shutil.rmtree(folder, ignore_errors=True)
    for path, text in _stored({name: produced(name) for name in names()}).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _stored(cases: dict[str, dict[str, Tree]]) -> dict[Path, str]:
    """Return what is to be stored: once what most hosts have, then what most others of a case have, then the rest."""
    files: dict[Path, str] = {}
    common = _most_common([tree for trees in cases.values() for tree in trees.values()])
    for name, trees in cases.items():
        rest = {host: _without(tree, common) for host, tree in trees.items()}
        # The nearer folder would hide what is common from those hosts of the case that have it.
        visible = {path for host, tree in trees.items() for path in tree if path not in rest[host]}
        alike = {path: text for path, text in _most_common(list(rest.values())).items() if path not in visible}
        for host, tree in rest.items():
            for path, text in tree.items():
                files[places(name, host, path)[1 if alike.get(path) == text else 0]] = text
    return files | {CASES / ALL / path: text for path, text in common.items()}


def _most_common(trees: list[Tree]) -> Tree:
    """Return what most have of each file that is on several of them."""
    texts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for tree in trees:
        for path, text in tree.items():
            texts[path][text] += 1
    best = {path: max(counts.items(), key=lambda found: (found[1], found[0])) for path, counts in texts.items()}
    return {path: text for path, (text, count) in best.items() if count > 1 and path != INDEX}


def _without(tree: Tree, common: Tree) -> Tree:
    return {path: text for path, text in tree.items() if common.get(path) != text}


def dump(data: t.Any) -> str:
    """Return YAML that reads well and differs in as few lines as possible where the data differs."""
    text: str = yaml.safe_dump(data, explicit_start=True, default_flow_style=None, sort_keys=False, width=120)
    return text


def _tree(host: Host) -> Tree:
    """Return the files of a host by relative path, what it has at the end of the run."""
    calls: list[tuple[str, dict[str, t.Any]]] = []
    files: Tree = {}
    for module, args in host.calls:
        if module == MODULES + "config_set":
            calls = [call for call in calls if (call[0], call[1].get("name")) != (module, args["name"])]
            contents = {file["path"]: file["content"] for file in args["files"] if "content" in file}
            files |= {
                path.lstrip("/"): content.replace(args["generation"], GENERATION) for path, content in contents.items()
            }
        calls.append((module, args))
    index = {
        "debian": host.debian,
        "modules": [{module: _listed({key: args[key] for key in args if key != "run"})} for module, args in calls],
    }
    return {**files, INDEX: dump(index | ({"error": host.error} if host.error else {}))}


def _listed(value: t.Any) -> t.Any:
    """Return arguments as the index shows them: sorted, without contents, and without what is empty."""
    if isinstance(value, dict):
        hidden = ("content", "where", "generation")
        return {
            key: _listed(value[key])
            for key in sorted(value)
            if key not in hidden and value[key] not in (None, "", [], {})
        }
    return [_listed(member) for member in value] if isinstance(value, list) else value
