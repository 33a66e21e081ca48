# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who reaches an endpoint is found out by connecting: the listeners are real, systemd is not."""

from __future__ import annotations

import socket
import typing as t
from contextlib import ExitStack

import pytest
from ansible_collections.pyhost.web.plugins.module_utils._errors import PyhostError
from ansible_collections.pyhost.web.plugins.module_utils._transaction import reach
from ansible_collections.pyhost.web.plugins.module_utils._transaction.host import Host


def _endpoint(listener: socket.socket) -> str:
    address, port = listener.getsockname()[:2]
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


class _Unfiltered(Host):
    """A host whose systemd opens the throw-away socket, and whose kernel filters nothing."""

    def __init__(self, opened: ExitStack, status: int = 0) -> None:
        self.commands: list[list[str]] = []
        self.opened = opened
        self.status = status

    def run(self, command: t.Sequence[str], timeout: int = 900) -> tuple[int, str]:
        self.commands.append(list(command))
        if command[0] == "systemd-run" and not self.status:
            (listen,) = (word.partition("ListenStream=")[2] for word in command if "ListenStream=" in word)
            address, _colon, port = listen.rpartition(":")
            self.opened.enter_context(socket.create_server((address, int(port))))
        return (self.status, "Failed to start transient socket unit") if command[0] == "systemd-run" else (0, "")


@pytest.fixture
def opened() -> t.Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_only_endpoints_that_listen_answer(opened: ExitStack, address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listening = _endpoint(opened.enter_context(socket.create_server((address, 0), family=family)))
    with socket.create_server((address, 0), family=family) as ended:
        closed = _endpoint(ended)
    assert reach.answering([closed, listening, listening]) == [listening]


def test_an_endpoint_that_never_answers_is_not_waited_for() -> None:
    # No host has an address of this network (RFC 5737), so nothing can be asked from it either.
    assert reach.answering(["192.0.2.1:20001"], patience=0.1) == []


def test_a_kernel_that_does_not_filter_gets_no_endpoint(opened: ExitStack) -> None:
    host = _Unfiltered(opened)
    with pytest.raises(PyhostError, match="IPAddressDeny= has no effect on this host"):
        reach.prove(host)
    stop = ["systemctl", "stop", "pyhost.proof.socket", "pyhost.proof.service"]
    assert [command for command in host.commands if command[0] == "systemctl"] == [stop, stop]


def test_a_filter_that_lets_the_right_address_through_is_one(
    opened: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = reach.answering
    monkeypatch.setattr(
        reach, "answering", lambda endpoints, source: real(endpoints, source) if source == "127.0.0.2" else []
    )
    reach.prove(_Unfiltered(opened))


def test_a_socket_that_nobody_reaches_proves_nothing(opened: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "answering", lambda _endpoints, _source: [])
    with pytest.raises(PyhostError, match=r"127\.0\.0\.2 cannot connect to .*, although the socket allows it"):
        reach.prove(_Unfiltered(opened))


def test_a_proof_that_cannot_begin_says_why(opened: ExitStack) -> None:
    with pytest.raises(PyhostError, match="could not start: Failed to start transient socket unit"):
        reach.prove(_Unfiltered(opened, status=1))


def test_an_endpoint_that_answers_its_own_host_is_named(opened: ExitStack) -> None:
    listening = _endpoint(opened.enter_context(socket.create_server(("127.0.0.1", 0))))
    with pytest.raises(PyhostError, match=f"the endpoint {listening} accepts connections from accounts of this host"):
        reach.reject_open([listening])
