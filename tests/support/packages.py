"""What a package manager does to a host on its own."""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor

from testinfra.host import Host

# An upgrade is one of all the packages that are made of one source.
UPGRADE = """
source=$(dpkg-query --show --showformat '${source:Package}' %s) &&
dpkg-query --show --showformat '${db:Status-Status} ${source:Package} ${Package}\\n' |
sed -n "s/^installed $source //p" |
DEBIAN_FRONTEND=noninteractive xargs apt-get install --yes --reinstall
"""


# docs/deploy.md shows these two.
NO_RESTARTS = """printf '#!/bin/sh\\n[ "$2" != restart ] || exit 101\\n' > /usr/sbin/policy-rc.d
chmod +x /usr/sbin/policy-rc.d"""
RESTARTS = "rm /usr/sbin/policy-rc.d"


def upgrade(hosts: t.Sequence[Host], package: str, restarts: bool = True) -> None:
    """Let dpkg do what it does at an upgrade: a reinstallation runs the same maintainer scripts.

    Without ``restarts`` they are not allowed to restart anything.
    """

    def reinstall(host: Host) -> None:
        if not restarts:
            host.check_output(NO_RESTARTS)
        host.check_output(UPGRADE, package)
        if not restarts:
            host.check_output(RESTARTS)

    with ThreadPoolExecutor(len(hosts)) as pool:
        list(pool.map(reinstall, hosts))
