"""Golden cases: inventories, and all that their hosts get from the playbook, as files that a review can compare.

``NAME/inventory.yml`` is what a user writes. ``NAME/expected/HOST/`` has each file of that host at its path, and
``index.yml``: what all modules are given, without the contents. A file that is the same on all hosts that have it, where
these are several, is in ``NAME/expected/all/`` instead.
"""

from __future__ import annotations

import shutil
import typing as t
from collections import defaultdict
from pathlib import Path

import ansible_collections.pyhost.web.plugins.plugin_utils as plugin_utils
import yaml
from ansible_collections.pyhost.web.plugins.plugin_utils._catalog import BACK_ENDS, FRONT_ENDS, protocols

from tests.golden.dry_run import Host, play

CASES = Path(__file__).parent
COLLECTION = Path(next(iter(plugin_utils.__path__))).parents[1]
ALL, INDEX = "all", "index.yml"
MODULES = "pyhost.web."

# In the place of the digest of all files, which would be another one with each change of any of them.
GENERATION = "GENERATION"

# An inventory may name another playbook than site, by this variable of the group all.
PLAYBOOK = "golden_playbook"

# Application of the inventories that are made from the catalog.
APP = {"domains": ["shop.example.org"], "wsgi": "shop:application", "requirements": ["shop"]}

Tree = dict[str, str]


def names() -> list[str]:
    """Return all cases, those that the catalog demands among them."""
    return sorted({path.parent.name for path in CASES.glob("*/inventory.yml")} | inventories().keys())


def inventories() -> dict[str, t.Any]:
    """Return an inventory for each front end: a host for each back end and protocol that it can publish."""
    return {
        f"pairs-{front_end}": {
            "all": {
                "vars": {"pyhost_frontend": front_end, "pyhost_apps": {"shop": APP}},
                "hosts": {
                    f"{back_end}-{protocol}": {"pyhost_app_defaults": {"backend": back_end, "protocol": protocol}}
                    for back_end in BACK_ENDS
                    for protocol in protocols(front_end, back_end)
                },
            }
        }
        for front_end in FRONT_ENDS
    }


def produced(name: str) -> Tree:
    """Return the text of all files below ``expected`` of a case, by path, as the code of today makes them."""
    inventory = CASES / name / "inventory.yml"
    variables = yaml.safe_load(inventory.read_text())["all"].get("vars", {})
    hosts = play(COLLECTION / "playbooks" / variables.get(PLAYBOOK, "site.yml"), inventory)
    trees = {host: _tree(outcome) for host, outcome in hosts.items()}
    same: defaultdict[str, list[str]] = defaultdict(list)
    for tree in trees.values():
        for path, text in tree.items():
            same[path].append(text)
    shared = {path for path, texts in same.items() if len(texts) > 1 and len(set(texts)) == 1}
    return {
        f"{ALL if path in shared else host}/{path}": text
        for host, tree in sorted(trees.items())
        for path, text in tree.items()
    }


def expected(name: str) -> Tree:
    """Return the text of all files below ``expected`` of a case, by path."""
    root = CASES / name / "expected"
    return {str(path.relative_to(root)): path.read_text() for path in sorted(root.rglob("*")) if path.is_file()}


def write() -> None:
    """Make the inventories of the catalog, and what all cases expect, from the code of today."""
    for name, inventory in inventories().items():
        (CASES / name).mkdir(exist_ok=True)
        (CASES / name / "inventory.yml").write_text(dump(inventory))
    for name in names():
        root = CASES / name / "expected"
        shutil.rmtree(root, ignore_errors=True)
        for path, text in produced(name).items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)


def host_files(name: str) -> dict[str, Tree]:
    """Return what each host of a case is expected to have, by absolute path."""
    trees: dict[str, Tree] = {}
    files = expected(name)
    for path, text in files.items():
        host, _slash, inside = path.partition("/")
        if host != ALL and inside == INDEX:
            listed = (call[MODULES + "config_set"] for call in yaml.safe_load(text) if MODULES + "config_set" in call)
            paths = [file["path"] for call in listed for file in call.get("files", [])]
            found = {path: files.get(f"{host}{path}", files.get(f"{ALL}{path}")) for path in paths}
            trees[host] = {path: content for path, content in found.items() if content is not None}
    return trees


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
    index = [{module: _listed(args)} for module, args in calls]
    return {**files, INDEX: dump(index + ([{"error": host.error}] if host.error else []))}


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
