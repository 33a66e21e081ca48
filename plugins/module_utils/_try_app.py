# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Import an application and ask it one request: the source of this runs in the application's own venv and sandbox.

Arguments: module:callable, and the health request as JSON (path, mount, host, and status, a list or null).
"""

import importlib
import json
import sys
import traceback
import typing as t
from wsgiref.util import setup_testing_defaults


def load(wsgi: str) -> t.Callable[..., t.Iterable[bytes]]:
    """Return the callable, or end with a sentence about what is there instead."""
    module, _colon, names = wsgi.partition(":")
    found: t.Any = importlib.import_module(module)
    for name in names.split("."):
        if not hasattr(found, name):
            raise SystemExit(f"{wsgi}: {found!r} has no {name!r}")
        found = getattr(found, name)
    if not callable(found):
        raise SystemExit(f"{wsgi} is of type {type(found).__name__}, which cannot be called")
    return t.cast("t.Callable[..., t.Iterable[bytes]]", found)


def ask(app: t.Callable[..., t.Iterable[bytes]], health: t.Mapping[str, t.Any]) -> str:
    """Return the status line that the application answers the health request with."""
    answered: list[str] = []
    environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": health["mount"],
        "PATH_INFO": health["path"],
        "QUERY_STRING": "",
        "HTTP_HOST": health["host"],
        "SERVER_NAME": health["host"],
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.errors": sys.stderr,
    }
    setup_testing_defaults(environ)

    def start_response(status: str, _headers: t.Any, exc_info: t.Any = None) -> t.Callable[[bytes], None]:
        if exc_info:
            traceback.print_exception(*exc_info)
        answered[:] = [status]
        return lambda _data: None

    body = app(environ, start_response)
    try:
        # An endless body is not waited for: its first piece comes after the status.
        for _piece in body:
            break
    finally:
        if hasattr(body, "close"):
            body.close()
    return answered[0] if answered else "nothing"


def main() -> None:
    """End with status 0 where the answer is a healthy one."""
    health = json.loads(sys.argv[2])
    status = ask(load(sys.argv[1]), health)
    code = status.partition(" ")[0]
    if health["status"] is None:
        if not code.isdigit() or int(code) >= 500:
            raise SystemExit(f"health: GET {health['path']} answers {status!r}; it must be below 500")
    elif code not in map(str, health["status"]):
        wanted = ", ".join(map(str, health["status"]))
        raise SystemExit(f"health: GET {health['path']} answers {status!r}, which is none of health.status ({wanted})")


if __name__ == "__main__":
    main()
