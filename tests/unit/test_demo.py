# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""`make demo-down` removes one container, and leaves an engine that others use alone."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]


@pytest.mark.parametrize("others", ["", "0123456789ab"])
@pytest.mark.parametrize("name", [None, "mine"])
def test_demo_down(tmp_path: Path, name: str | None, others: str) -> None:
    log = tmp_path / "log"
    for program, output in (("docker", others), ("engine", "")):
        script = f'#!/bin/sh\necho {program} "$@" >>{log}\necho "{output}"\n'
        (tmp_path / program).write_text(script, encoding="utf-8")
        (tmp_path / program).chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", **({"PYHOST_DEMO_NAME": name} if name else {})}
    command = ["make", "--directory", str(CHECKOUT), "demo-down", f"engine={tmp_path}/engine"]
    subprocess.run(command, env=env, check=True, capture_output=True)
    done = log.read_text(encoding="utf-8").splitlines()
    assert done[:2] == [f"docker rm --force {name or 'pyhost-demo'}", "docker ps --quiet"]
    assert done[2:] == ([] if others else ["engine stop"])
