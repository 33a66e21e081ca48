"""A WSGI application that tells what reached it, for the claims in tests/claims."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
import typing as t
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment
from wsgiref.validate import validator

Body = t.Iterable[bytes]
Start = StartResponse

# Several processes answer, so what a later request asks about is kept in the data folder.
STATE = Path(os.environ.get("STATE_DIRECTORY", "/tmp"))


def _json(start: Start, value: t.Any) -> Body:
    body = json.dumps(value).encode()
    start("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def env(environ: WSGIEnvironment, start: Start) -> Body:
    """The environment, as far as it is text."""
    return _json(start, {key: value for key, value in environ.items() if isinstance(value, (str, bool, int))})


def environment(_environ: WSGIEnvironment, start: Start) -> Body:
    """The environment of the process."""
    return _json(start, dict(os.environ))


def python(_environ: WSGIEnvironment, start: Start) -> Body:
    """What the interpreter takes for its own."""
    return _json(start, {"prefix": sys.prefix, "path": sys.path})


def where(_environ: WSGIEnvironment, start: Start) -> Body:
    """The name of the host."""
    return _json(start, os.uname().nodename)


def folder(environ: WSGIEnvironment, start: Start) -> Body:
    """What is in the folder that the query names, or why nobody can tell."""
    try:
        return _json(start, [path.name for path in Path(environ["QUERY_STRING"]).iterdir()])
    except OSError as error:
        return _json(start, error.strerror)


def upload(environ: WSGIEnvironment, start: Start) -> Body:
    """Length and digest of the request body, read to its end in pieces."""
    digest, length = hashlib.sha256(), 0
    while piece := environ["wsgi.input"].read(65536):
        digest.update(piece)
        length += len(piece)
    return _json(start, {"length": length, "sha256": digest.hexdigest()})


def unread(environ: WSGIEnvironment, start: Start) -> Body:
    """401 and as many bytes as the query says, with nothing of the request body read."""
    body = b"x" * int(environ["QUERY_STRING"])
    start("401 Unauthorized", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def stream(environ: WSGIEnvironment, start: Start) -> Body:
    """A piece, and another one when the first has `arrived`, for which 20 seconds are waited at most."""
    start("200 OK", [("Content-Type", "text/plain"), ("X-Accel-Buffering", "no")])
    yield b"piece 0\n"
    for _ in range(200):
        if (STATE / f"arrived-{environ['QUERY_STRING']}").exists():
            yield b"piece 1\n"
            return
        time.sleep(0.1)


def arrived(environ: WSGIEnvironment, start: Start) -> Body:
    """Note that the first piece of the `stream` of that mark is there."""
    (STATE / f"arrived-{environ['QUERY_STRING']}").touch()
    return _json(start, True)


def endless(environ: WSGIEnvironment, start: Start) -> Body:
    """Pieces until the visitor has gone (for 100 seconds at most), which is noted under the mark in the query."""
    start("200 OK", [("Content-Type", "text/plain"), ("X-Accel-Buffering", "no")])
    try:
        for _ in range(1000):
            yield b"x" * 1000
            time.sleep(0.1)
    finally:
        (STATE / f"closed-{environ['QUERY_STRING']}").write_text("yes")


def closed(environ: WSGIEnvironment, start: Start) -> Body:
    """Whether the `endless` of that mark was closed."""
    return _json(start, (STATE / f"closed-{environ['QUERY_STRING']}").exists())


def own(_environ: WSGIEnvironment, start: Start) -> Body:
    """Headers that a front end would add."""
    start("200 OK", [("Content-Type", "text/plain"), ("X-Frame-Options", "DENY"), ("Referrer-Policy", "no-referrer")])
    return [b"ok"]


def asked(environ: WSGIEnvironment, start: Start) -> Body:
    """The paths that reached the application and have the query in them."""
    paths = (STATE / "requests").read_text().splitlines()
    return _json(start, [path for path in paths if environ["QUERY_STRING"] in path])


def large(environ: WSGIEnvironment, start: Start) -> Body:
    """A response header of as many bytes as the query says."""
    start("200 OK", [("Content-Type", "text/plain"), ("X-Large", "x" * int(environ["QUERY_STRING"]))])
    return [b"ok"]


def download(environ: WSGIEnvironment, start: Start) -> Body:
    """As many bytes as the query says."""
    size = int(environ["QUERY_STRING"])
    start("200 OK", [("Content-Type", "application/octet-stream"), ("Content-Length", str(size))])
    for done in range(0, size, 65536):
        yield b"x" * min(65536, size - done)


def cookies(_environ: WSGIEnvironment, start: Start) -> Body:
    """Two cookies."""
    start("200 OK", [("Content-Type", "text/plain"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    return [b"ok"]


def teapot(_environ: WSGIEnvironment, start: Start) -> Body:
    """A status that is not everyday's."""
    start("418 I'm a teapot", [("Content-Type", "text/plain"), ("Content-Length", "6")])
    return [b"teapot"]


