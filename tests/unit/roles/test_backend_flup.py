"""What the runner adds to flup: bodies that end, processes that are replaced, an end that loses nothing."""

from __future__ import annotations

import importlib.util
import io
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import types
import typing as t
from pathlib import Path

import ansible_collections.pyhost.web.plugins.plugin_utils as plugin_utils
import pytest

RUNNER = Path(next(iter(plugin_utils.__path__))).parents[1] / "roles/backend_flup/templates/runner.py"


@pytest.fixture(scope="module")
def runner() -> t.Any:
    """Return the runner as a module."""
    spec = importlib.util.spec_from_file_location("runner", RUNNER)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        (lambda body: body.read(), b"one\ntwo"),
        (lambda body: body.read(2), b"on"),
        (lambda body: body.read(100), b"one\ntwo"),
        (lambda body: body.readline(), b"one\n"),
        (lambda body: body.readline(2), b"on"),
        (lambda body: body.readlines(), [b"one\n", b"two"]),
        (list, [b"one\n", b"two"]),
    ],
)
def test_a_body_ends_where_its_length_says(runner: t.Any, read: t.Callable[[t.Any], t.Any], expected: object) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        # The connection stays open, as a front end's does that waits for the answer.
        theirs.sendall(b"one\ntwo, and what is no part of it")
        ours.settimeout(5)
        with ours.makefile("rb") as stream:
            assert read(io.BufferedReader(runner.Body(stream, 7))) == expected


class Request:
    """What flup makes of a connection."""

    def __init__(self, stream: t.BinaryIO, length: int) -> None:
        self.environ: dict[str, t.Any] = {"CONTENT_LENGTH": str(length)}
        self.stdin = stream
        self.stdout = io.BytesIO()


class Flup:
    """flup's server, as far as the runner uses it."""

    def __init__(self, application: t.Any, **_options: t.Any) -> None:
        self.application = application

    def handler(self, request: t.Any) -> None:
        request.environ["wsgi.input"] = request.stdin
        for piece in self.application(request.environ, None):
            request.stdout.write(piece)


@pytest.fixture
def answered(runner: t.Any, monkeypatch: pytest.MonkeyPatch) -> t.Callable[[t.Any, t.Any], None]:
    """Let an application answer a request over SCGI."""

    class Connection:
        def __init__(self, request: Request, _peer: object, server: Flup, _timeout: object) -> None:
            self.run = lambda: server.handler(request)

    module = types.SimpleNamespace(BaseSCGIServer=Flup, Connection=Connection)
    for name in ("flup", "flup.server", "flup.server.scgi_base"):
        monkeypatch.setitem(sys.modules, name, module)
    return lambda application, request: runner.scgi(application)(request, "")


def test_a_request_without_body_has_no_length(answered: t.Callable[[t.Any, t.Any], None]) -> None:
    request = Request(io.BytesIO(), 0)
    answered(lambda environ, _start: [str("CONTENT_LENGTH" in environ).encode(), environ["wsgi.input"].read()], request)
    assert request.stdout.getvalue() == b"False"


@pytest.mark.parametrize("read", [0, 1, 200_000])
def test_a_body_is_read_to_its_end_though_the_application_does_not(
    answered: t.Callable[[t.Any, t.Any], None], read: int
) -> None:
    body = io.BytesIO(b"x" * 200_000 + b"and what is no part of it")
    request = Request(body, 200_000)
    answered(lambda environ, _start: [str(len(environ["wsgi.input"].read(read))).encode()], request)
    assert (request.stdout.getvalue(), body.tell()) == (str(read).encode(), 200_000)


SUPERVISED = """
import os, signal, sys, time
sys.path[0] = {folder!r}
import runner
def run(ready):
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    {run}
sys.exit(runner.supervise(3, run, lambda: os.write(1, b'loaded\\n')))
"""


def _supervised(run: str) -> subprocess.Popen[str]:
    code = SUPERVISED.format(folder=str(RUNNER.parent), run=run)
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_process_that_dies_is_replaced_and_all_end_together() -> None:
    parent = _supervised("ready(); os.write(1, b'%d\\n' % os.getpid()); time.sleep(60)")
    assert parent.stdout
    numbers = (int(line) for line in parent.stdout if line != "loaded\n")
    with parent:
        first = [next(numbers) for _ in range(3)]
        os.kill(first[0], signal.SIGKILL)
        assert next(numbers) not in first
        parent.send_signal(signal.SIGTERM)
        # The processes of this test know nothing of a graceful end.
        assert parent.wait(20) == 0


