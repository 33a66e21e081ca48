# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tell what was found on all hosts; see plugins/modules/status_report.py for the documentation."""

from __future__ import annotations

import datetime
import json
import typing as t
from pathlib import Path

from ansible.plugins.action import ActionBase

from ..module_utils._text import LONGEST, clean, counted
from ..plugin_utils._action import Failure
from ..plugin_utils._report.page import page
from ..plugin_utils._report.report import Report, report
from ..plugin_utils._report.summary import summary
from ..plugin_utils._report.table import table

TEMPLATES = Path(__file__).parents[2] / "playbooks" / "templates"

RENDER: dict[str, t.Callable[[Report], str]] = {
    "table": table,
    "json": lambda found: json.dumps(found, indent=2, sort_keys=True) + "\n",
    "html": lambda found: page(found, TEMPLATES),
}
# It tells of what a run did too, of which a report knows nothing.
SUMMARY = "summary"
# A page is for a browser.
FILES = {"html": "pyhost-status.html"}

OPTIONS: dict[str, t.Any] = {
    "hosts": {"type": "dict", "required": True},
    "results": {"type": "dict", "required": True},
    "failed": {"type": "list", "elements": "str", "default": []},
    "format": {"type": "str", "choices": [*RENDER, SUMMARY], "default": "table"},
    "file": {"type": "path"},
    "strict": {"type": "bool", "default": False},
}


class ActionModule(ActionBase):
    """Runs on the controller alone and connects to no host."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    _supports_diff = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Print or write the report; fail with every problem where that is wanted."""
        result = super().run(tmp, task_vars)
        _result, args = self.validate_argument_spec(OPTIONS)
        now = datetime.datetime.now(datetime.UTC)
        # Whatever hosts and their applications said: for a terminal, a page and a message alike.
        results = clean(args["results"], LONGEST)
        found = report(args["hosts"], results, now)
        if args["format"] == SUMMARY:
            text = summary(args["hosts"], results, args["failed"], found, check=self._task.check_mode)
        else:
            text = RENDER[args["format"]](found)
        file = args["file"] or FILES.get(args["format"])
        path = Path(file).absolute() if file else None
        if path is None:
            self._display.display(f"\n{text}")
        elif not self._task.check_mode:
            try:
                path.write_text(text, encoding="utf-8")
            except OSError as problem:
                raise Failure(f"file: {path} cannot be written: {problem.strerror}") from problem
            self._display.display(f"\nThe status is in {path}\n")
        if args["strict"] and found["problems"]:
            raise Failure(
                f"{counted(len(found['problems']), 'problem')}:\n"
                + "\n".join(f"- {problem}" for problem in found["problems"])
            )
        return {
            **result,
            "changed": False,
            "file": str(path) if path else "",
            "healthy": found["healthy"],
            "problems": found["problems"],
        }
