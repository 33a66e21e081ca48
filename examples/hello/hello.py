"""The smallest WSGI application: it shows what the web server made of the request."""

from __future__ import annotations

import typing as t
from wsgiref.types import StartResponse, WSGIEnvironment

SHOWN = (
    "REQUEST_METHOD",
    "SCRIPT_NAME",
    "PATH_INFO",
    "QUERY_STRING",
    "REMOTE_ADDR",
    "HTTP_HOST",
    "wsgi.url_scheme",
    "wsgi.multiprocess",
    "wsgi.multithread",
)


def application(environ: WSGIEnvironment, start_response: StartResponse) -> t.Iterable[bytes]:
    """Answer every request with the part of the environment that routing depends on."""
    lines = ["Hello from a plain WSGI file.", ""]
    lines += [f"{name}: {environ.get(name, '-')!r}" for name in SHOWN]
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return ["\n".join(lines).encode() + b"\n"]
