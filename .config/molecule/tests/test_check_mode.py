"""What every scenario must do, beside its own tests."""

from __future__ import annotations

import os
import re
import subprocess

from tests.support.playbook import PLAIN


def test_check_mode_after_the_run_reports_no_change() -> None:
    """Molecule's own check looks at failures only; a dry run on a converged host must also announce nothing."""
    playbook = f"{os.environ['MOLECULE_SCENARIO_DIRECTORY']}/converge.yml"
    command = ["ansible-playbook", "--check", "--diff", "--inventory", os.environ["MOLECULE_INVENTORY_FILE"], playbook]
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=PLAIN)
    changes = re.findall(r"^\S+ +: ok=\d+ +changed=(\d+) +unreachable=0 +failed=0", run.stdout, re.MULTILINE)
    assert changes, run.stdout + run.stderr
    assert set(changes) == {"0"}, run.stdout
