# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The items of ``backend_x_apps``: the processes of an application behind their endpoint."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import typing as t
from collections.abc import Sequence

from ...module_utils import _layout
from ...module_utils._catalog import BACK_ENDS, INSIDE_THE_FRONT_END, BackEnd
from ...module_utils._gateway import endpoint
from ...module_utils._release.sandbox import TASKS, limits, service, temporary
from .._keys.checks import parse_size
from .._keys.key import Invalid, Problem
from .._servers import server
from .._servers.server import Item
from .complete import complete
from .roles import ITEMS


def processes(path: str, items: t.Any) -> list[Item]:
    """Return the items of ``backend_x_apps``, which ``path`` names, complete; raise Invalid with every problem."""
    row = BACK_ENDS[path.removeprefix("backend_").removesuffix("_apps")]
    own = server.back_end(row.name)

    def derive(item: Item) -> Item:
        completed = {**item, **_derive(row, item)}
        return {**completed, **own.derive(completed)}

    completed = complete(path, items, ITEMS[path], derive)
    problems = [
        Problem(f"{path}[{index}]", "the code is not given. Add `release`, or add both `code` and `venv`.")
        for index, item in enumerate(completed)
        if "None/" in item["code"] or "None/" in item["venv"]
    ]
    if problems:
        raise Invalid(problems)
    return completed


def _derive(row: BackEnd, item: Item) -> Item:
    name = item["name"]
    base = f"{item['release']}/current" if item["release"] else None
    module, callable_ = (item["wsgi"] or ":").split(":")
    listen = item["listen"] or [_layout.endpoint(name)]
    return {
        "module": module,
        "callable": callable_,
        "code": item["code"] or f"{base}/code",
        "venv": item["venv"] or f"{base}/venv",
        "environment": [f"{name}={_quoted(value)}" for name, value in sorted(item["env"].items())],
        "sandbox": [
            *service(item["network"], item["jit"], loopback=row.loopback, proc=item["proc"]),
            *temporary(parse_size(item["limits"]["memory"])),
            *(bounds := _bounds(row, item)),
        ],
        "bounds": bounds,
        "request": _request(item, str(base), listen),
        "state": _layout.state(name),
        "listen": listen,
        "closed": closed(listen, item["allow"]),
        # Only endpoints on other hosts need the network; the rest is reached over a unix socket.
        "tcp": any(not endpoint.startswith("/") for endpoint in listen),
    }


def _request(item: Item, file: str, listen: list[str]) -> Item:
    """Return the health request that a new release must answer, as the transaction takes it."""
    health = item["health"]
    own = [path for path in listen if path.startswith("/") and item["protocol"] != INSIDE_THE_FRONT_END]
    return {
        "file": file,
        **{key: health[key] for key in ("host", "status", "timeout")},
        "endpoint": endpoint(item["protocol"], own[0]) if own else "",
        "mount": health["mount"].rstrip("/"),
        "path": health["path"],
        "https": health["https"],
        "unit": _layout.service(item["name"]),
    }


def _bounds(row: BackEnd, item: Item) -> list[str]:
    """Return the limits of a unit."""
    given = item["limits"]
    return limits(parse_size(given["memory"]), given["tasks"] or _tasks(row, item), given["cpu"])


def closed(listen: Sequence[str], allow: Sequence[str]) -> list[str]:
    """Return the endpoints over TCP whose own address is none of those that may open them."""
    found = []
    for where in (where for where in listen if not where.startswith("/")):
        # systemd takes names of networks too. What those contain cannot be told from here.
        with contextlib.suppress(ValueError):
            own = ipaddress.ip_address(where.rpartition(":")[0].strip("[]"))
            if not any(own in ipaddress.ip_network(address, strict=False) for address in allow):
                found.append(where)
    return found


def _tasks(row: BackEnd, item: Item) -> int:
    """Return how many processes and threads a service may have: each process of a server has some of its own."""
    return TASKS + row.tasks + int(item["processes"]) * (int(item["threads"]) + 4)


def _quoted(value: str) -> str:
    """Return a value as systemd reads it in an EnvironmentFile: in double quotes only these four need the backslash."""
    return '"' + re.sub(r'(["\\`$])', r"\\\1", value) + '"'
