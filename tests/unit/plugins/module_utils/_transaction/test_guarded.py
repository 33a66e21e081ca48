# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A transaction starts sockets over TCP only where they are closed to others, and reloads what was lost."""

from __future__ import annotations

import socket
import typing as t

import pytest
from ansible_collections.pyhost.web.plugins.module_utils._errors import PyhostError
from ansible_collections.pyhost.web.plugins.module_utils._transaction import reach
from ansible_collections.pyhost.web.plugins.module_utils._transaction.host import Host
from ansible_collections.pyhost.web.plugins.module_utils._transaction.wish import Wish

from .conftest import SERVER, FakeHost

SOCKET = "pyhost-shop.socket"


def _wish(host: FakeHost, endpoint: str, text: str = "listen\n") -> Wish:
    file = {f"etc/systemd/system/{SOCKET}": {"content": text, "unit": SOCKET, "verb": "restart"}}
    return host.wish(file, (SOCKET,), test=None, closed=(endpoint,))


@pytest.fixture
def proofs(monkeypatch: pytest.MonkeyPatch) -> list[Host]:
    """Return the hosts that were proved to filter addresses."""
    proved: list[Host] = []
    monkeypatch.setattr(reach, "prove", proved.append)
    return proved


@pytest.fixture
def closed() -> str:
    """Return an endpoint at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as ended:
        return f"127.0.0.1:{ended.getsockname()[1]}"


def test_sockets_start_only_where_addresses_are_filtered(
    host: FakeHost, monkeypatch: pytest.MonkeyPatch, closed: str
) -> None:
    def fail(_host: Host) -> None:
        raise PyhostError("no filter")

    monkeypatch.setattr(reach, "prove", fail)
    before = host.tree()
    assert str(host.refuse(_wish(host, closed))) == "no filter"
    assert host.tree() == before
    assert SOCKET not in host.running()
    assert not host.litter()


def test_filtering_is_proved_when_sockets_start_and_not_again(host: FakeHost, proofs: list[Host], closed: str) -> None:
    host.apply(_wish(host, closed), check=True)
    assert proofs == []
    host.apply(_wish(host, closed))
    host.apply(_wish(host, closed))
    assert proofs == [host]
    host.apply(_wish(host, closed, "listen elsewhere\n"))
    assert proofs == [host, host]


def test_an_endpoint_that_is_open_to_others_is_rolled_back(host: FakeHost, proofs: list[Host]) -> None:
    before = host.tree()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        endpoint = f"127.0.0.1:{listener.getsockname()[1]}"
        assert f"the endpoint {endpoint} accepts connections from accounts of this host" in str(
            host.refuse(_wish(host, endpoint))
        )
    assert host.tree() == before
    assert SOCKET not in host.running()
    assert len(proofs) == 1


@pytest.mark.parametrize(("lost", "calls"), [(False, []), (True, [f"systemctl reload {SERVER}"])])
def test_a_unit_that_lost_what_it_loaded_is_reloaded(
    host: FakeHost, monkeypatch: pytest.MonkeyPatch, lost: bool, calls: list[str]
) -> None:
    wish = host.wish({"etc/server/a.conf": "a"}, proofs={SERVER: ("nft", "list")})
    run, gone = host.run, False

    def answer(command: t.Sequence[str], timeout: int = 900) -> tuple[int, str]:
        return (int(gone), "") if command[0] == "nft" else run(command, timeout)

    monkeypatch.setattr(host, "run", answer)
    host.apply(wish)
    gone = lost
    outcome = host.apply(wish)
    assert host.calls == calls
    assert outcome.changed == lost
