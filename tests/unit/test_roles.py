"""What all roles and the playbook owe: one row of the table and one folder each, no loops over applications."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import ansible_collections.pyhost.web.plugins.plugin_utils as plugin_utils
import pytest
import yaml
from ansible_collections.pyhost.web.plugins.module_utils._catalog import BACK_ENDS, FRONT_ENDS
from ansible_collections.pyhost.web.plugins.plugin_utils._items.roles import ROLES
from ansible_collections.pyhost.web.plugins.plugin_utils._model.inventory import RUNS
from ansible_collections.pyhost.web.plugins.plugin_utils._report.summary import PHASES

ROOT = Path(next(iter(plugin_utils.__path__))).parents[1]
WITH_TLS = [f"frontend_{name}" for name, row in FRONT_ENDS.items() if row.tls]
WITHOUT_PACKAGE = [f"frontend_{name}" for name, row in FRONT_ENDS.items() if not row.package]
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


def test_the_playbook_runs_the_role_app_and_what_is_generated() -> None:
    roles = [task["ansible.builtin.import_role"] for task in _site() if "ansible.builtin.import_role" in task]
    assert [role["name"] for role in roles] == ["pyhost.web.app"] * 2
    included = [task["ansible.builtin.import_tasks"] for task in _site() if "ansible.builtin.import_tasks" in task]
    assert included == ["tasks/guard.yml", "tasks/backends.yml", "tasks/frontends.yml", "tasks/summary.yml"]


@pytest.mark.parametrize("name", ["backends", "frontends", "switch"])
def test_every_server_gets_its_variables(name: str) -> None:
    (block,) = _tasks(ROOT / "playbooks" / "tasks" / f"{name}.yml")
    given = {variable for variable in block["vars"] if not variable.startswith("__")}
    servers = [f"frontend_{row}_sites" for row in FRONT_ENDS]
    if name != "frontends":
        servers = [f"backend_{row}_apps" for row in BACK_ENDS]
    assert given >= set(servers)
    assert given <= {key.name for role in ROLES.values() for key in role.variables}


def test_the_recommended_topologies_are_presets() -> None:
    presets = {path.stem: yaml.safe_load(path.read_text()) for path in (ROOT / "playbooks").glob("*.yml")}
    for name in RUNS:
        presets.pop(name)
    assert set(presets) >= {"uwsgi", "fastcgi_flup", "scgi_flup", "proxy_mod_wsgi", "apache_mod_wsgi"}
    for (play,) in presets.values():
        assert play["ansible.builtin.import_playbook"] == "site.yml"
        preset = play["vars"]["__pyhost_preset"]
        serves = BACK_ENDS[preset["backend"]].serves
        assert preset.get("protocol", serves[0]) in serves


@pytest.mark.parametrize("path", TASKS, ids=lambda path: f"{path.parent.parent.name}/{path.name}")
def test_tasks_are_few_and_loop_over_nothing(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 45
    for task in _tasks(path):
        assert not [key for key in task if key == "loop" or key.startswith("with_")], task["name"]


@pytest.mark.parametrize("role", ROLES)
def test_the_variables_of_a_role_are_data(role: str) -> None:
    """What is computed is Python; what is left is a table of files, and an expression only names what is in it."""
    text = (ROOT / "roles" / role / "vars" / "main.yml").read_text()
    assert len(text.splitlines()) <= 40
    if role.startswith("frontend_"):
        expressions = [" ".join(found.split()) for found in re.findall(r"\{\{.*?\}\}", text, re.DOTALL)]
        assert expressions[0].startswith(f"{{{{ __{role}_settings | pyhost.web.front_end('{role}', ")
        assert [
            found for found in expressions[1:] if not re.fullmatch(rf"\{{\{{ __{role}_role\.\w+ \}}\}}", found)
        ] == []


def test_every_front_end_replaces_what_its_variable_says() -> None:
    for name in FRONT_ENDS:
        role = f"frontend_{name}"
        tasks = (task for path in TASKS if role in path.parts for task in _tasks(path))
        (sites,) = (task["pyhost.web.config_set"] for task in tasks if "pyhost.web.config_set" in task)
        assert (sites["name"], sites["replaces"]) == (role, f"{{{{ __{role}_role.replaces }}}}")


def test_siblings_have_the_same_shape() -> None:
    servers = [path for path in TASKS if path.parent.parent.name != "app" and path.name == "main.yml"]
    shapes = {path: [key for task in _tasks(path) for key in task if "." in key or key == "block"] for path in servers}
    for path, modules in shapes.items():
        role = path.parent.parent.name
        # What no distribution has comes from wherever the user has it.
        installs = "packages" if role not in WITHOUT_PACKAGE else "server_archive"
        rest = ["certificates", "config_set", "block"] if role in WITH_TLS else ["config_set"]
        assert [name.rpartition(".")[2] for name in modules] == [installs, *rest], path


@pytest.mark.parametrize("role", WITH_TLS)
def test_front_ends_have_their_certificates_in_the_same_way(role: str) -> None:
    """What a server has to begin with, the server, what is issued once it answers, and the server again."""
    first, server, issue = _tasks(ROOT / "roles" / role / "tasks" / "main.yml")[1:]
    (issued,), (again,) = issue["block"], issue["always"]
    needed = {"needed": f"{{{{ __{role}_done_certificates.pending }}}}"}
    assert issued["pyhost.web.certificates"] == {**first["pyhost.web.certificates"], "state": "issued", **needed}
    assert again["pyhost.web.config_set"] == {**server["pyhost.web.config_set"], **needed}


@pytest.mark.parametrize("run", ["deploy", "rollback"])
def test_deploy_and_rollback_touch_no_server_and_no_other_application(run: str) -> None:
    """All of their tasks are of the part that builds, of those that switch and sum up, and a look at the inventory."""
    plays = yaml.safe_load((ROOT / "playbooks" / f"{run}.yml").read_text())
    first, *others = (task for play in plays for task in play["tasks"])
    assert first["pyhost.web.resolve"]["run"] == run
    imported = [task.get("ansible.builtin.import_role", {}).get("tasks_from") for task in others]
    assert set(imported) - {None} == {"build" if run == "deploy" else "rollback"}
    included = [task["ansible.builtin.import_tasks"] for task in others if "ansible.builtin.import_tasks" in task]
    assert included == ["tasks/switch.yml", "tasks/summary.yml"]
    assert {key for task in others for key in task if "." in key} <= {
        "ansible.builtin.import_role", "ansible.builtin.import_tasks", "ansible.builtin.group_by",
    }  # fmt: skip


def test_every_task_registers_what_it_did() -> None:
    """By the role and the phase, as the summary finds it."""
    (retires,) = (task for task in _site() if "pyhost.web.config_set" in task)
    assert retires["register"] == "__pyhost_done_removal"
    for path in TASKS:
        for task in (part for one in _tasks(path) for part in (*one.get("block", [one]), *one.get("always", []))):
            if "ansible.builtin.import_tasks" not in task:
                role, phase = task["register"].removeprefix("__").split("_done_")
                assert role == path.parent.parent.name
                assert phase in PHASES


def test_the_summary_has_every_result_by_its_name() -> None:
    look, _tell = _tasks(ROOT / "playbooks" / "tasks" / "summary.yml")
    done = look["pyhost.web.status"]["done"]
    assert done == {name: f"{{{{ {name} | default({{}}) }}}}" for name in done}
    registered = {
        found
        for path in [*TASKS, *(ROOT / "playbooks").rglob("*.yml")]
        for found in re.findall(r"register: (\w+_done_\w+)", path.read_text())
    }
    assert registered == set(done)


@pytest.mark.parametrize("folder", ["roles", "playbooks"])
def test_no_variable_is_found_by_a_computed_name(folder: str) -> None:
    texts = {path: path.read_text() for path in (ROOT / folder).rglob("*.yml")}
    assert [path for path, text in texts.items() if re.search("varnames|['\"]vars['\"]|set_fact", text)] == []


@pytest.mark.parametrize("name", BACK_ENDS)
def test_what_switches_is_next_and_nothing_else_is(name: str) -> None:
    files = yaml.safe_load((ROOT / "roles" / f"backend_{name}" / "vars" / "main.yml").read_text())
    assert [file["follow"] for file in files[f"__backend_{name}_releases"]] == ["{release}/next"]
    assert not [file for file in files[f"__backend_{name}_files"] if "follow" in file]


def test_no_comment_of_a_template_reads_as_the_mark_of_an_application() -> None:
    """The summary and the blame for a mistake find an application by the comment above its lines."""
    marks = [
        (str(path.relative_to(ROOT)), line)
        for folder in ("roles", "playbooks")
        for path in sorted((ROOT / folder).rglob("*.j2"))
        for line in path.read_text().splitlines()
        if re.match(r"\s*[#;/]+ application (?!\{\{ \S+ \}\}$)", line)
    ]
    assert marks == []
