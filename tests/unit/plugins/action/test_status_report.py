# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The action prints and writes; what it tells has tests of its own."""

from __future__ import annotations

import json
import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml

APP = {"wsgi": "m:a", "requirements": ["x"], "domains": ["a.example"], "env": {"KEY": "hunter2"}}
INVENTORY = {"all": {"hosts": {"one": {"ansible_connection": "local"}}, "vars": {"pyhost_apps": {"shop": APP}}}}
RESULT = {
    "applications": {
        "shop": {
            "release": "aaaa",
            "since": "2026-01-01T00:00:00Z",
            "next": "aaaa",
            "releases": 1,
            "backend": "uwsgi",
            "protocol": "uwsgi",
            "unit": "pyhost-shop.service",
            "state": "failed",
            "processes": 0,
            "memory": None,
            "restarts": 5,
        }
    },
    "front_ends": {"nginx": {"unit": "nginx.service", "state": "running", "version": "1.0-1"}},
    "health": {"shop": {"status": 200, "seconds": 0.01, "error": ""}},
    "orphans": [],
    "interrupted": [],
}
PROBLEM = "one: shop: pyhost-shop.service is failed. `journalctl --unit pyhost-shop.service` on the host shows why."


def _tell(folder: Path, *options: str, **arguments: t.Any) -> tuple[int, str]:
    (folder / "inventory.yml").write_text(yaml.safe_dump(INVENTORY))
    task = {"hosts": "{{ model.hosts }}", "results": {"one": RESULT}, **arguments}
    play = {
        "hosts": "all",
        "gather_facts": False,
        "tasks": [
            {"pyhost.web.resolve": {}, "register": "model"},
            {"pyhost.web.status_report": task, "register": "told"},
            {"debug": {"msg": "healthy is {{ told.healthy }}"}},
        ],
    }
    (folder / "play.yml").write_text(yaml.safe_dump([play]))
    command = ["ansible-playbook", "--inventory", "inventory.yml", "-vvv", *options, "play.yml"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert "hunter2" not in run.stdout + run.stderr
    return run.returncode, run.stdout


def test_a_table_is_printed(tmp_path: Path) -> None:
    code, output = _tell(tmp_path)
    assert code == 0, output
    (row,) = (line for line in output.splitlines() if line.startswith("!"))
    assert row.split()[:5] == ["!", "one", "shop", "uwsgi", "failed"]
    assert f"\n- {PROBLEM}\n" in output
    assert "healthy is False" in output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["inventory.yml", "play.yml"]


@pytest.mark.parametrize(("given", "name"), [({}, "pyhost-status.html"), ({"file": "x.html"}, "x.html")])
def test_a_page_is_written(tmp_path: Path, given: dict[str, str], name: str) -> None:
    code, output = _tell(tmp_path, format="html", **given)
    assert code == 0, output
    assert f"The status is in {tmp_path / name}\n" in output
    assert (tmp_path / name).read_text().startswith("<!DOCTYPE html>")


def test_strictly_it_fails_after_all_is_told(tmp_path: Path) -> None:
    code, output = _tell(tmp_path, format="json", file="status.json", strict=True)
    assert code != 0
    assert f"1 problem:\\n- {PROBLEM}" in output or f"1 problem:\n- {PROBLEM}" in output
    assert json.loads((tmp_path / "status.json").read_text())["problems"] == [PROBLEM]


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    code, output = _tell(tmp_path, "--check", format="html")
    assert code == 0, output
    assert not list(tmp_path.glob("*.html"))


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    code, output = _tell(tmp_path, format="html", file="nowhere/x.html")
    assert code != 0
    assert f"{tmp_path}/nowhere/x.html cannot be written: No such file or directory" in output


ANSWER = {"status": None, "seconds": 0.1, "error": "\x1b]0;title\x07 \x9b31m \u202egnp"}
HOSTILE = {**RESULT, "health": {"shop": ANSWER}}


@pytest.mark.parametrize("form", ["table", "json", "html"])
def test_what_an_application_says_does_not_steer_the_terminal(tmp_path: Path, form: str) -> None:
    code, output = _tell(tmp_path, results={"one": HOSTILE}, format=form, file=f"told.{form}", strict=True)
    assert code != 0
    for text in (output, (tmp_path / f"told.{form}").read_text(encoding="utf-8")):
        assert "gnp" in text
        assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(text)


def test_a_failed_host_of_many_words_is_told_in_few(tmp_path: Path) -> None:
    code, _output = _tell(tmp_path, results={"one": {"failed": True, "msg": "x" * 10**6}}, format="html")
    assert code == 0
    assert (tmp_path / "pyhost-status.html").stat().st_size < 400_000
