# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The interpreters of the host that applications name."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from pathlib import Path

from .plan import Plan
from .release import App, Interpreter
from .step import PATH, Step
from .steps import Steps, quoted

PYTHONS = ("/usr/local/bin", "/usr/bin")

_PROBE = """
import importlib.util, json, sys
has = all(importlib.util.find_spec(name) for name in ("venv", "ensurepip"))
print(json.dumps(["%d.%d" % sys.version_info[:2], has]))
"""


class Interpreters:
    """Finds interpreters, and asks each of them once, whatever number of applications names it."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._probes: dict[str, asyncio.Task[Interpreter | str]] = {}

    async def find(self, plan: Plan, found: list[str]) -> Interpreter | None:
        """Return the interpreter that the application names; None, with a problem, where it cannot be used."""
        wanted = plan.app.python
        path = shutil.which(wanted, path=PATH) if "/" not in wanted or wanted.startswith("/") else None
        if not path:
            others = {file.name for folder in PYTHONS for file in Path(folder).glob("python3.*[0-9]")}
            choice = f", or choose one of: {', '.join(sorted(others))}" if others else "."
            plan.lacking.append(f"python: this host has no interpreter '{wanted}'. Install it{choice}")
            return None
        if path not in self._probes:
            self._probes[path] = asyncio.create_task(self._probe(plan.app, path))
        probed = await self._probes[path]
        if isinstance(probed, str):
            found.append(f"python: '{wanted}' does not run: {probed}")
            return None
        return probed

    async def _probe(self, app: App, path: str) -> Interpreter | str:
        command = f"exec {quoted([path, '-I', '-c', _PROBE])}"
        outcome = await self._steps.runner.run(Step(app.name, "python", self._steps.some_user(app), command, limit=60))
        try:
            version, has_venv = json.loads(outcome.out)
        except ValueError:
            return outcome.said or f"status {outcome.status}"
        return Interpreter(os.path.realpath(path), version, has_venv)
