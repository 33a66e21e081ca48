"""What the playbook status tells of real applications, of one that is down, and of what was left."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
from testinfra.host import Host

from tests.support.playbook import run
from tests.support.visitor import scenario_hosts

testinfra_hosts = scenario_hosts()


def _run(host: Host, **variables: t.Any) -> tuple[int, str]:
    return run(host, playbook="pyhost.web.status", **variables)


@pytest.fixture
def trouble(host: Host) -> Iterator[None]:
    """An application that is down, and the folder of one that nobody knows."""
    host.check_output("systemctl stop pyhost-hello.socket pyhost-hello.service && mkdir -p /srv/pyhost/forgotten")
    yield
    host.check_output("systemctl start pyhost-hello.socket pyhost-hello.service && rmdir /srv/pyhost/forgotten")


def test_all_is_well(host: Host, tmp_path: Path) -> None:
    file = tmp_path / "status.json"
    code, output = _run(host, pyhost_status_format="json", pyhost_status_file=str(file), pyhost_status_strict=True)
    assert code == 0, output
    assert "changed=0" in output
    told = json.loads(file.read_text())
    assert (told["healthy"], told["problems"], told["orphans"]) == (True, [], [])
    (found,) = told["hosts"].values()
    (front_end,) = found["front_ends"]
    assert (front_end["name"], front_end["state"]) == ("nginx", "running")
    assert front_end["version"] == host.check_output("dpkg-query --show --showformat='${Version}' nginx")
    assert [app["name"] for app in found["applications"]] == ["django", "hello", "hello-mounted", "httpbin"]
    for app in found["applications"]:
        name = app["name"]
        assert app["release"] == host.check_output("basename $(readlink /srv/pyhost/%s/current)", name)
        # The master and its two workers.
        assert (app["backend"], app["state"], app["processes"]) == ("uwsgi", "running", 3)
        assert app["memory"] > 2**20
        assert [answer["status"] < 400 for answer in app["answers"]] == [True]


def test_trouble_is_told(host: Host, trouble: None) -> None:
    code, output = _run(host)
    assert code == 0, output
    (row,) = (line for line in output.splitlines() if line.startswith("!"))
    assert row.split()[2:5] == ["hello", "uwsgi", "inactive"]
    assert f"- {host.backend.hostname}: forgotten: /srv/pyhost/forgotten\n" in output
    code, output = _run(host, pyhost_status_strict=True)
    assert code != 0
    assert "hello: pyhost-hello.service is inactive" in output


def test_the_page(host: Host, tmp_path: Path) -> None:
    file = tmp_path / "status.html"
    code, output = _run(host, pyhost_status_format="html", pyhost_status_file=str(file))
    assert code == 0, output
    assert "http://httpbin.example/hello" in file.read_text()
