"""What the baselines of dev-sec and CIS ask of a server, as far as its host can tell: see controls.yml."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
import yaml
from testinfra.host import Host

from plugins.module_utils._catalog import FRONT_ENDS
from tests.support.visitor import FRONT_END

ROW = FRONT_ENDS[FRONT_END]
SETTINGS = f"UNIT={ROW.unit.removesuffix('.service')} CONFIGURATION={ROW.config}"
CONTROLS = yaml.safe_load(Path(__file__).with_name("controls.yml").read_text())["controls"]


@pytest.mark.parametrize(
    "control", [control for control in CONTROLS if FRONT_END in control], ids=lambda one: one["asks"]
)
def test_control(host: Host, control: dict[str, t.Any]) -> None:
    check = control[FRONT_END]
    assert re.fullmatch(check["says"], host.run(f"{SETTINGS}; {check['command']}").stdout.strip())
