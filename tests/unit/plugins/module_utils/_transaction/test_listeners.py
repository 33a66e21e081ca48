# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real sockets of this process, which stands for somebody else or for the server itself."""

from __future__ import annotations

import os
import socket
import typing as t
from pathlib import Path

import pytest
from ansible_collections.pyhost.web.plugins.module_utils._transaction import listeners
from ansible_collections.pyhost.web.plugins.module_utils._transaction.listeners import Listener, complaint, parse

NAME = Path("/proc/self/comm").read_text().strip()


@pytest.fixture
def listen(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[t.Callable[[str], int]]:
    """Return what listens at an address, in the unit server.service, and returns its port."""
    monkeypatch.setattr(listeners, "_unit", lambda folder: "server.service")
    sockets = []

    def begin(address: str) -> int:
        six = ":" in address
        sockets.append(socket.create_server((address, 0), family=socket.AF_INET6 if six else socket.AF_INET))
        return int(sockets[-1].getsockname()[1])

    yield begin
    for each in sockets:
        each.close()


def test_what_nobody_holds(listen: t.Callable[[str], int]) -> None:
    port = listen("127.0.0.1")
    assert complaint(f"127.0.0.2:{port}", ()) == ""
    assert complaint(f"[::1]:{port}", ()) == ""


@pytest.mark.parametrize(
    ("there", "wanted"),
    [
        ("127.0.0.1", "127.0.0.1:{}"),
        ("127.0.0.1", "{}"),
        ("0.0.0.0", "{}"),
        ("0.0.0.0", "127.0.0.1:{}"),
        ("::1", "[::]:{}"),
        ("::", "[::1]:{}"),
    ],
)
def test_who_holds_it_is_named(listen: t.Callable[[str], int], there: str, wanted: str) -> None:
    text = wanted.format(listen(there))
    who = f"{text}: already in use by {NAME} (process {os.getpid()} of server.service)"
    assert complaint(text, {"other.service"}) == who
    assert complaint(text, {"server.service"}) == ""


def test_a_server_that_may_not_be_looked_into_holds_its_own(
    listen: t.Callable[[str], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(_path: Path) -> t.NoReturn:
        raise PermissionError

    port = listen("127.0.0.1")
    monkeypatch.setattr(Path, "readlink", denied)
    assert complaint(f"{port}", {"server.service"}) == ""
    assert complaint(f"{port}", {"other.service"}) == f"{port}: already in use by another process"


def test_an_address_that_is_not_here() -> None:
    words = complaint("192.0.2.1:80", ())
    assert words == "192.0.2.1:80: this host cannot listen there: Cannot assign requested address"


@pytest.mark.parametrize("text", ["http", "1.2.3.4", "[::]", "::1:80x", ""])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="this is not a port, address:port"):
        parse(text)


@pytest.mark.parametrize(
    ("group", "unit"),
    [
        ("0::/system.slice/nginx.service\n", "nginx.service"),
        ("0::/pyhost.slice/pyhost-shop.service/workers\n", "pyhost-shop.service"),
        ("0::/user.slice/user-0.slice/session-3.scope\n", "session-3.scope"),
        ("0::/\n", ""),
    ],
)
def test_the_unit_of_a_process(tmp_path: Path, group: str, unit: str) -> None:
    (tmp_path / "cgroup").write_text(group)
    assert listeners._unit(tmp_path) == unit


def test_a_process_without_a_unit() -> None:
    assert str(Listener(12, "python3", "")) == "python3 (process 12)"


@pytest.mark.parametrize(
    ("part", "variables"),
    [
        ("server", "`server_listen`"),
        ("frontend_nginx", "`frontend_nginx_listen` or `frontend_nginx_listen_tls`"),
        ("frontend_cherokee", "`frontend_cherokee_listen`"),
    ],
)
def test_nothing_is_changed_where_somebody_listens(
    host: t.Any, monkeypatch: pytest.MonkeyPatch, part: str, variables: str
) -> None:
    """Not even tested; what gives way to the server may listen there."""
    asked: list[t.Any] = []

    def refuse(_host: t.Any, address: str, units: t.Container[str]) -> str:
        asked.append((address, units))
        return f"{address}: already in use by apache2 (process 7)"

    monkeypatch.setattr(type(host), "complaint", refuse)
    before = host.tree()
    error = host.refuse(host.wish({"etc/server/main.conf": "new\n"}, part=part, listen=("80",)))
    assert str(error) == (
        "80: already in use by apache2 (process 7)\n"
        f"Nothing was changed. Stop the other program, or set other addresses with {variables}."
    )
    assert (host.tree(), asked) == (before, [("80", {"server.service"})])


def test_a_program_with_a_name_that_is_no_text(tmp_path: Path) -> None:
    process = tmp_path / "7"
    (process / "fd").mkdir(parents=True)
    (process / "fd/3").symlink_to("socket:[42]")
    (process / "comm").write_bytes(b"\xff\x1b[31m\n")
    (process / "cgroup").write_bytes(b"0::/system.slice/pyhost-shop.service/\xff\n")
    found = listeners._listeners(tmp_path, {"42"})
    assert found == {"42": Listener(7, "\\xff\\x1b[31m", "pyhost-shop.service")}


@pytest.mark.parametrize("text", ["\u0661\u0662", "1" * 5000])
def test_digits_that_are_no_port(text: str) -> None:
    with pytest.raises(ValueError, match="this is not a port"):
        parse(text)
