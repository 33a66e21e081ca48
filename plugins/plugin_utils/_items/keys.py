# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The keys of the items of the roles' lists: releases, processes, and sites with their mounts."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ...module_utils._catalog import INSIDE_THE_FRONT_END, BackEnd, FrontEnd
from .._keys import checks
from .._keys.app import HEALTH, NAME, like, limits
from .._keys.key import Key


def _health(description: str) -> Key:
    """Return the key of a health request, whoever makes it."""
    return Key(
        "health",
        "dict",
        description,
        default={},
        options=(
            *HEALTH,
            Key(
                "mount", "str", "Mount point of the application.", default="/", example="/shop", check=checks.mount_path
            ),
            Key(
                "host",
                "str",
                "Host header of the request.",
                default="localhost",
                example="shop.example.org",
                check=checks.line,
            ),
            Key(
                "https",
                "bool",
                "Whether to send the request to the front end over TLS, at port 443.",
                default=False,
                example=True,
            ),
        ),
        example={"path": "/health"},
    )


# An item of app_apps: what the role app builds.
RELEASE_ITEM: tuple[Key, ...] = (
    NAME,
    like("user"),
    like("source"),
    like("requirements"),
    Key(
        "server_requirements",
        "list",
        "Packages that the back end needs in the venv, in addition to those of the application.",
        default=[],
        elements="str",
        example=["pyuwsgi"],
        check=checks.line,
    ),
    like("python"),
    like("wsgi", required=False),
    like("setup"),
    like("build_timeout"),
    like("static"),
    like("env"),
    like("network"),
    like("writable_paths"),
    like("jit"),
    like("proc"),
    like(
        "limits",
        description="Limits of each step of a build. The default of tasks is 512 there.",
        options=limits("memory", "tasks", "cpu").options,
    ),
    _health("Request that a new release must answer in its sandbox before it is complete."),
    Key(
        "published",
        "list",
        "Folders in the data folder that the front end may read.",
        default=[],
        elements="str",
        example=["/var/lib/pyhost/shop/media"],
        check=checks.file_path,
    ),
    Key(
        "run_once_steps",
        "bool",
        "Whether to run the setup steps with once: true on this host.",
        default=True,
        example=False,
    ),
    like("keep"),
)

# What every back end needs of a process behind its endpoint.
_PROCESS: tuple[Key, ...] = (
    NAME,
    like("user"),
    like("wsgi"),
    Key(
        "release",
        "str",
        "Folder with the links next and current, as the role app creates it. Default: code and venv are used directly.",
        example="/srv/pyhost/shop",
        check=checks.file_path,
    ),
    Key(
        "code",
        "str",
        "Folder of the code. Default: current/code of the release folder.",
        example="/srv/pyhost/shop/current/code",
        check=checks.file_path,
    ),
    Key(
        "venv",
        "str",
        "Folder of the venv. Default: current/venv of the release folder.",
        example="/srv/pyhost/shop/current/venv",
        check=checks.file_path,
    ),
    like("python"),
    like("processes"),
    like("threads"),
    like("env", description="Environment variables of the application."),
    like(
        "network",
        description="Whether to let the application open network connections. Otherwise it can connect to unix sockets"
        " only.",
    ),
    like(
        "writable_paths",
        description="Folders outside its data folder that the application may write. You create them and give the"
        " account the right to write there.",
    ),
    like("jit"),
    like("proc"),
    limits("memory", "tasks", "cpu", "timeout"),
    _health("Request that a new release must answer when it goes live, with `tasks_from: switch`."),
    Key(
        "listen",
        "list",
        "Endpoints: paths of unix sockets, or address:port. Default: /run/pyhost/NAME.sock.",
        elements="str",
        example=["/run/pyhost/shop.sock"],
        check=checks.line,
    ),
    Key(
        "allow",
        "list",
        "Addresses that may connect to address:port endpoints.",
        default=[],
        elements="str",
        example=["10.0.0.5"],
        check=checks.line,
    ),
)


