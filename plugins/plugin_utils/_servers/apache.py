# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Apache beside its row: it also runs applications in its own daemon processes."""

from __future__ import annotations

import re

from .._keys import checks
from .._keys.checks import parse_size
from .._keys.key import Key
from .mod_wsgi import daemon, daemon_options
from .server import FrontEndServer, Item

# Modules by what needs them.
_MODULES: dict[str, tuple[str, ...]] = {
    "always": (
        "mpm_event", "alias", "allowmethods", "authz_core", "deflate", "env", "filter", "headers", "mime", "remoteip",
        "reqtimeout", "rewrite", "setenvif",
    ),
    "tls": ("ssl", "socache_shmcb", "http2"),
    "private": ("xsendfile",),
    "several_endpoints": ("proxy", "slotmem_shm", "proxy_balancer", "lbmethod_byrequests"),
    # What people write in .htaccess files.
    "htaccess": (
        "access_compat", "auth_basic", "authn_core", "authn_file", "authz_groupfile", "authz_host", "authz_user", "dir",
        "expires",
    ),
    "wsgi": ("wsgi",),
    "uwsgi": ("proxy", "proxy_uwsgi"),
    "fastcgi": ("proxy", "proxy_fcgi"),
    "scgi": ("proxy", "proxy_scgi"),
    "http": ("proxy", "proxy_http"),
}  # fmt: skip
# How the URLs of mod_proxy call the protocols.
_SCHEMES = {"uwsgi": "uwsgi", "fastcgi": "fcgi", "scgi": "scgi", "http": "http"}
# Types of files that are sent precompressed; Apache would take the type from the last ending.
_COMPRESSED = {
    "css": "text/css",
    "html": "text/html",
    "js": "text/javascript",
    "json": "application/json",
    "map": "application/json",
    "mjs": "text/javascript",
    "svg": "image/svg+xml",
    "txt": "text/plain",
    "wasm": "application/wasm",
    "xml": "text/xml",
}
# Texts of the log that visitors choose: the value, and the part of it that is logged.
_LOGGED = {
    "method": {"value": "%{REQUEST_METHOD}", "part": ""},
    "uri": {"value": "%{THE_REQUEST}", "part": r"^\S+ +(\S+).*"},
    "referer": {"value": "%{req_novary:Referer}", "part": ""},
    "user_agent": {"value": "%{req_novary:User-Agent}", "part": ""},
}


def _complete(sites: list[Item]) -> None:
    for site in sites:
        for mount in site["mounts"]:
            mount["daemon"] = mount["daemon"] and _daemon(mount)


def _derive(front_end: Item) -> Item:
    published = [mount for site in front_end["sites"] for mount in site["mounts"]]
    needs = [
        *front_end["needs"],
        *(["private"] if any(mount["private"] for mount in published) else []),
        *(["several_endpoints"] if any(len(mount["endpoints"]) > 1 for mount in published) else []),
        *(["htaccess"] if any(mount["htaccess"] for mount in published) else []),
    ]
    modules = [module for need in needs for module in _MODULES.get(need, ())]
    daemons = [mount["daemon"] for mount in published if mount["daemon"]]
    return {
        "modules": list(dict.fromkeys([*modules, *front_end["modules"]])),
        "listen": _listen(front_end["listen"]),
        "listen_tls": _listen(front_end["listen_tls"]),
        "addresses": _addresses(front_end["listen"]),
        "addresses_tls": _addresses(front_end["listen_tls"]),
        "accounts": list(dict.fromkeys(daemon["user"] for daemon in daemons)),
        "daemons": [daemon for number, daemon in enumerate(daemons) if daemon not in daemons[:number]],
        "virtual_hosts": _virtual_hosts(front_end["sites"]),
        "scheme": _SCHEMES,
        "compressed": _COMPRESSED,
        "logged": _LOGGED,
    }


def _listen(listen: list[str]) -> list[str]:
    """Return where it listens; a port alone would be one of IPv6 too."""
    return [f"0.0.0.0:{each}" if each.isdecimal() else each for each in listen]


def _addresses(listen: list[str]) -> list[str]:
    """Return where its virtual hosts are; a port is the same over IPv4 and IPv6."""
    return list(dict.fromkeys(re.sub(r"^(\[::\]:)?(?=[0-9]+$)", "*:", each) for each in listen))


def _virtual_hosts(sites: list[Item]) -> list[Item]:
    """Return name-based hosts in the order in which the first that matches is the right one.

    The default site comes first of all, then exact names, then wildcards, those with more labels before the others.
    Each has the ``site``'s name, its ``names`` and whether they are ``wildcard`` names.
    """
    exact = [
        {
            "site": site["name"],
            "names": [name for name in site["domains"] if not name.startswith("*")],
            "wildcard": False,
            "default": site["default"],
            "certificate": site["certificate"],
            "hsts": site["hsts"],
        }
        for site in sites
    ]
    wildcards = [
        {
            "site": site["name"],
            "names": [name],
            "wildcard": True,
            "default": False,
            "certificate": site["certificate"],
            "hsts": site["hsts"],
        }
        for site in sites
        for name in site["domains"]
        if name.startswith("*")
    ]
    return [
        *sorted((host for host in exact if host["names"] or host["default"]), key=lambda host: not host["default"]),
        *sorted(wildcards, key=lambda host: -host["names"][0].count(".")),
    ]


def _daemon(mount: Item) -> Item:
    """Return what is printed for the processes that Apache starts as an account of their own."""
    wanted, limits = mount["daemon"], mount["limits"]
    own = [
        f"user={wanted['user']}",
        f"group={wanted['user']}",
        # No cgroup of their own holds them: the share of each process.
        f"memory-limit={parse_size(limits['memory']) // wanted['processes']}",
    ]
    return daemon(mount["app"], wanted["script"], [*own, *daemon_options(wanted, limits)]) | {"user": wanted["user"]}


SERVER = FrontEndServer(
    packages={
        "always": ("apache2", "libapache2-mod-xsendfile", "logrotate"),
        "wsgi": ("libapache2-mod-wsgi-py3",),
        "tls": ("openssl",),
        "acme": ("certbot",),
    },
    variables=(
        Key(
            "frontend_apache_workers",
            "int",
            "Maximum number of worker processes, started on demand. Each answers 64 requests at a time and keeps"
            " some 4000 idle connections open.",
            default=16,
            example=32,
            check=checks.at_least(1, 20000),
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
    answers_unknown_names=True,
    complete=_complete,
    derive=_derive,
)
