# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who speaks and who serves which protocol: the one table that the playbooks, the tests and the docs are made from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FrontEnd:
    """A server that publishes sites.

    ``speaks`` is in the order of preference; what is ``tcp_only`` of it does not reach unix sockets. Without ``tls``
    it has no certificates. Where it ``limits_visitors``, it counts the requests of each address to each application.
    """

    name: str
    speaks: tuple[str, ...]
    tcp_only: tuple[str, ...] = ()
    tls: bool = True
    limits_visitors: bool = False


# The distribution's servers embed the distribution's interpreter; these are its names.
SYSTEM_PYTHONS = ("python3", "/usr/bin/python3")

# The front end starts the processes itself, so the application is on its host.
INSIDE_THE_FRONT_END = "wsgi"


@dataclass(frozen=True)
class BackEnd:
    """A server that runs applications.

    ``serves`` is in the order of preference; ``requirements`` go into the venv. Where the server is ``packaged``, the
    distribution's own interpreter has it from there, and only the venvs of other interpreters need them.
    """

    name: str
    serves: tuple[str, ...]
    requirements: tuple[str, ...] = ()
    packaged: bool = False

    def server_requirements(self, python: str) -> list[str]:
        """Return what the venv of that interpreter needs for this server."""
        return [] if self.packaged and python in SYSTEM_PYTHONS else list(self.requirements)

    def runs(self, python: str) -> bool:
        """Return whether that interpreter has this server, from the distribution or from its venv."""
        return python in SYSTEM_PYTHONS or bool(self.requirements)


FRONT_ENDS: dict[str, FrontEnd] = {
    row.name: row
    for row in (
        FrontEnd("nginx", speaks=("uwsgi", "fastcgi", "scgi", "http"), limits_visitors=True),
        FrontEnd("lighttpd", speaks=("uwsgi", "fastcgi", "scgi", "http")),
        FrontEnd("apache", speaks=("wsgi", "uwsgi", "fastcgi", "scgi", "http")),
        FrontEnd("cherokee", speaks=("uwsgi", "fastcgi", "scgi", "http"), tcp_only=("http",), tls=False),
    )
}

BACK_ENDS: dict[str, BackEnd] = {
    row.name: row
    for row in (
        BackEnd("uwsgi", serves=("uwsgi",), requirements=("pyuwsgi==2.0.30.post1",), packaged=True),
        BackEnd("flup", serves=("fastcgi", "scgi"), requirements=("flup==1.0.3",)),
        BackEnd("mod_wsgi", serves=("wsgi", "http"), packaged=True),
    )
}


def protocols(front_end: str, back_end: str, *, same_host: bool = True) -> list[str]:
    """Return the protocols that connect the two, the back end's favourite first; empty where none does.

    On the same host they talk over a unix socket, else over TCP.
    """
    row = FRONT_ENDS[front_end]
    unusable = row.tcp_only if same_host else (INSIDE_THE_FRONT_END,)
    return [protocol for protocol in BACK_ENDS[back_end].serves if protocol in row.speaks and protocol not in unusable]
