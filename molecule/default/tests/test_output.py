"""What the playbooks print for a new user, with the configuration of Ansible itself and nothing in the environment."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.playbook import PLAIN
from tests.support.visitor import hosts

HOSTS = hosts()
NEW_USER = {
    name: value
    for name, value in PLAIN.items()
    if not name.startswith("ANSIBLE_") or name in ("ANSIBLE_COLLECTIONS_PATH", "ANSIBLE_NOCOLOR", "ANSIBLE_FORCE_COLOR")
}


@pytest.mark.parametrize("playbook", ["site", "deploy", "status"])
def test_a_run_reads_like_a_log(playbook: str, tmp_path: Path) -> None:
    inventory, limit = os.environ["MOLECULE_INVENTORY_FILE"], ",".join(host.backend.hostname for host in HOSTS)
    done = subprocess.run(
        ["ansible-playbook", "--inventory", inventory, "--limit", limit, f"pyhost.web.{playbook}"],
        cwd=tmp_path, env={**NEW_USER, "HOME": str(tmp_path)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, check=False, timeout=600,
    )  # fmt: skip
    output = done.stdout
    assert done.returncode == 0, output
    for noise in ("[WARNING]", "[DEPRECATION", "skipping: ", "[ERROR]"):
        assert noise not in output
    last = output[output.rindex("TASK [") :].partition("]")[0]
    assert last == ("TASK [Show the status" if playbook == "status" else "TASK [Show the summary")
