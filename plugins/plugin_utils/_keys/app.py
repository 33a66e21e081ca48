# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The keys of an application, as users write them below its name in ``pyhost_apps``."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ...module_utils._catalog import BACK_ENDS, DEFAULT_BACK_END, DEFAULT_FRONT_END, FRONT_ENDS
from . import checks
from .checks import HEADERS, check_user
from .key import Key

NAME = Key(
    "name",
    "str",
    "Name of the application, also of its folders and units.",
    required=True,
    example="shop",
    check=checks.app_name,
)

SOURCE = (
    Key(
        "git",
        "str",
        "URL of a git repository that the host clones, such as https://USER:TOKEN@HOST/… for a private one.",
        example="https://git.example.org/shop.git",
        check=checks.line,
    ),
    Key(
        "version",
        "str",
        "Branch, tag or commit of the git repository.",
        default="HEAD",
        example="v1.4",
        check=checks.pattern(r"[A-Za-z0-9][A-Za-z0-9._/+-]*", "a branch, tag or commit"),
    ),
    Key(
        "path",
        "str",
        "Folder on the controller, relative to the inventory. Files that .gitignore or .pyhostignore exclude, and"
        " files that look like secrets, are not sent.",
        example="./shop",
        check=checks.line,
    ),
    Key(
        "archive",
        "str",
        "URL, or file on the controller, of a tar or zip archive. If all files are in one top folder, its content"
        " is used.",
        example="https://example.org/shop-1.4.tar.gz",
        check=checks.line,
    ),
    Key(
        "checksum",
        "str",
        "Digest of the archive.",
        example="sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        check=checks.digest,
    ),
)

HEALTH = (
    Key(
        "path",
        "str",
        "URL path of the request, inside the mount.",
        default="/",
        example="/health",
        check=checks.url,
    ),
    Key(
        "status",
        "list",
        "Statuses that mean healthy. Default: all below 500.",
        elements="int",
        example=[200],
        check=checks.at_least(100, 599),
    ),
    Key(
        "timeout",
        "int",
        "Maximum time in seconds for import and answer together.",
        default=30,
        example=30,
        check=checks.at_least(1, 3600),
    ),
)

LIMITS = (
    Key(
        "memory",
        "str",
        "Maximum memory for all processes of the application and its temporary files.",
        default="512M",
        example="512M",
        check=checks.memory,
    ),
    Key(
        "tasks",
        "int",
        "Maximum number of processes and threads. Default: 512 more than its server needs.",
        example=2048,
        check=checks.at_least(16, 4194304),
    ),
    Key(
        "cpu",
        "str",
        "Maximum processor time, where 100% is one core. Default: no limit.",
        example="100%",
        check=checks.pattern(r"[1-9][0-9]*%", "a percentage such as 100%"),
    ),
    Key("body", "str", "Maximum size of a request body.", default="10M", example="10M", check=checks.size),
    Key(
        "timeout",
        "int",
        "Maximum time in seconds for one request.",
        default=60,
        example=60,
        check=checks.at_least(1, 86400),
    ),
    Key(
        "requests",
        "str",
        "Maximum rate of requests from one address, for each second (10/s) or minute (600/m), with a burst of up to the"
        " same number. Others get 429. With nginx only. Default: no limit.",
        example="10/s",
        check=checks.pattern(r"[1-9][0-9]{0,5}/[sm]", "a rate such as 10/s or 600/m"),
    ),
    Key(
        "connections",
        "int",
        "Maximum number of simultaneous requests from one address. Others get 429. With nginx only. Default: no limit.",
        example=20,
        check=checks.at_least(1, 65535),
    ),
)

