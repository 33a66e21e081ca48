# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keys that the servers of an application do not use: rejected in its own description, ignored in the defaults."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Iterator

from ...module_utils._catalog import INSIDE_THE_FRONT_END, FrontEnd
from .._keys.app import APP_KEYS
from .._keys.key import Problem
from .description import App
from .inventory import View
from .topology import Topology

# What only some front ends have. TLS and private files are missing here: without them, more would be public than meant.
_ABILITIES = {
    "htaccess": "htaccess",
    "limits.requests": "limits_visitors",
    "limits.connections": "limits_visitors",
}

# What no service of its own holds an application to inside a front end.
_INSIDE: dict[str, Callable[[t.Any], bool]] = {
    "limits.cpu": bool,
    "limits.tasks": bool,
    **dict.fromkeys(("network", "jit", "proc"), lambda allowed: not allowed),
}


def value_of(app: App, key: str) -> t.Any:
    """Return the value of a key such as C(limits.cpu)."""
    name, _dot, below = key.partition(".")
    return app[name][below] if below else app[name]


def as_published(app: App, row: FrontEnd) -> App:
    """Return an application without the keys of the defaults that its front end does not have."""
    ignored = {key for key, ability in _ABILITIES.items() if key not in app["own"] and not getattr(row, ability)}
    left = dict(app)
    for key in ignored:
        name, _dot, below = key.partition(".")
        if below:
            left[name] = {**left[name], below: None}
        else:
            left[name] = APP_KEYS[name].default
    return left


def inside_ignores(topology: Topology) -> Iterator[Problem]:
    """Yield what an application asks for that its processes cannot be held to inside the front end."""
    for host, app, view in topology.each_published():
        if topology.protocol(app.name, app.on[0]) != INSIDE_THE_FRONT_END:
            continue
        for key, is_asked in _INSIDE.items():
            if key in view.app["own"] and is_asked(value_of(view.app, key)):
                yield Problem(
                    f"{view.path}.{key}",
                    f"processes inside {topology.front_end(host).title} ignore this key. Remove it, or write"
                    " `protocol: http`, which gives the application its own service and sandbox.",
                )


def extra_stays_behind(topology: Topology) -> Iterator[str]:
    """Yield sentences about raw lines for other front ends, where the one that publishes has none instead."""
    for host, _app, view in topology.each_published():
        row = topology.front_end(host)
        others = [name for name, lines in view.app["extra"].items() if lines]
        if others and not view.app["extra"][row.name]:
            yield _not_used(view, others, row, host)


def _not_used(view: View, others: list[str], row: FrontEnd, host: str) -> str:
    names = ", ".join(f"extra.{name}" for name in others)
    own = any(f"extra.{name}" in view.app["own"] for name in others)
    where = f"{view.path}.{names}" if own else f"{names} of pyhost_app_defaults, for {view.path}"
    return (
        f"{where}: {host} publishes with {row.name}, which does not use these lines. A redirect or a password in them"
        f" has no effect there. Write the lines for {row.name} too. If none are needed, write"
        f" `extra: {{{row.name}: '# none'}}`."
    )
