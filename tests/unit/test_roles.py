"""What all roles and the playbook owe: one row of the table and one folder each, no loops over applications."""

from __future__ import annotations

import typing as t
from pathlib import Path

import ansible_collections.pyhost.web.plugins.plugin_utils as plugin_utils
import pytest
import yaml
from ansible_collections.pyhost.web.plugins.plugin_utils._catalog import BACK_ENDS, FRONT_ENDS
from ansible_collections.pyhost.web.plugins.plugin_utils._schema import ROLES

ROOT = Path(next(iter(plugin_utils.__path__))).parents[1]
TASKS = sorted(ROOT.glob("roles/*/tasks/*.yml"))


def _tasks(path: Path) -> list[dict[str, t.Any]]:
    tasks: list[dict[str, t.Any]] = yaml.safe_load(path.read_text())
    return tasks


def _site() -> list[dict[str, t.Any]]:
    plays = yaml.safe_load((ROOT / "playbooks" / "site.yml").read_text())
    return [task for play in plays for task in play["tasks"]]


def test_every_row_of_the_table_has_its_role_and_every_role_its_row() -> None:
    rows = {f"frontend_{name}" for name in FRONT_ENDS} | {f"backend_{name}" for name in BACK_ENDS} | {"app"}
    assert rows == {path.name for path in (ROOT / "roles").iterdir()} == set(ROLES)


def test_the_playbook_runs_every_role() -> None:
    imported = {
        task["ansible.builtin.import_role"]["name"] for task in _site() if "ansible.builtin.import_role" in task
    }
    assert imported == {f"pyhost.web.{role}" for role in ROLES}


def test_presets_are_the_site_with_another_pair_of_words() -> None:
    presets = {path.stem: yaml.safe_load(path.read_text()) for path in (ROOT / "playbooks").glob("*.yml")}
    for other in ("site", "status"):
        presets.pop(other)
    assert set(presets) >= {"uwsgi", "fastcgi_flup", "scgi_flup", "proxy_mod_wsgi", "apache_mod_wsgi"}
    for (play,) in presets.values():
        assert play["ansible.builtin.import_playbook"] == "site.yml"
        preset = play["vars"]["__pyhost_preset"]
        serves = BACK_ENDS[preset["backend"]].serves
        assert preset.get("protocol", serves[0]) in serves


@pytest.mark.parametrize("path", TASKS, ids=lambda path: f"{path.parent.parent.name}/{path.name}")
def test_tasks_are_few_and_loop_over_nothing(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 40
    for task in _tasks(path):
        assert not [key for key in task if key == "loop" or key.startswith("with_")], task["name"]


def test_every_front_end_replaces_all_others() -> None:
    for name in FRONT_ENDS:
        role = f"frontend_{name}"
        (variable,) = (key for key in ROLES[role].variables if key.name == f"{role}_replaces")
        assert {role, *variable.default} == {f"frontend_{other}" for other in FRONT_ENDS}
        (sites,) = (task["pyhost.web.config_set"] for path in TASKS if role in path.parts for task in _tasks(path)[1:])
        assert (sites["name"], sites["replaces"]) == (role, f"{{{{ {variable.name} }}}}")


def test_siblings_have_the_same_shape() -> None:
    servers = [path for path in TASKS if path.parent.parent.name != "app"]
    shapes = {path: [key for task in _tasks(path) for key in task if "." in key] for path in servers}
    for path, modules in shapes.items():
        # What no distribution has comes from wherever the user has it.
        installs = "installation" if path.parent.parent.name == "frontend_cherokee" else "packages"
        assert modules == [f"pyhost.web.{installs}", "pyhost.web.config_set"], path
