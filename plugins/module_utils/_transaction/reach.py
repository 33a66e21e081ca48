# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether endpoints over TCP are closed to everybody but the front ends, found out by connecting.

systemd filters a socket unit's addresses by BPF. Where the kernel or a container does not let it, systemd starts the
socket all the same and writes a line to its journal.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
import typing as t

from .._errors import PyhostError
from .._text import last_lines
from .host import Host

TABLE = ("nft", "list", "table", "inet", "pyhost")
"""Fails where the host has no table that guards the endpoints."""

PATIENCE = 1.0
"""Seconds to wait for a connection within this host; the filter drops packets without an answer."""

PROOF = "pyhost.proof"
FORBIDDEN, ALLOWED = "127.0.0.1", "127.0.0.2"


def answering(endpoints: t.Iterable[str], source: str = "", patience: float = PATIENCE) -> list[str]:
    """Return those of the endpoints (C(address:port), C([address]:port)) that accept a connection from this host.

    Connections come from the address C(source), or from the endpoint's own. They take C(patience) seconds together.
    """
    found = set()
    with contextlib.ExitStack() as stack:
        waiting = stack.enter_context(selectors.DefaultSelector())
        for endpoint in dict.fromkeys(endpoints):
            address, _colon, port = endpoint.rpartition(":")
            address = address.strip("[]")
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            client = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
            client.setblocking(False)
            # An address that the host does not have has no endpoint that could answer.
            with contextlib.suppress(OSError):
                client.bind((source or address, 0))
                client.connect_ex((address, int(port)))
                waiting.register(client, selectors.EVENT_WRITE, endpoint)
        end = time.monotonic() + patience
        while waiting.get_map() and (left := end - time.monotonic()) > 0:
            for key, _events in waiting.select(left):
                client = t.cast("socket.socket", key.fileobj)
                if not client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    found.add(str(key.data))
                waiting.unregister(client)
    return sorted(found)


def prove(host: Host) -> None:
    """Raise PyhostError where the addresses that a socket unit denies can reach it.

    A throw-away socket on the loopback denies one address and allows another, so that it is known to listen.
    """
    units = [f"{PROOF}.socket", f"{PROOF}.service"]
    # An interrupted run may have left it.
    host.run(["systemctl", "stop", *units])
    port = _free_port()
    allow = [f"ListenStream={FORBIDDEN}:{port}", "IPAddressDeny=any", f"IPAddressAllow={ALLOWED}"]
    command = ["systemd-run", "--quiet", "--collect", f"--unit={PROOF}"]
    try:
        status, output = host.run([*command, *(f"--socket-property={line}" for line in allow), "sleep", "30"])
        if status:
            raise PyhostError(f"the check of IPAddressDeny= could not start: {last_lines(output)}")
        endpoint = f"{FORBIDDEN}:{port}"
        if answering([endpoint], FORBIDDEN):
            raise PyhostError(
                "IPAddressDeny= has no effect on this host, so anyone could connect to the endpoints of the"
                " applications. No application was started. systemd needs BPF for this filter: allow BPF in the"
                " container, use another kernel, or run the applications on their front-end host."
            )
        if not answering([endpoint], ALLOWED):
            raise PyhostError(
                f"the check of IPAddressDeny= failed: {ALLOWED} cannot connect to {endpoint}, although the"
                " socket allows it. Check the firewall and the loopback interface of this host."
            )
    finally:
        host.run(["systemctl", "stop", *units])


def exposed(endpoint: str) -> str:
    """Return what is wrong with an endpoint that answers this host."""
    return (
        f"the endpoint {endpoint} accepts connections from accounts of this host, not only from front ends:"
        " IPAddressDeny= has no effect. Allow systemd to use BPF on this host."
    )


def reject_open(endpoints: t.Iterable[str]) -> None:
    """Raise PyhostError where an endpoint answers this host's own address, which is none of a front end."""
    found = answering(endpoints)
    if found:
        raise PyhostError("\n".join(map(exposed, found)))


def _free_port() -> int:
    with socket.create_server((FORBIDDEN, 0)) as trial:
        return int(trial.getsockname()[1])
