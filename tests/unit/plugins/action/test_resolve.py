"""The action reads what users write, templates included; the resolver itself has tests of its own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import yaml
from ansible_collections.pyhost.web.plugins.modules import resolve as module
from ansible_collections.pyhost.web.plugins.plugin_utils._model.inventory import RUNS

HERE = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}


def _resolve(folder: Path, inventory: object) -> tuple[int, str]:
    (folder / "inventory.yml").write_text(yaml.safe_dump(inventory, sort_keys=False))
    play = {
        "hosts": "all",
        "gather_facts": False,
        "tasks": [
            {"pyhost.web.resolve": {"preset": {"processes": 7, "threads": 7}}, "run_once": True, "register": "model"},
            {"copy": {"content": "{{ model.hosts | to_json }}", "dest": str(folder / "model.json")}, "run_once": True},
        ],
    }
    (folder / "play.yml").write_text(yaml.safe_dump([play]))
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
    inventory = {"all": {"hosts": {"one": {}, "two": {}}, "vars": {**HERE, "pyhost_apps": apps}}}
    code, output = _resolve(tmp_path, inventory)
    assert code != 0
    assert not (tmp_path / "model.json").exists()
    told = [line[2:] for line in output.splitlines() if line.startswith("- ")]
    assert len(told) == 4, output
    assert told[0].startswith("pyhost_apps.shop.wsgi: has no value: 'nowhere' is undefined")
    assert told[1].startswith("pyhost_apps.blog.requirements[1]: has no value: 'vault' is undefined")
    assert told[2].startswith("pyhost_apps.blog.domians: there is no such key; did you mean 'domains'?")
    assert told[3].startswith("pyhost_apps.blog.domains: is missing")


def test_the_documentation_knows_every_run() -> None:
    assert yaml.safe_load(module.DOCUMENTATION)["options"]["run"]["choices"] == list(RUNS)
