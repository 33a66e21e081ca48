# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every path and unit name of an application on a host, in one place.

Private to the collection.
"""

from __future__ import annotations

ROOT = "/srv/pyhost"
"""Code and venvs: a folder for each application."""
STATE = "/var/lib/pyhost"
"""What applications may write, and the manifests."""
CACHE = "/var/cache/pyhost"
"""What builds keep for the next one."""
RUN = "/run/pyhost"
"""Endpoints."""
ETC = "/etc/pyhost"
"""Environments, certificates, and what the servers of applications read."""
MANIFESTS = f"{STATE}/.manifest"
CHAIN, KEY = "fullchain.pem", "privkey.pem"
"""In the folder of a certificate; certbot's names."""


def application(name: str) -> str:
    """Return the folder with an application's releases and the links to them."""
    return f"{ROOT}/{name}"


def state(name: str) -> str:
    """Return the folder that the application may write."""
    return f"{STATE}/{name}"


def cache(name: str) -> str:
    """Return the folder that its builds may write."""
    return f"{CACHE}/{name}"


def endpoint(name: str) -> str:
    """Return the unix socket at which the application is asked."""
    return f"{RUN}/{name}.sock"


def public(name: str, path: str) -> str:
    """Return where the front end finds a path of the live release; an absolute one is taken as it is."""
    return path if path.startswith("/") else f"{ROOT}/{name}/current/public/{path}"


def in_release(path: str) -> bool:
    """Return whether a path is in a release, where nobody can make links."""
    return path.startswith(f"{ROOT}/")


def wsgi_script(name: str) -> str:
    """Return the script file that mod_wsgi loads."""
    return f"{ETC}/mod_wsgi/{name}.wsgi"


def service(name: str) -> str:
    """Return the unit of the web processes."""
    return f"pyhost-{name}.service"


def socket(name: str) -> str:
    """Return the unit of the endpoint."""
    return f"pyhost-{name}.socket"


def certificate(name: str) -> str:
    """Return the folder in which servers find the certificate and the key of a site."""
    return f"{ETC}/tls/{name}"