def unchanged(_environ: WSGIEnvironment, start: Start) -> Body:
    """304, which has no body."""
    start("304 Not Modified", [("ETag", '"1"')])
    return []


def crash(_environ: WSGIEnvironment, _start: Start) -> Body:
    """An exception that nobody catches."""
    raise RuntimeError("probe: an exception that nobody catches")


def failing(environ: WSGIEnvironment, start: Start) -> Body:
    """An error that the application answers itself: as PEP 3333 has it, in the place of the answer that it had begun.

    The query says when: `before` the first piece of that answer, or `after` it, when only the server can end it.
    """
    start("200 OK", [("Content-Type", "text/plain"), ("X-Begun", "yes")])
    if environ["QUERY_STRING"] == "after":
        yield b"begun"
    try:
        raise RuntimeError("probe: an exception that the application answers")
    except RuntimeError:
        start("503 Service Unavailable", [("Content-Type", "text/plain")], sys.exc_info())
    yield b"answered"


def secret(environ: WSGIEnvironment, start: Start) -> Body:
    """Leave a private file to the front end, in the words of all of them, or only those that the query says."""
    words = {
        "x-accel-redirect": ("X-Accel-Redirect", environ["SCRIPT_NAME"] + "/private/bill.txt"),
        "x-sendfile": ("X-Sendfile", f"/srv/pyhost/{STATE.name}/current/public/private/bill.txt"),
    }
    chosen = [words[environ["QUERY_STRING"]]] if environ["QUERY_STRING"] else words.values()
    start("200 OK", [("Content-Type", "text/plain"), *chosen])
    return [b"the application's own body"]


def sleep(environ: WSGIEnvironment, start: Start) -> Body:
    """Answer after as many seconds as the query says, 10 at most."""
    time.sleep(min(float(environ["QUERY_STRING"]), 10))
    return _json(start, os.getpid())


def compute(environ: WSGIEnvironment, start: Start) -> Body:
    """Answer after as many seconds of computing as the query says, 10 at most."""
    end = time.monotonic() + min(float(environ["QUERY_STRING"]), 10)
    while time.monotonic() < end:
        pass
    return _json(start, os.getpid())


ANSWERS = {
    answer.__name__: answer
    for answer in (
        env,
        environment,
        python,
        where,
        folder,
        upload,
        unread,
        stream,
        arrived,
        endless,
        closed,
        own,
        asked,
        large,
        download,
        cookies,
        teapot,
        unchanged,
        crash,
        failing,
        secret,
        sleep,
        compute,
    )
}


def _route(environ: WSGIEnvironment, start: Start) -> Body:
    """The first part of the path names the answer; everything else is `env`."""
    name = environ.get("PATH_INFO", "").lstrip("/").split("/")[0]
    with (STATE / "requests").open("a") as log:
        log.write(environ.get("PATH_INFO", "") + "\n")
    return ANSWERS.get(name, env)(environ, start)


_validated = validator(_route)


def application(environ: WSGIEnvironment, start: Start) -> Body:
    """Answer; under wsgiref's validator where the path ends in /validated."""
    checked = environ.get("PATH_INFO", "").endswith("/validated")
    return (_validated if checked else _route)(environ, start)
