"""What the baselines of dev-sec and CIS ask of a server, as far as its host can tell: see controls.yml."""

from __future__ import annotations

import os
import re
import typing as t
from pathlib import Path

import pytest
import yaml
from testinfra.host import Host

SERVER = os.environ.get("PYHOST_FRONTEND", "nginx")
SETTINGS = {"nginx": "UNIT=nginx CONFIGURATION=/etc/nginx", "apache": "UNIT=apache2 CONFIGURATION=/etc/apache2"}
CONTROLS = yaml.safe_load(Path(__file__).with_name("controls.yml").read_text())["controls"]


@pytest.mark.parametrize("control", [control for control in CONTROLS if SERVER in control], ids=lambda one: one["asks"])
def test_control(host: Host, control: dict[str, t.Any]) -> None:
    check = control[SERVER]
    assert re.fullmatch(check["says"], host.run(f"{SETTINGS[SERVER]}; {check['command']}").stdout.strip())
