# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who speaks and who serves which protocol, and what each server can: one row a server.

Private to the collection.

The playbooks, the roles' variables, the tests and the docs are made from these rows. What takes more than a value is in
the server's file in plugin_utils/_servers.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FrontEnd:
    """A server that publishes sites."""

    name: str
    title: str
    """How its own documentation writes it."""
    speaks: tuple[str, ...]
    """Protocols towards applications, in the order of preference."""
    unit: str
    package: str
    """The Debian package; empty where Debian has none."""
    config: str
    """The folder of its configuration."""
    logs: str
    """The folder of its logs."""
    tcp_only: tuple[str, ...] = ()
    """Those of its protocols that do not reach unix sockets."""
    listen: tuple[str, ...] = ("80", "[::]:80")
    """Where it listens by default."""
    tls: bool = True
    """Whether it has certificates."""
    http3: bool = False
    """Whether some release of Debian has it with HTTP/3."""
    limits_visitors: bool = False
    """Whether it counts the requests of each address to each application."""
    htaccess: bool = False
    """Whether it reads .htaccess files."""
    trusts_proxies: bool = True
    """Whether it takes a visitor's address and scheme from proxies in front of it."""
    logs_json: bool = True
    """Whether its access log can be JSON."""
    separates_private: bool = True
    """Whether it keeps an application's private files from the visitors of others."""


# The distribution's servers embed the distribution's interpreter; these are its names.
SYSTEM_PYTHONS = ("python3", "/usr/bin/python3")

# The front end starts the processes itself, so the application is on its host.
INSIDE_THE_FRONT_END = "wsgi"


@dataclass(frozen=True)
class BackEnd:
    """A server that runs applications."""

    name: str
    title: str
    """How its own documentation writes it."""
    serves: tuple[str, ...]
    """Protocols of its endpoints, in the order of preference."""
    requirements: tuple[str, ...] = ()
    """What the venv needs for it, as pip reads it."""
    packaged: bool = False
    """Whether the distribution has it for its own interpreter, so that only other venvs need the requirements."""
    loopback: bool = False
    """Whether it consists of several parts that reach each other over a loopback of their own."""
    tasks: int = 0
    """Processes and threads that it needs beside those that answer requests."""
    front_end_reads: tuple[str, ...] = ()
    """Files of an application that a front end may read until it publishes it in another way."""

    reads: tuple[str, ...] = ()
    """Environment variables that it would take for settings of its own, as patterns for names."""

    def server_requirements(self, python: str) -> list[str]:
        """Return what the venv of that interpreter needs for this server."""
        return [] if self.packaged and python in SYSTEM_PYTHONS else list(self.requirements)

    def runs(self, python: str) -> bool:
        """Return whether that interpreter has this server, from the distribution or from its venv."""
        return python in SYSTEM_PYTHONS or bool(self.requirements)


_ALL = ("uwsgi", "fastcgi", "scgi", "http")

FRONT_ENDS: dict[str, FrontEnd] = {
    row.name: row
    for row in (
        FrontEnd(
            "nginx",
            "nginx",
            speaks=_ALL,
            unit="nginx.service",
            package="nginx",
            config="/etc/nginx",
            logs="/var/log/nginx",
            http3=True,
            limits_visitors=True,
        ),
        FrontEnd(
            "lighttpd",
            "lighttpd",
            speaks=_ALL,
            unit="lighttpd.service",
            package="lighttpd",
            config="/etc/lighttpd",
            logs="/var/log/lighttpd",
        ),
        FrontEnd(
            "apache",
            "Apache",
            speaks=(INSIDE_THE_FRONT_END, *_ALL),
            unit="apache2.service",
            package="apache2",
            config="/etc/apache2",
            logs="/var/log/apache2",
            htaccess=True,
        ),
        FrontEnd(
            "cherokee",
            "Cherokee",
            speaks=_ALL,
            unit="cherokee.service",
            package="",
            config="/etc/cherokee",
            logs="/var/log/cherokee",
            tcp_only=("http",),
            listen=("80",),
            tls=False,
            trusts_proxies=False,
            logs_json=False,
            separates_private=False,
        ),
    )
}

BACK_ENDS: dict[str, BackEnd] = {
    row.name: row
    for row in (
        BackEnd(
            "uwsgi",
            "uWSGI",
            serves=("uwsgi",),
            requirements=("pyuwsgi==2.0.30.post1",),
            packaged=True,
            reads=("UWSGI_*",),
        ),
        BackEnd("flup", "flup", serves=("fastcgi", "scgi"), requirements=("flup==1.0.3",), reads=("FCGI_*",)),
        BackEnd(
            "mod_wsgi",
            "mod_wsgi",
            serves=(INSIDE_THE_FRONT_END, "http"),
            packaged=True,
            loopback=True,
            # The threads of its Apache.
            tasks=1100,
            front_end_reads=("/etc/pyhost/mod_wsgi/{name}.wsgi",),
        ),
    )
}

# What publishes and runs an application that says nothing about it.
DEFAULT_FRONT_END, DEFAULT_BACK_END = "nginx", "uwsgi"


def protocols(front_end: str, back_end: str, *, same_host: bool = True) -> list[str]:
    """Return the protocols that connect the two, the back end's favourite first; empty where none does.

    On the same host they talk over a unix socket, else over TCP.
    """
    row = FRONT_ENDS[front_end]
    unusable = row.tcp_only if same_host else (INSIDE_THE_FRONT_END,)
    return [protocol for protocol in BACK_ENDS[back_end].serves if protocol in row.speaks and protocol not in unusable]
