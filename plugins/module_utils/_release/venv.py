# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The venv of a release, and what is installed there."""

from __future__ import annotations

import shlex
import typing as t

from .plan import Plan
from .release import Interpreter
from .steps import Steps, quoted, without_login

REQUIREMENTS = ".pyhost-requirements.txt"


async def make(steps: Steps, plan: Plan) -> None:
    """Make the venv, with what the back end and the application need."""
    python = shlex.quote(t.cast(Interpreter, plan.interpreter).path)
    venv = steps.folder(plan) / "venv"
    uv = steps.uv() if steps.installer in ("auto", "uv") else None
    if not uv and steps.installer == "uv":
        own = steps.layout.scratch(plan.app.name) / "uv"
        uv = f"{own}/bin/uv"
        await steps.do(
            plan,
            "venv (uv itself)",
            f"[ -x {uv} ] || {{ {python} -m venv --clear {own} && {own}/bin/pip install --no-input --quiet uv; }}",
        )
    install = f"{venv}/bin/python -m pip install --no-input --progress-bar off"
    # pip is most of the time and the space that a venv takes, and nobody needs it who installs nothing.
    is_empty = plan.app.requirements == [] and not plan.app.server_requirements
    command = f"exec {python} -m venv {'--without-pip ' if is_empty else ''}{venv}"
    if uv:
        install = f"{uv} pip install --no-progress --python {venv}/bin/python"
        command = f"exec {uv} venv --quiet --allow-existing --python {python} {venv}"
    await steps.do(plan, "venv", command)
    if plan.app.server_requirements:
        lines = quoted(map(without_login, plan.app.server_requirements))
        await steps.do(plan, "server_requirements", f"exec {install} {lines}")
    await steps.do(plan, "requirements", _requirements(plan.app.requirements, install))


def _requirements(lines: list[str] | None, install: str) -> str:
    """Script that installs what the list names, or what the source itself asks for."""
    if lines is None:
        return (
            f"if [ -e requirements.txt ]; then exec {install} -r requirements.txt; fi\n"
            f"if [ -e pyproject.toml ] || [ -e setup.py ]; then exec {install} .; fi"
        )
    if not lines:
        return ":"
    # In the code folder, because pip looks for what a line names beside the file with the line.
    return f"printf '%s\\n' {quoted(map(without_login, lines))} >{REQUIREMENTS}\nexec {install} -r {REQUIREMENTS}"