def test_a_process_that_cannot_load_its_application_ends_all() -> None:
    with _supervised("time.sleep(0.2); raise RuntimeError('no such application')") as parent:
        assert parent.wait(20) == 1
        assert parent.stderr
        assert "no such application" in parent.stderr.read()


def test_processes_that_die_by_a_signal_before_they_have_loaded_are_not_started_again_and_again() -> None:
    with _supervised("os.write(1, b'%d\\n' % os.getpid()); os.kill(os.getpid(), signal.SIGSEGV)") as parent:
        assert parent.wait(20) == 1
        assert parent.stdout
        # The first one that ends takes the others along, which may not have begun yet.
        assert 1 <= len(parent.stdout.readlines()) <= 3


def test_the_service_manager_hears_the_parent_alone() -> None:
    with _supervised("ready(); os.write(1, b'%d\\n' % os.getpid()); time.sleep(60)") as parent:
        assert parent.stdout
        assert "loaded\n" in [parent.stdout.readline() for _ in range(4)]
        parent.send_signal(signal.SIGTERM)
        assert parent.wait(20) == 0
    template = RUNNER.with_name("app.exec.j2").read_text(encoding="utf-8")
    assert "NotifyAccess=main\n" in template


def test_the_end_waits_for_what_is_being_answered_and_takes_no_more(runner: t.Any, tmp_path: Path) -> None:
    end, told = os.pipe()
    begun, finish = threading.Event(), threading.Event()
    answered: list[bytes] = []

    def answer(connection: socket.socket, _peer: object) -> None:
        begun.set()
        finish.wait(10)
        answered.append(connection.recv(100))

    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(str(tmp_path / "socket"))
        listener.listen()
        listener.setblocking(False)
        thread = threading.Thread(target=runner.accept, args=([listener], end, answer))
        thread.start()
        first.connect(str(tmp_path / "socket"))
        first.sendall(b"first")
        assert begun.wait(10)
        os.write(told, b".")
        with socket.socket(socket.AF_UNIX) as second:
            second.connect(str(tmp_path / "socket"))
            finish.set()
            thread.join(10)
            assert answered == [b"first"]
            # It waits in the socket for whoever comes next.
            assert select.select([listener], [], [], 0)[0] == [listener]


def test_a_visitor_that_has_gone_is_no_reason_to_end(runner: t.Any, tmp_path: Path) -> None:
    end, told = os.pipe()
    peers: list[object] = []

    def answer(_connection: socket.socket, peer: object) -> None:
        peers.append(peer)
        if len(peers) == 2:
            os.write(told, b".")
        raise BrokenPipeError

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen()
        listener.setblocking(False)
        for _ in range(2):
            with socket.socket(socket.AF_UNIX) as visitor:
                visitor.connect(str(tmp_path / "socket"))
        runner.accept([listener], end, answer)
    assert len(peers) == 2


@pytest.mark.parametrize("error", [RuntimeError, ConnectionRefusedError])
def test_an_exception_is_told_to_the_log_alone(
    runner: t.Any, capsys: pytest.CaptureFixture[str], error: type[Exception]
) -> None:
    class Flup:
        def handler(self, request: t.Any) -> None:
            raise error("told")

        def error(self, request: t.Any) -> None:
            request.pages.append(500)

    server = type("Server", (runner.Logged, Flup), {})()
    for written, pages in ((False, [500]), (True, [])):
        request = types.SimpleNamespace(stdout=types.SimpleNamespace(dataWritten=written), pages=[])
        assert server.handler(request) == (0, 0)
        assert request.pages == pages
    assert capsys.readouterr().err.count(f"{error.__name__}: told") == 2


def test_readiness_is_told_to_systemd(runner: t.Any, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(5)
        runner.notify(str(tmp_path / "notify"))
        assert manager.recv(100) == b"READY=1"
    runner.notify("")