# What one application is, as users write it in pyhost_apps (DESIGN: "The user's input").
APP: tuple[Key, ...] = (
    Key(
        "domains",
        "list",
        "Host names of the application, such as shop.example.org or *.example.org.",
        default=[],
        elements="str",
        example=["shop.example.org"],
        check=checks.domain,
        same=str,
    ),
    Key(
        "default",
        "bool",
        "Whether to also answer requests for host names that no application has.",
        default=False,
        example=True,
    ),
    Key(
        "path",
        "str",
        "Mount point, which the application gets as SCRIPT_NAME.",
        default="/",
        example="/shop",
        check=checks.mount_path,
    ),
    Key(
        "tls",
        "raw",
        "Certificate of the domains: off, self_signed, acme (issued by an ACME server such as Let's Encrypt), or"
        " {certificate: …, key: …} with absolute paths on the front-end host or PEM text. With every value except off,"
        " HTTP is redirected to HTTPS.",
        default="off",
        example="acme",
        check=checks.tls,
        secret=True,
        forms="text or dictionary",
    ),
    Key(
        "hsts",
        "str",
        "Value of Strict-Transport-Security over TLS. Browsers then use HTTPS only, for that many seconds. An empty"
        " value sends no such header.",
        default="max-age=63072000",
        example="max-age=63072000; includeSubDomains",
        check=checks.pattern(
            r"(max-age=[0-9]+(; includeSubDomains)?(; preload)?)?",
            "max-age=SECONDS, optionally followed by '; includeSubDomains' and '; preload'",
        ),
    ),
    Key(
        "source",
        "dict",
        "Origin of the code: git, path or archive. Default: the application is one of its requirements.",
        options=SOURCE,
        example={"path": "./shop"},
    ),
    Key(
        "requirements",
        "list",
        "Lines as pip reads them. Default: the source's requirements.txt, pyproject.toml or setup.py. With an empty"
        " list nothing is installed, and the venv has no pip.",
        elements="str",
        example=["Django==5.2.8", "-r requirements.txt"],
        check=checks.line,
    ),
    Key(
        "python",
        "str",
        "Interpreter of the venv.",
        default="python3",
        example="python3",
        check=checks.python,
    ),
    Key(
        "wsgi",
        "str",
        "WSGI callable, as module:callable.",
        required=True,
        example="shop.wsgi:application",
        check=checks.wsgi,
    ),
    Key(
        "backend",
        "str",
        "Server that runs the application.",
        default=DEFAULT_BACK_END,
        choices=tuple(BACK_ENDS),
        example=DEFAULT_BACK_END,
    ),
    Key(
        "protocol",
        "str",
        "Protocol between front end and back end. Default: the first that both know; wsgi only if no site of another"
        " user has TLS there.",
        choices=tuple(sorted({p for row in BACK_ENDS.values() for p in row.serves})),
        example="uwsgi",
    ),
    Key("processes", "int", "Number of worker processes.", default=2, example=4, check=checks.at_least(1, 1024)),
    Key("threads", "int", "Number of threads in each process.", default=2, example=8, check=checks.at_least(1, 1024)),
    Key(
        "env",
        "dict",
        "Environment variables of the application and its setup steps.",
        default={},
        secret=True,
        example={"DJANGO_SETTINGS_MODULE": "shop.settings"},
        check=checks.env_value,
        check_key=checks.app_env_name,
    ),
    Key(
        "network",
        "bool",
        "Whether to let the application open network connections. Otherwise it can connect to unix sockets only."
        " Setup steps always have the network.",
        default=False,
        example=True,
    ),
    Key(
        "writable_paths",
        "list",
        "Folders outside its data folder that the application and its setup steps may write. You create them and"
        " give the account the right to write there.",
        default=[],
        elements="str",
        example=["/srv/uploads"],
        check=checks.writable_path,
        same=str,
    ),
    Key(
        "jit",
        "bool",
        "Whether to let the application create machine code and run it, as numba, PyPy and the callbacks of ctypes"
        " and cffi do.",
        default=False,
        example=True,
    ),
    Key(
        "proc",
        "bool",
        "Whether to let the application read the host's files in /proc, such as its memory, load and mounts, as psutil"
        " does. Processes of other accounts stay hidden.",
        default=False,
        example=True,
    ),
    Key(
        "static",
        "dict",
        "Static files that the front end serves itself: URLs inside the mount, and their paths in the release or"
        " absolute paths. A URL that ends in / is a folder.",
        default={},
        example={"/static/": "static", "/favicon.ico": "static/favicon.ico"},
        check=checks.file_path,
        check_key=checks.url,
        same=checks.without_slash,
    ),
    Key(
        "static_max_age",
        "int",
        "Time in seconds for which browsers and caches may keep a static file.",
        default=3600,
        example=86400,
        check=checks.at_least(0, 31536000),
    ),
    Key(
        "private",
        "dict",
        "Folders whose files the front end sends only if the application answers with X-Accel-Redirect: URLs inside"
        " the mount, and their paths in the release or absolute paths. With Cherokee, the header is X-Sendfile with the"
        " path of the file.",
        default={},
        example={"/protected/": "/var/lib/pyhost/shop/invoices"},
        check=checks.file_path,
        check_key=checks.url,
        same=checks.without_slash,
    ),
    Key(
        "headers",
        "dict",
        "Headers of every answer in which the application does not set them. An empty value removes one. Default: "
        + ", ".join(f"{name}: {value}" for name, value in HEADERS.items())
        + ".",
        default={},
        example={"Content-Security-Policy": "default-src 'self'"},
        check=checks.header_value,
        check_key=checks.header_name,
        same=str.lower,
    ),
    Key(
        "htaccess",
        "bool",
        "Whether to let Apache read the .htaccess files in folders of static files.",
        default=False,
        example=True,
    ),
    Key(
        "setup",
        "list",
        "Command lines that run in each new release as the application's user, with the venv first in PATH. {run:"
        " …, once: true} runs on one host only.",
        default=[],
        elements="raw",
        example=["python manage.py migrate --noinput"],
        check=checks.step,
        forms="list of text or dictionaries",
    ),
    Key(
        "build_timeout",
        "int",
        "Maximum time in seconds for one step of a build: getting the source, filling the venv, each line of setup.",
        default=1800,
        example=3600,
        check=checks.at_least(1, 86400),
    ),
    Key(
        "health",
        "dict",
        "Request that a new release must answer in its sandbox before it goes live.",
        default={},
        options=HEALTH,
        example={"path": "/health"},
    ),
    Key(
        "keep",
        "int",
        "Number of releases that a host keeps for rollbacks. The live one, the next one and the one before are"
        " always kept.",
        default=5,
        example=5,
        check=checks.at_least(1, 1000),
    ),
    Key(
        "limits",
        "dict",
        "Limits of the application. Each step of a build has the same memory, tasks and cpu. Its default of tasks is"
        " 512.",
        default={},
        options=LIMITS,
        example={"memory": "1G"},
    ),
    Key(
        "user",
        "str",
        "Account that runs the application. Default: its own, with the name of the application. Applications that name"
        " the same account share it. An account that exists on the host already is used only if it is named here.",
        example="shop",
        check=check_user,
    ),
    Key(
        "hosts",
        "str",
        "Group or host pattern of the back-end hosts that run it. Default: all of them.",
        example="backends_a",
        check=checks.line,
    ),
    Key(
        "port",
        "int",
        "TCP port for front ends on other hosts. Default: a stable port from 20000 to 29999, derived from the name.",
        example=20001,
        check=checks.at_least(1024, 65535),
    ),
    Key(
        "state",
        "str",
        "Desired state. absent ends the processes of the application and removes its service, site and code. Its data,"
        " account and logs stay.",
        default="present",
        choices=("present", "absent"),
        example="absent",
    ),
    Key(
        "purge",
        "bool",
        "Whether to remove the data too, with state absent, and to lock the account. Only an application of the same"
        " name, or one that names the account in user, can get it back.",
        default=False,
        example=True,
    ),
    Key(
        "extra",
        "dict",
        "Raw lines at the end of the site, for each front end.",
        default={},
        options=tuple(
            Key(
                name,
                "str",
                f"Lines for {name}, used where {name} is the front end.",
                default="",
                example="# …",
                check=checks.text,
            )
            for name in FRONT_ENDS
        ),
        example={DEFAULT_FRONT_END: "deny 192.0.2.0/24;"},
    ),
)

# Names that users try, with what they can do instead.
UNSUPPORTED = {
    "asgi": "ASGI is not supported, and `wsgi` cannot run an ASGI application. You can publish an ASGI server that you"
    " start with your own unit: see docs/roles.md.",
    "workers": "background workers are not supported. Start them with your own systemd units.",
    "timers": "scheduled jobs are not supported. Start them with your own systemd timers.",
}

APP_KEYS = {key.name: key for key in APP}


def like(name: str, **changes: t.Any) -> Key:
    """Return the application's key of that name with some of its fields changed."""
    return replace(APP_KEYS[name], **changes)


def limits(*names: str) -> Key:
    """Return the key of the limits with those alone that somebody keeps."""
    return like(
        "limits",
        description="Limits of the application.",
        options=tuple(key for key in LIMITS if key.name in names),
    )
