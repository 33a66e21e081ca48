"""The action reads what users write, templates included; the resolver itself has tests of its own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import yaml
from ansible_collections.pyhost.web.plugins.modules import resolve as module
from ansible_collections.pyhost.web.plugins.plugin_utils._model.inventory import RUNS

HERE = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}


def _resolve(folder: Path, inventory: object, *, facts: bool = False) -> tuple[int, str]:
    (folder / "inventory.yml").write_text(yaml.safe_dump(inventory, sort_keys=False))
    play = {
        "hosts": "all",
        "gather_facts": False,
        "tasks": [
            {"pyhost.web.resolve": {"preset": {"processes": 7, "threads": 7}}, "run_once": True, "register": "model"},
            {"copy": {"content": "{{ model.hosts | to_json }}", "dest": str(folder / "model.json")}, "run_once": True},
        ],
    }
    before = {"hosts": "all", "gather_facts": True, "gather_subset": ["!all"], "tasks": []}
    (folder / "play.yml").write_text(yaml.safe_dump([before, play] if facts else [play]))
    command = ["ansible-playbook", "--inventory", "inventory.yml", "-vvv", "play.yml"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    return run.returncode, run.stdout + run.stderr


def test_templates_groups_and_patterns(tmp_path: Path) -> None:
    app = {"wsgi": "m:a", "requirements": ["x"], "domains": ["{{ zone }}"], "processes": "{{ 2 + 1 }}"}
    inventory = {
        "all": {
            "vars": {**HERE, "pyhost_apps": {"shop": {**app, "env": {"KEY": "{{ key }}"}}}},
            "children": {
                "old": {"hosts": {"one": {"zone": "one.example"}}},
                "new": {"hosts": {"two": {"zone": "two.example"}}},
            },
        }
    }
    inventory["all"]["vars"] |= {
        "key": "hunter2",
        "pyhost_apps__new": {"blog": {**app, "path": "/b", "hosts": "new:!old"}},
    }
    code, output = _resolve(tmp_path, inventory)
    assert code == 0, output
    # Registered, but never printed.
    assert "hunter2" not in output
    model = json.loads((tmp_path / "model.json").read_text())
    assert [app["name"] for app in model["one"]["apps"]] == ["shop"]
    assert [app["name"] for app in model["two"]["apps"]] == ["blog", "shop"]
    assert model["one"]["sites"][0]["domains"] == ["one.example"]
    assert model["two"]["backends"]["uwsgi"][1]["processes"] == 3
    # The preset lies under what the inventory says.
    assert model["two"]["backends"]["uwsgi"][1]["threads"] == 7
    assert model["two"]["backends"]["uwsgi"][1]["env"] == {"KEY": "hunter2"}


def test_a_value_that_is_undefined_is_named_beside_all_other_problems(tmp_path: Path) -> None:
    apps = {
        "shop": {"wsgi": "{{ nowhere }}", "requirements": ["x"], "domains": ["a.example"]},
        "blog": {"wsgi": "m:a", "requirements": ["x", "{{ vault }}"], "domians": ["b.example"]},
    }
    shared = {**HERE, "pyhost_apps": apps, "frontend_nginx_sites": "{{ nowhere }}", "frontend_nginx_listen": ["8080"]}
    code, output = _resolve(tmp_path, {"all": {"hosts": {"one": {}, "two": {}}, "vars": shared}})
    assert code != 0
    assert not (tmp_path / "model.json").exists()
    told = [line[2:] for line in output.splitlines() if line.startswith("- ")]
    assert len(told) == 5, output
    assert told[0].startswith(
        "pyhost_apps.shop.wsgi: the template has no value: 'nowhere' is undefined. Define the variables that it uses"
        " in the inventory."
    )
    assert told[1].startswith("pyhost_apps.blog.requirements[1]: the template has no value: 'vault' is undefined")
    assert (
        told[2]
        == "frontend_nginx_sites: this variable has no effect, because the playbooks set it. Set pyhost_apps instead."
    )
    assert told[3].startswith("pyhost_apps.blog.domians: unknown key. Did you mean 'domains'? Valid keys: ")
    assert told[4].startswith("pyhost_apps.blog.domains: a value is required")


def test_what_a_template_leaves_out_is_not_there_and_names_stay_what_yaml_reads(tmp_path: Path) -> None:
    app = {"wsgi": "m:a", "requirements": ["x"], "domains": ["a.example"], "threads": "{{ nowhere | default(omit) }}"}
    inventory = {"all": {"hosts": {"one": {}}, "vars": {**HERE, "pyhost_apps": {"shop": app}}}}
    code, output = _resolve(tmp_path, inventory)
    assert code == 0, output
    assert json.loads((tmp_path / "model.json").read_text())["one"]["backends"]["uwsgi"][0]["threads"] == 7
    # The keys of the second are what YAML makes of `no` and `ON`.
    inventory["all"]["vars"]["pyhost_apps"] = {False: app, "blog": {**app, "env": {True: "x"}}}
    code, output = _resolve(tmp_path, inventory)
    assert code != 0
    told = [line[2:] for line in output.splitlines() if line.startswith("- ")]
    assert told[0].startswith(
        "pyhost_apps.False: the name is a boolean: YAML reads yes, no, on and off without quotes"
    ), output
    assert told[1].startswith("pyhost_apps.blog.env.True: the name is a boolean"), output


def test_a_fact_is_a_value_once_it_is_gathered(tmp_path: Path) -> None:
    facts = ["{{ ansible_python.version.major }}", "{{ ansible_facts['python']['version']['major'] }}"]
    app = {"wsgi": "m:a", "requirements": ["x"], "domains": ["a.example"], "processes": facts[0], "threads": facts[1]}
    inventory = {"all": {"hosts": {"one": {}}, "vars": {**HERE, "pyhost_apps": {"shop": app}}}}
    code, output = _resolve(tmp_path, inventory)
    assert code != 0
    told = [line[2:] for line in output.splitlines() if line.startswith("- ")]
    for key, message in zip(("processes", "threads"), told, strict=True):
        assert message.startswith(f"pyhost_apps.shop.{key}: the template has no value: "), output
        assert "gather facts in a play before the imported playbook, with `gather_facts: true`" in message, output
    code, output = _resolve(tmp_path, inventory, facts=True)
    assert code == 0, output
    (process,) = json.loads((tmp_path / "model.json").read_text())["one"]["backends"]["uwsgi"]
    assert (process["processes"], process["threads"]) == (3, 3)


def test_the_documentation_knows_every_run() -> None:
    assert yaml.safe_load(module.DOCUMENTATION)["options"]["run"]["choices"] == list(RUNS)


def test_files_of_the_controller_are_looked_at_before_any_host(tmp_path: Path) -> None:
    app = {"wsgi": "m:a", "requirements": []}
    (tmp_path / "here").mkdir()
    (tmp_path / "cherokee.tgz").write_text("other than it was")
    apps = {
        "shop": {**app, "domains": ["a.example"], "source": {"path": "./nowhere"}},
        "blog": {**app, "domains": ["b.example"], "source": {"path": "./here"}},
        "wiki": {**app, "domains": ["c.example"], "source": {"archive": "{{ inventory_dir }}/here"}},
    }
    cherokee = {
        "pyhost_frontend": "cherokee",
        "frontend_cherokee_archive": "{{ server }}.tgz",
        "frontend_cherokee_checksum": f"sha256:{'0' * 64}",
    }
    # No address of these hosts can be reached, and none is.
    hosts = {"one": cherokee, "two": {"pyhost_frontend": "nginx", "frontend_cherokee_archive": "{{ undefined }}"}}
    variables = {"ansible_host": "192.0.2.1", "server": "cherokee", "pyhost_apps": apps}
    code, output = _resolve(tmp_path, {"all": {"hosts": hosts, "vars": variables}})
    assert code != 0
    told = sorted(line[2:] for line in output.splitlines() if line.startswith("- "))
    expected = [
        f"frontend_cherokee_archive: {tmp_path}/cherokee.tgz has the checksum sha256:",
        "pyhost_apps.shop.source.path: './nowhere' does not exist on the controller",
        f"pyhost_apps.wiki.source.archive: {tmp_path}/here is a folder. Write the path of a file.",
    ]
    assert [line.startswith(begin) for line, begin in zip(told, expected, strict=True)] == [True] * 3, output
