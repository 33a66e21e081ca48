"""What a new release must do before it is complete: be importable, and answer."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.pyhost.web.plugins.module_utils import _try_app

APP = """
import time
def ok(e, s):
    s("200 OK", [])
    return [repr((e["SCRIPT_NAME"], e["PATH_INFO"], e["HTTP_HOST"])).encode()]
def missing(e, s): s("404 Not Found", []); return []
def broken(e, s): s("500 Internal Server Error", []); return []
def raises(e, s): raise RuntimeError("in the request")
def silent(e, s): return []
def endless(e, s):
    s("200 OK", [])
    while True:
        yield b"x"
text = "no callable"
class Inner:
    @staticmethod
    def call(e, s): s("204 No Content", []); return []
"""


def _try(folder: Path, wsgi: str, **health: object) -> tuple[int, str]:
    (folder / "app.py").write_text(APP)
    asked = json.dumps({"path": "/up", "mount": "", "host": "a.example", "status": None, **health})
    command = [sys.executable, str(_try_app.__file__), wsgi, asked]
    environ = {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=environ, timeout=20)
    return run.returncode, run.stderr


@pytest.mark.parametrize(
    ("wsgi", "health"),
    [
        ("app:ok", {}),
        ("app:missing", {}),
        ("app:missing", {"status": [404]}),
        ("app:endless", {}),
        ("app:Inner.call", {"status": [200, 204]}),
    ],
)
def test_healthy(tmp_path: Path, wsgi: str, health: dict[str, object]) -> None:
    assert _try(tmp_path, wsgi, **health) == (0, "")


@pytest.mark.parametrize(
    ("wsgi", "health", "words"),
    [
        ("app:broken", {}, "health: GET /up answers '500 Internal Server Error'; it must be below 500"),
        ("app:missing", {"status": [200, 301]}, "'404 Not Found', which is none of health.status (200, 301)"),
        ("app:raises", {}, "RuntimeError: in the request"),
        ("app:silent", {}, "answers 'nothing'"),
        ("app:none", {}, "has no 'none'"),
        ("app:text", {}, "is of type str, which cannot be called"),
        ("none:app", {}, "No module named 'none'"),
    ],
)
def test_not_healthy(tmp_path: Path, wsgi: str, health: dict[str, object], words: str) -> None:
    status, said = _try(tmp_path, wsgi, **health)
    assert status != 0
    assert words in said
