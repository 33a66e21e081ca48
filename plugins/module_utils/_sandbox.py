# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The systemd sandbox of code that comes from outside, in one place for services and for build steps."""

from __future__ import annotations

# What every such process does without. PrivateUsers= is left out: it cannot stand beside ProcSubset=pid everywhere.
COMMON = [
    "NoNewPrivileges=yes",
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "DevicePolicy=closed",
    "ProtectSystem=strict",
    "ProtectHome=yes",
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
    "RemoveIPC=yes",
    "KeyringMode=private",
    "UMask=0027",
]

# What a running application does without besides; builds may need it (compilers, JITs of tool chains).
_SERVICE = [
    *COMMON,
    "ProcSubset=pid",
    "MemoryDenyWriteExecute=yes",
    "SystemCallFilter=@system-service",
    "SystemCallFilter=~@privileged @resources",
    "SystemCallErrorNumber=EPERM",
]

_NETWORK = ["RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6"]
_NO_NETWORK = ["RestrictAddressFamilies=AF_UNIX", "PrivateNetwork=yes", "IPAddressDeny=any"]


def service(network: bool) -> list[str]:
    """Return the sandbox of a running application, which may open network connections or reaches unix sockets only."""
    return [*_SERVICE, *(_NETWORK if network else _NO_NETWORK)]
