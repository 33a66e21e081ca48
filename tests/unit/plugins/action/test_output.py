"""What Ansible prints of the collection's tasks, with the configuration that a new user has."""

from __future__ import annotations

import os
import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml


def _play(folder: Path, tasks: list[dict[str, t.Any]], **variables: t.Any) -> str:
    inventory = {"all": {"hosts": {"web1": {"ansible_connection": "local"}}, "vars": variables}}
    (folder / "inventory.yml").write_text(yaml.safe_dump(inventory))
    (folder / "play.yml").write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    collections = os.environ["ANSIBLE_COLLECTIONS_PATH"]
    return subprocess.run(
        ["ansible-playbook", "--inventory", "inventory.yml", "play.yml"],
        cwd=folder, env={**kept, "ANSIBLE_COLLECTIONS_PATH": collections}, text=True, check=False, timeout=120,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ).stdout  # fmt: skip


def test_each_failure_is_printed_once(tmp_path: Path) -> None:
    output = _play(tmp_path, [{"pyhost.web.resolve": {}}], pyhost_apps={"shop": {"bakend": "flup"}})
    assert output.count("- pyhost_apps.shop.bakend: ") == 1
    assert output.count("FAILED! => ") == 1


def test_a_host_that_fails_prints_nothing_else(tmp_path: Path) -> None:
    """Who runs the tests is not root, or no package has such a name."""
    output = _play(tmp_path, [{"pyhost.web.packages": {"name": ["No Such\nPackage"]}}])
    assert output.count("FAILED! => ") == 1
    assert "[WARNING]" not in output and "seconds" not in output


@pytest.mark.parametrize(
    "task",
    [
        {"pyhost.web.packages": {"name": ["nginx"], "needed": False}},
        {"pyhost.web.releases": {"needed": False}},
        {"pyhost.web.certificates": {"state": "issued", "needed": False}},
        {"pyhost.web.config_set": {"name": "x", "needed": "{{ [] | length > 0 }}"}},
    ],
    ids=lambda task: next(iter(task)).rpartition(".")[2],
)
def test_a_task_that_is_not_needed_ends_on_the_controller(task: dict[str, t.Any], tmp_path: Path) -> None:
    output = _play(tmp_path, [task], ansible_python_interpreter="/nonexistent")
    assert "\nok: [web1]\n" in output
    assert "skipping" not in output
