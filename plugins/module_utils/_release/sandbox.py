# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The systemd sandbox of code that comes from outside, in one place for services and for build steps."""

from __future__ import annotations

ENDPOINT_PORTS = (20000, 29999)
"""First and last of the TCP ports from which the endpoints of applications get theirs."""

# What every such process does without. PrivateUsers= is left out: it cannot stand beside ProcSubset=pid everywhere.
COMMON = [
    "NoNewPrivileges=yes",
    "PrivateDevices=yes",
    "DevicePolicy=closed",
    "ProtectSystem=strict",
    "ProtectHome=yes",
    # ProcSubset=pid makes systemd miss this mount, with its /run/lock for everybody.
    "ReadOnlyPaths=/run",
    # A server may leave its logs, which tell of all sites' visitors, for everybody to read. The system bus shows the
    # processes of other accounts with their arguments, whatever ProtectProc= hides. PrivateDevices= keeps the pseudo
    # terminals, of which a host has one small number for everybody.
    "InaccessiblePaths=-/var/log -/run/log -/run/dbus -/dev/ptmx -/dev/pts",
    # The service manager's sockets have other names in each version: only those stay that a service needs.
    "TemporaryFileSystem=/run/systemd:ro",
    # The journal's third socket, for output, is left out: each connection costs the service manager a file in /run, and
    # has no limit. The service manager connects the output of a service before it builds the sandbox.
    "BindReadOnlyPaths=-/run/systemd/journal/dev-log -/run/systemd/journal/socket -/run/systemd/notify",
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
    "PrivateIPC=yes",
    # The host would write them outside all limits of the application.
    "LimitCORE=0",
    # Where an endpoint will be, nobody else may listen before. Debian 12's systemd cannot keep anybody from it; there,
    # and for other ports, the nftables table of the endpoints does.
    f"SocketBindDeny=tcp:{ENDPOINT_PORTS[0]}-{ENDPOINT_PORTS[1]}",
    "KeyringMode=private",
    "UMask=0027",
]

# What a running application does without besides; builds may need it (compilers, JITs of tool chains).
_SERVICE = [
    *COMMON,
    "RemoveIPC=yes",
]
_SYSTEM_CALLS = [
    "SystemCallFilter=@system-service",
    "SystemCallFilter=~@privileged @resources",
    "SystemCallErrorNumber=EPERM",
]

_NO_JIT = ["MemoryDenyWriteExecute=yes"]
_NO_PROC = ["ProcSubset=pid"]
# The names of hosts too, which systemd-resolved would also look up for who has no network.
_RESOLVED = "BindReadOnlyPaths=-/run/systemd/resolve"
_NETWORK = ["RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6", _RESOLVED]
_NO_NETWORK = ["RestrictAddressFamilies=AF_UNIX", "PrivateNetwork=yes", "IPAddressDeny=any"]
# The loopback is the service's own one: nobody else reaches what it has there, nor it what others have on theirs.
_OWN_LOOPBACK = [
    "RestrictAddressFamilies=AF_UNIX AF_INET",
    "PrivateNetwork=yes",
    "IPAddressDeny=any",
    "IPAddressAllow=127.0.0.1",
]


# Temporary files on disk, as compilers need more room than memory has; the unit takes them along when it ends.
BUILD = [*COMMON, "PrivateTmp=yes", _RESOLVED]
MEMORY, TASKS = 512 << 20, 512
"""What may be used without limits of an application: bytes and tasks; a server may have more of these."""

SLICE = "pyhost.build.slice"
"""Where builds and checks run; no application's name has a dot."""


def _own(size: int) -> str:
    """Return the options of a folder in memory, of so many bytes: each file takes a kilobyte of the kernel besides."""
    return f"mode=1777,size={size},nr_inodes={size >> 14}"


def limits(memory: int, tasks: int, cpu: str | None = None) -> list[str]:
    """Return what a service or a build step may use: bytes of memory, tasks, and processors such as C(150%).

    Shared memory is among it: nobody fills that of the host.
    """
    return [
        f"MemoryMax={memory}",
        # Else what no longer fits would go on in the host's.
        f"MemorySwapMax={memory}",
        # The process that is too large ends; the others go on.
        "OOMPolicy=continue",
        f"TasksMax={tasks}",
        *([f"CPUQuota={cpu}"] if cpu else []),
        f"TemporaryFileSystem=/dev/shm:{_own(memory // 8)}",
    ]


def temporary(memory: int) -> list[str]:
    """Return the folders for temporary files of a service with so many bytes of memory, instead of the host's.

    With /dev/shm they take half of it at most, so who fills them can still run.
    """
    return [f"TemporaryFileSystem=/tmp:{_own(memory // 4)} /var/tmp:{_own(memory // 8)}"]


def service(network: bool, jit: bool = False, loopback: bool = False, proc: bool = False) -> list[str]:
    """Return the sandbox of a running application, which may open network connections or reaches unix sockets only.

    With ``jit`` it may make machine code and run it. With ``proc`` it sees what the kernel reports of the whole host,
    but no process of others. With ``loopback``, its server consists of several parts that reach
    each other over a loopback of their own.
    """
    reach = _NETWORK if network else _OWN_LOOPBACK if loopback else _NO_NETWORK
    return [*_SERVICE, *([] if proc else _NO_PROC), *_SYSTEM_CALLS, *([] if jit else _NO_JIT), *reach]
