# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""mod_wsgi beside its row: daemon processes in an Apache of the application's own, or in the one that publishes it."""

from __future__ import annotations

import posixpath
import typing as t

from ...module_utils._layout import wsgi_script
from ...module_utils._release.sandbox import BUILD, SLICE
from .._keys.app import like, limits
from .._keys.checks import parse_size
from .server import BackEndServer, Item


def daemon(name: str, script: str, options: list[str]) -> Item:
    """Return what the templates print of an application's daemon processes."""
    return {"name": name, "script": script, "folder": posixpath.dirname(script), "options": options}


def daemon_options(wanted: t.Mapping[str, t.Any], limits: t.Mapping[str, t.Any]) -> list[str]:
    """Return options of WSGIDaemonProcess, in its units (seconds, bytes)."""
    timeout = limits["timeout"]
    return [
        # Given at all, even one process counts as several.
        *([f"processes={wanted['processes']}"] if wanted["processes"] > 1 else []),
        f"threads={wanted['threads']}",
        f"python-home={wanted['venv']}",
        # The account may have none; the script goes to the code.
        "home=/",
        "display-name=%{GROUP}",
        "lang=C.UTF-8",
        "locale=C.UTF-8",
        "umask=0027",
        # On the average of a process's threads: one that hangs is the front end's to give up, all of them end it.
        f"request-timeout={timeout}",
        f"socket-timeout={timeout}",
        f"queue-timeout={timeout}",
        # A process that is to go finishes what it has begun.
        f"graceful-timeout={timeout}",
        f"shutdown-timeout={timeout}",
        "listen-backlog=4096",
        # A response header of more than the stock 32k would be a 500.
        "header-buffer-size=65536",
    ]


# Seconds that the check of an application inside Apache may take.
_CHECK_TIMEOUT = 600


def _check(item: Item) -> list[str]:
    """Return the beginning of a command line: it runs its rest in a unit as builds do, and prints why it failed.

    The words come through the journal: a process that the check leaves behind cannot hold a pipe of this command open.
    """
    script = (
        f"unit=pyhost-{item['name']}.build.check-$$.service;"
        ' systemd-run --wait --quiet --collect --unit=$unit "$@" && exit; status=$?;'
        " journalctl --sync; journalctl --unit=$unit --lines=20 --output=cat --no-pager --quiet; exit $status"
    )
    writable = " ".join(f"-{path}" for path in [item["state"], *item["writable_paths"]])
    settings = [
        *BUILD,
        *item["bounds"],
        f"User={item['user']}",
        f"ReadWritePaths={writable}",
        f"RuntimeMaxSec={_CHECK_TIMEOUT}",
        "TimeoutStopSec=10",
    ]
    return ["sh", "-c", script, "sh", f"--slice={SLICE}", *(f"--property={setting}" for setting in settings)]


def _derive(item: Item) -> Item:
    script = wsgi_script(item["name"])
    variables = {"HOME": item["state"], "STATE_DIRECTORY": item["state"], "LANG": "C.UTF-8", **item["env"]}
    return {
        "script": script,
        "check": _check(item),
        # As Python writes them.
        "variables": [(repr(name), repr(value)) for name, value in sorted(variables.items())],
        "daemon": daemon(item["name"], script, daemon_options(item, item["limits"])),
        "body": parse_size(item["limits"]["body"]),
    }


# The other back ends get the mount point with each request, and requests whose body the front end has counted.
SERVER = BackEndServer(keys=(like("path"), limits("memory", "tasks", "cpu", "timeout", "body")), derive=_derive)