def process_keys(row: BackEnd, own: t.Collection[Key]) -> tuple[Key, ...]:
    """Return the keys of an item of ``backend_x_apps``; ``own`` are what only this server has."""
    protocol = like(
        "protocol",
        description="Protocol of the endpoints.",
        default=row.serves[0],
        choices=row.serves,
        example=row.serves[-1],
    )
    replaced = {key.name for key in own}
    return (*(key for key in _PROCESS if key.name not in replaced), protocol, *own)


# What the front end needs to start the processes itself, beside the limits of the mount.
DAEMON: tuple[Key, ...] = (
    like("user", description="Account that runs the application.", required=True),
    like("processes"),
    like("threads"),
    Key(
        "venv",
        "str",
        "Folder of the venv.",
        required=True,
        example="/srv/pyhost/shop/current/venv",
        check=checks.file_path,
    ),
    Key(
        "script",
        "str",
        "WSGI script file, which the account can read.",
        required=True,
        example="/etc/pyhost/mod_wsgi/shop.wsgi",
        check=checks.file_path,
    ),
)


def _limits(row: FrontEnd) -> Key:
    """Return the limits of a mount that the front end keeps."""
    kept = {"body", "timeout"}
    kept |= {"requests", "connections"} if row.limits_visitors else set()
    # Of processes that the front end starts itself, no cgroup counts the memory.
    kept |= {"memory"} if INSIDE_THE_FRONT_END in row.speaks else set()
    return replace(limits(*kept), example={"body": "1G"})


_MOUNT: tuple[Key, ...] = (
    Key(
        "app",
        "str",
        "Name of the application in comments and messages.",
        required=True,
        example="shop",
        check=checks.name,
    ),
    like("path"),
    Key(
        "endpoints",
        "list",
        "Endpoints of the application: paths of unix sockets, or address:port.",
        default=[],
        elements="str",
        example=["/run/pyhost/shop.sock"],
        check=checks.pattern(r"/[A-Za-z0-9._/+-]+|[A-Za-z0-9.\[\]:_-]+:[0-9]+", "a path or address:port"),
    ),
    *(
        like(
            name,
            description=f"{title} files: URLs inside the mount, and their absolute paths.",
            check=checks.absolute_path,
            example=example,
        )
        for name, title, example in (
            ("static", "Static", {"/static/": "/srv/shop/static"}),
            ("private", "Private", {"/protected/": "/srv/shop/invoices"}),
        )
    ),
    like("static_max_age"),
    like("headers"),
    Key(
        "extra",
        "str",
        "Raw lines at the end of the site.",
        default="",
        example="# …",
        check=checks.text,
    ),
)


def _mount_keys(row: FrontEnd) -> tuple[Key, ...]:
    """Return the keys of an application on a site of that front end."""
    protocol = Key(
        "protocol",
        "str",
        "Protocol of the endpoints.",
        default=next(protocol for protocol in row.speaks if protocol != INSIDE_THE_FRONT_END),
        choices=row.speaks,
        example=row.speaks[-1],
    )
    daemon = Key(
        "daemon",
        "dict",
        f"Processes that {row.title} starts itself, instead of endpoints. Only with protocol {INSIDE_THE_FRONT_END}.",
        options=DAEMON,
        example={"user": "shop", "venv": "/srv/shop/venv", "script": "/etc/pyhost/mod_wsgi/shop.wsgi"},
    )
    return (
        *_MOUNT,
        protocol,
        *([daemon] if INSIDE_THE_FRONT_END in row.speaks else []),
        *([like("htaccess")] if row.htaccess else []),
        _limits(row),
    )


def site_keys(row: FrontEnd) -> tuple[Key, ...]:
    """Return the keys of an item of ``frontend_x_sites``: one set of domains with the applications mounted on it."""
    return (
        Key(
            "name",
            "str",
            "Name of the site's file and logs. Default: its first domain.",
            example="shop.example.org",
            check=checks.pattern(r"[a-z0-9_][a-z0-9._-]*", "a file name of lower-case letters, digits, '.', '-', '_'"),
        ),
        like("domains"),
        like("default"),
        *([like("tls"), like("hsts")] if row.tls else []),
        Key(
            "mounts",
            "list",
            "Applications of the site.",
            required=True,
            elements="dict",
            options=_mount_keys(row),
            example=[{"app": "shop", "endpoints": ["/run/pyhost/shop.sock"]}],
        ),
    )
