# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The systemd sandbox of code that comes from outside, in one place for services and for build steps."""

from __future__ import annotations

ENDPOINT_PORTS = (20000, 29999)
"""First and last of the TCP ports from which the endpoints of applications get theirs."""

# What every such process does without. PrivateUsers= is left out: it cannot stand beside ProcSubset=pid everywhere.
COMMON = [
    "NoNewPrivileges=yes",
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "DevicePolicy=closed",
    "ProtectSystem=strict",
    "ProtectHome=yes",
    # A server may leave its logs, which tell of all sites' visitors, for everybody to read.
    "InaccessiblePaths=-/var/log",
    "ProtectKernelTunables=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelLogs=yes",
    "ProtectControlGroups=yes",
    "ProtectClock=yes",
    "ProtectHostname=yes",
    "ProtectProc=invisible",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "LockPersonality=yes",
    "SystemCallArchitectures=native",
    "CapabilityBoundingSet=",
    "AmbientCapabilities=",
    # Where an endpoint will be, nobody else may listen before. Debian 12's systemd cannot keep anybody from it; there,
    # and for other ports, the nftables table of the endpoints does.
    f"SocketBindDeny=tcp:{ENDPOINT_PORTS[0]}-{ENDPOINT_PORTS[1]}",
    "RemoveIPC=yes",
    "KeyringMode=private",
    "UMask=0027",
]

# What a running application does without besides; builds may need it (compilers, JITs of tool chains).
_SERVICE = [
    *COMMON,
    "ProcSubset=pid",
    "SystemCallFilter=@system-service",
    "SystemCallFilter=~@privileged @resources",
    "SystemCallErrorNumber=EPERM",
]

_NO_JIT = ["MemoryDenyWriteExecute=yes"]
_NETWORK = ["RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6"]
_NO_NETWORK = ["RestrictAddressFamilies=AF_UNIX", "PrivateNetwork=yes", "IPAddressDeny=any"]
# The loopback is the service's own one: nobody else reaches what it has there, nor it what others have on theirs.
_OWN_LOOPBACK = [
    "RestrictAddressFamilies=AF_UNIX AF_INET",
    "PrivateNetwork=yes",
    "IPAddressDeny=any",
    "IPAddressAllow=127.0.0.1",
]


def service(network: bool, jit: bool = False, loopback: bool = False) -> list[str]:
    """Return the sandbox of a running application, which may open network connections or reaches unix sockets only.

    With ``jit`` it may make machine code and run it. With ``loopback``, its server consists of several parts that reach
    each other over a loopback of their own.
    """
    reach = _NETWORK if network else _OWN_LOOPBACK if loopback else _NO_NETWORK
    return [*_SERVICE, *([] if jit else _NO_JIT), *reach]
