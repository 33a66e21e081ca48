# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Start an application once on a temporary socket and ask it: this source runs in its own venv and sandbox.

Arguments: module:callable, and the health request as JSON (path, mount, host, timeout in seconds, and status, a list or
null).
"""

import faulthandler
import http.client
import importlib
import json
import os
import socket
import sys
import tempfile
import threading
import traceback
import typing as t
from wsgiref.simple_server import ServerHandler, WSGIRequestHandler, WSGIServer
from wsgiref.util import is_hop_by_hop

Headers = list[tuple[str, str]]


def load(wsgi: str) -> t.Callable[..., t.Iterable[bytes]]:
    """Return the callable, or end with a sentence about what is there instead."""
    module, _colon, names = wsgi.partition(":")
    found: t.Any = importlib.import_module(module)
    for name in names.split("."):
        if not hasattr(found, name):
            raise SystemExit(f"{wsgi}: {found!r} has no {name!r}")
        found = getattr(found, name)
    if not callable(found):
        raise SystemExit(f"{wsgi} is not a callable, but of type {type(found).__name__}")
    return t.cast("t.Callable[..., t.Iterable[bytes]]", found)


class Server(WSGIServer):
    """A WSGI server at the path of a unix socket, for an application mounted where ``health`` says."""

    address_family = socket.AF_UNIX

    def __init__(self, path: str, health: t.Mapping[str, t.Any]) -> None:
        self.health = health
        super().__init__(t.cast(t.Any, path), Handler)

    def server_bind(self) -> None:
        """Bind without a look at the host's name and port."""
        self.socket.bind(t.cast(str, self.server_address))
        environ = {"SERVER_NAME": self.health["host"], "SERVER_PORT": "80", "SCRIPT_NAME": self.health["mount"]}
        self.base_environ = environ

    def get_request(self) -> tuple[socket.socket, t.Any]:
        """Return a connection; its other end has no address."""
        return self.socket.accept()[0], ("127.0.0.1", 0)

    def handle_error(self, _request: t.Any, _address: t.Any) -> None:
        """Tell what went wrong, but not that the visitor had seen enough."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            traceback.print_exc()


class Handler(WSGIRequestHandler):
    """Hands a request to the application."""

    server: Server

    def get_environ(self) -> dict[str, t.Any]:
        """Return the environment with the path inside the mount."""
        environ = super().get_environ()
        return {**environ, "PATH_INFO": environ["PATH_INFO"].removeprefix(self.server.health["mount"])}

    def handle(self) -> None:
        """Answer one request."""
        self.raw_requestline = self.rfile.readline(65537)
        if self.parse_request():
            answer = Answer(self.rfile, t.cast(t.Any, self.wfile), sys.stderr, self.get_environ(), multithread=False)
            answer.request_handler = self
            answer.run(t.cast(t.Any, self.server.get_app()))

    def log_message(self, *_words: t.Any) -> None:
        """Log no request."""


class Answer(ServerHandler):
    """Takes what servers take."""

    request_handler: Handler

    def start_response(self, status: str, headers: Headers, exc_info: t.Any = None) -> t.Any:
        """Leave out what is the server's own business, instead of refusing it."""
        return super().start_response(status, [pair for pair in headers if not is_hop_by_hop(pair[0])], exc_info)


def ask(path: str, health: t.Mapping[str, t.Any]) -> str:
    """Return the status line of the answer to the health request at a unix socket; "nothing" where none comes."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        client = http.client.HTTPConnection(health["host"])
        client.sock = connection
        try:
            client.request("GET", health["mount"] + health["path"])
            # The body is not waited for: it may be endless.
            answer = client.getresponse()
        except (OSError, http.client.HTTPException):
            return "nothing"
        return f"{answer.status} {answer.reason}"


def complaint(status: str, health: t.Mapping[str, t.Any]) -> str:
    """Return what is wrong with a status line; empty where it means healthy."""
    code = status.partition(" ")[0]
    if health["status"] is None:
        if not code.isdigit() or int(code) >= 500:
            return f"health: GET {health['path']} answers {status!r}, but the status must be below 500"
    elif code not in map(str, health["status"]):
        wanted = ", ".join(map(str, health["status"]))
        return f"health: GET {health['path']} answers {status!r}, which is not in health.status ({wanted})"
    return ""


def main() -> None:
    """End with status 0 where the answer is a healthy one."""
    health = json.loads(sys.argv[2])
    # Where it hangs is told, even if Python itself gets no turn any more.
    faulthandler.dump_traceback_later(health["timeout"], exit=True)
    app = load(sys.argv[1])
    complaints: list[str] = []
    answered = threading.Event()

    def visit(path: str) -> None:
        complaints.append(complaint(ask(path, health), health))
        if not answered.wait(1):
            sys.stderr.write(complaints[0])
            sys.stderr.flush()
            os._exit(bool(complaints[0]))

    # The application runs in the thread that imported it, as in a server without threads. Its TMPDIR may be anywhere.
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, Server(f"{folder}/socket", health) as server:
        server.set_app(t.cast(t.Any, app))
        visitor = threading.Thread(target=visit, args=[server.server_address], daemon=True)
        visitor.start()
        server.handle_request()
    answered.set()
    visitor.join()
    raise SystemExit(complaints[0] or 0)


if __name__ == "__main__":
    main()
