# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Apache beside its row: it also runs applications in its own daemon processes."""

from __future__ import annotations

from .._keys import checks
from .._keys.checks import parse_size
from .._keys.key import Key
from .mod_wsgi import daemon, daemon_options
from .server import FrontEndServer, Item


def _derive(sites: list[Item]) -> list[Item]:
    for site in sites:
        for mount in site["mounts"]:
            mount["daemon"] = mount["daemon"] and _daemon(mount)
    return sites


def _daemon(mount: Item) -> Item:
    """Return what is printed for the processes that Apache starts as an account of their own."""
    wanted, limits = mount["daemon"], mount["limits"]
    own = [
        f"user={wanted['user']}",
        f"group={wanted['user']}",
        # No cgroup of their own holds them: the share of each process.
        f"memory-limit={parse_size(limits['memory']) // wanted['processes']}",
    ]
    return daemon(mount["app"], wanted["script"], [*own, *daemon_options(wanted, limits)])


SERVER = FrontEndServer(
    variables=(
        Key(
            "frontend_apache_workers",
            "int",
            "Maximum number of worker processes, started on demand. Each answers 64 requests at a time and keeps"
            " some 4000 idle connections open.",
            default=16,
            example=32,
        ),
        Key(
            "frontend_apache_modules",
            "list",
            "Modules to load beside those that the sites need, for use in raw lines.",
            default=[],
            elements="str",
            example=["ratelimit"],
            check=checks.name,
        ),
        Key(
            "frontend_apache_server_extra",
            "list",
            "Raw lines of Apache's configuration outside of any site.",
            default=[],
            elements="str",
            example=["MaxConnectionsPerChild 100000"],
        ),
    ),
    derive=_derive,
)
