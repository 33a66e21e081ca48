"""What the start file adds to uWSGI: answers as PEP 3333 has them."""

from __future__ import annotations

import ast
import io
import sys
import types
import typing as t
from pathlib import Path

import ansible_collections.pyhost.web.plugins.plugin_utils as plugin_utils
import pytest

START_FILE = Path(next(iter(plugin_utils.__path__))).parents[1] / "roles/backend_uwsgi/templates/app.py.j2"
PLAIN = [("Content-Type", "text/plain")]


@pytest.fixture(scope="module")
def start_file() -> t.Any:
    """Return the functions of the start file; what stands between them needs uWSGI."""
    text = "\n".join(line for line in START_FILE.read_text().splitlines() if not line.startswith(("{", "#")))
    tree = ast.parse(text)
    tree.body = [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        or (isinstance(node, ast.Import) and node.names[0].name in ("contextlib", "traceback"))
    ]
    module = types.ModuleType("start_file")
    exec(compile(tree, str(START_FILE), "exec"), module.__dict__)
    return module


class Uwsgi:
    """uWSGI (plugins/python/wsgi_headers.c): a header is replaced until the first piece is sent."""

    def __init__(self, body: bytes = b"") -> None:
        self.environ = {"CONTENT_LENGTH": str(len(body) or ""), "wsgi.input": io.BytesIO(body)}
        self.head: tuple[str, list[tuple[str, str]]] | None = None
        self.sent = False
        self.body = b""

    def start_response(self, status: str, headers: list[tuple[str, str]], exc_info: t.Any = None) -> None:
        if self.sent:
            raise OSError("headers already sent")
        assert exc_info is None, "uWSGI raises it"
        self.head = (status, headers)

    def answer(self, application: t.Any) -> None:
        result = application(self.environ, self.start_response)
        if hasattr(result, "read"):
            self.body = result.read()
            return
        try:
            for piece in result:
                self.sent = True
                self.body += piece
        finally:
            if hasattr(result, "close"):
                result.close()

    @property
    def left(self) -> int:
        """How much of the request body nobody has read."""
        return len(t.cast("io.BytesIO", self.environ["wsgi.input"]).read())


def handling(begun: bool, told: bool = True) -> t.Any:
    """Return an application that answers its own error, after the first piece or before, and says that it is one."""

    def application(_environ: t.Any, start_response: t.Any) -> t.Iterator[bytes]:
        start_response("200 OK", PLAIN)
        if begun:
            yield b"begun"
        try:
            raise RuntimeError("what went wrong")
        except RuntimeError:
            start_response("503 Later", PLAIN, *([sys.exc_info()] if told else []))
        yield b"later"

    return application


def test_an_error_that_the_application_answers_takes_the_place_of_what_it_had_begun(start_file: t.Any) -> None:
    server = Uwsgi()
    server.answer(start_file.answering(handling(begun=False)))
    assert (server.head, server.body) == (("503 Later", PLAIN), b"later")


@pytest.mark.parametrize(("told", "error"), [(True, RuntimeError("what went wrong")), (False, OSError("already sent"))])
def test_an_error_that_comes_too_late_is_the_servers(start_file: t.Any, told: bool, error: Exception) -> None:
    server = Uwsgi()
    with pytest.raises(type(error), match=str(error)):
        server.answer(start_file.answering(handling(begun=True, told=told)))
    assert (server.head, server.body) == (("200 OK", PLAIN), b"begun")


def raising(_environ: t.Any, _start_response: t.Any) -> t.Any:
    """Raise when called."""
    raise RuntimeError("what went wrong")


def raising_late(_environ: t.Any, start_response: t.Any) -> t.Iterator[bytes]:
    """Raise when the first piece is asked for, as an application does that is a generator."""
    start_response("200 OK", PLAIN)
    raise RuntimeError("what went wrong")
    yield b""


@pytest.mark.parametrize("application", [raising, raising_late])
def test_an_exception_before_the_first_piece_is_an_answer(
    start_file: t.Any, capsys: pytest.CaptureFixture[str], application: t.Any
) -> None:
    server = Uwsgi()
    server.answer(start_file.answering(application))
    assert server.head and server.head[0] == "500 Internal Server Error"
    assert "RuntimeError: what went wrong" in capsys.readouterr().err


ANSWERS: dict[str, t.Callable[[], t.Any]] = {
    "list": lambda: [b"an", b"swer"],
    "bytes": lambda: b"answer",
    "generator": lambda: (piece for piece in (b"an", b"swer")),
    "file": lambda: io.BytesIO(b"answer"),
}


@pytest.mark.parametrize("kind", ANSWERS)
@pytest.mark.parametrize("read", [0, 1, 200_000])
def test_a_body_is_read_to_its_end_though_the_application_does_not(start_file: t.Any, kind: str, read: int) -> None:
    def application(environ: t.Any, start_response: t.Any) -> t.Any:
        start_response("200 OK", PLAIN)
        environ["wsgi.input"].read(read)
        return ANSWERS[kind]()

    server = Uwsgi(b"x" * 200_000)
    server.answer(start_file.answering(application))
    assert (server.body, server.left) == (b"answer", 0)


def test_an_application_may_read_while_it_answers(start_file: t.Any) -> None:
    def application(environ: t.Any, start_response: t.Any) -> t.Iterator[bytes]:
        start_response("200 OK", PLAIN)
        yield from iter(lambda: environ["wsgi.input"].read(1000), b"")

    server = Uwsgi(b"x" * 200_000)
    server.answer(start_file.answering(application))
    assert server.body == b"x" * 200_000


def test_what_is_to_be_closed_is_closed(start_file: t.Any) -> None:
    closed = []

    class Answer:
        def __iter__(self) -> t.Iterator[bytes]:
            yield b"begun"
            raise RuntimeError("what went wrong")

        def close(self) -> None:
            closed.append(True)

    def application(_environ: t.Any, start_response: t.Any) -> t.Any:
        start_response("200 OK", PLAIN)
        return Answer()

    with pytest.raises(RuntimeError, match="what went wrong"):
        Uwsgi().answer(start_file.answering(application))
    assert closed == [True]
