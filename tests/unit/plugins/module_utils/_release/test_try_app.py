"""What a new release must do before it is complete: be importable, and answer at a socket."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.pyhost.web.plugins.module_utils._release import try_app

APP = """
import threading, time
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
def slow(e, s):
    s("200 OK", [])
    yield b"x"
    time.sleep(60)
def hangs(e, s):
    print("before", flush=True)
    time.sleep(60)
def chatty(e, s): s("200 OK", [("Connection", "close")]); return [b"x"]
thread = threading.get_ident()
def same(e, s): s("200 OK" if threading.get_ident() == thread else "500 No", []); return [b"x"]
def mounted(e, s):
    ways = [e[key] for key in ("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "HTTP_HOST", "SERVER_NAME", "REMOTE_ADDR")]
    s("200 OK" if ways == ["/sub", "/up", "", "a.example", "a.example", "127.0.0.1"] else f"500 {ways}", [])
    return [b"x"]
text = "no callable"
class Inner:
    @staticmethod
    def call(e, s): s("204 No Content", []); return []
"""


def _try(folder: Path, wsgi: str, **health: object) -> tuple[int, str]:
    (folder / "app.py").write_text(APP)
    asked = json.dumps({"path": "/up", "mount": "", "host": "a.example", "status": None, "timeout": 10, **health})
    command = [sys.executable, str(try_app.__file__), wsgi, asked]
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
        ("app:chatty", {}),
        ("app:same", {}),
        ("app:mounted", {"mount": "/sub"}),
        ("app:Inner.call", {"status": [200, 204]}),
    ],
)
def test_healthy(tmp_path: Path, wsgi: str, health: dict[str, object]) -> None:
    assert _try(tmp_path, wsgi, **health) == (0, "")


@pytest.mark.parametrize(
    ("wsgi", "health", "words"),
    [
        ("app:broken", {}, "health: GET /up answers '500 Internal Server Error', but the status must be below 500"),
        ("app:missing", {"status": [200, 301]}, "'404 Not Found', which is not in health.status (200, 301)"),
        ("app:raises", {}, "RuntimeError: in the request"),
        ("app:silent", {}, "answers '500 Internal Server Error'"),
        # With the line in which it hangs.
        ("app:hangs", {"timeout": 1}, "in hangs"),
        ("app:none", {}, "has no 'none'"),
        ("app:text", {}, "app:text is not a callable, but of type str"),
        ("none:app", {}, "No module named 'none'"),
    ],
)
def test_not_healthy(tmp_path: Path, wsgi: str, health: dict[str, object], words: str) -> None:
    status, said = _try(tmp_path, wsgi, **health)
    assert status != 0
    assert words in said


def test_a_body_that_goes_on_and_on_is_not_waited_for(tmp_path: Path) -> None:
    assert _try(tmp_path, "app:slow") == (0, "")
