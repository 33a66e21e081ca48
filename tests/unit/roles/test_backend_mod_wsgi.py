"""What stands between systemd's socket and Apache: nothing gets lost on it, and its end loses nothing."""

from __future__ import annotations

import asyncio
import importlib.util
import socket
import typing as t
from pathlib import Path

import ansible_collections.pyhost.web.plugins.plugin_utils as plugin_utils
import pytest

RELAY = Path(next(iter(plugin_utils.__path__))).parents[1] / "roles/backend_mod_wsgi/templates/relay.py"
SECRET = "fd00::1"
LARGE = bytes(range(256)) * 65536


@pytest.fixture(scope="module")
def relay() -> t.Any:
    """Return the relay as a module."""
    spec = importlib.util.spec_from_file_location("relay", RELAY)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def _with_relay(
    relay: t.Any, folder: Path, server: t.Any, work: t.Callable[[t.Any, socket.socket, str], t.Awaitable[None]]
) -> None:
    """Do the work with a relay between a unix socket and a server that treats its connections so."""

    async def greeted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readline() == b"PROXY TCP6 fd00::1 ::1 1 1\r\n"
        await server(reader, writer)

    apache = await asyncio.start_server(greeted, "127.0.0.1", 0)
    path = str(folder / "app.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        listener.setblocking(False)
        relays = relay.Relay(apache.sockets[0].getsockname()[1], SECRET)
        relays.listen([listener])
        await asyncio.wait_for(work(relays, listener, path), 20)
    apache.close()


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(await reader.readexactly(len(LARGE)))
    writer.close()


def test_all_arrives_on_both_ways(relay: t.Any, tmp_path: Path) -> None:
    async def work(_relays: t.Any, _listener: socket.socket, path: str) -> None:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(LARGE)
        assert await reader.read(-1) == LARGE
        writer.close()

    asyncio.run(_with_relay(relay, tmp_path, _echo, work))


def test_a_visitor_that_says_no_more_gets_its_answer(relay: t.Any, tmp_path: Path) -> None:
    async def until_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.read(-1)).upper())
        writer.close()

    async def work(relays: t.Any, _listener: socket.socket, path: str) -> None:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"question")
        writer.write_eof()
        assert await reader.read(-1) == b"QUESTION"
        await relays.idle.wait()
        writer.close()

    asyncio.run(_with_relay(relay, tmp_path, until_the_end, work))


def test_a_visitor_that_never_goes_does_not_outlive_the_answer(relay: t.Any, tmp_path: Path) -> None:
    async def at_once(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"answer")
        writer.close()

    async def work(relays: t.Any, _listener: socket.socket, path: str) -> None:
        reader, writer = await asyncio.open_unix_connection(path)
        assert await reader.read(-1) == b"answer"
        await relays.idle.wait()
        writer.close()

    asyncio.run(_with_relay(relay, tmp_path, at_once, work))


def test_the_end_waits_for_what_has_begun_and_accepts_no_more(relay: t.Any, tmp_path: Path) -> None:
    async def work(relays: t.Any, listener: socket.socket, path: str) -> None:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(LARGE[:1])
        while not relays.open:
            await asyncio.sleep(0.01)
        end = asyncio.ensure_future(relays.drain([listener]))
        _late, waits = await asyncio.open_unix_connection(path)
        await asyncio.sleep(0.1)
        assert not end.done()
        writer.write(LARGE[1:])
        assert await reader.read(-1) == LARGE
        await end
        # systemd hands it to the next process.
        assert listener.accept()[0].close() is None
        writer.close()
        waits.close()

    asyncio.run(_with_relay(relay, tmp_path, _echo, work))


def test_apache_learns_that_the_visitor_has_gone(relay: t.Any, tmp_path: Path) -> None:
    gone = asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        gone.set()
        writer.close()

    async def work(relays: t.Any, _listener: socket.socket, path: str) -> None:
        _reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"GET")
        await writer.drain()
        writer.close()
        await gone.wait()
        await relays.idle.wait()

    asyncio.run(_with_relay(relay, tmp_path, wait, work))


def test_nobody_waits_for_an_apache_that_is_not_there(relay: t.Any, tmp_path: Path) -> None:
    async def work(relays: t.Any, _listener: socket.socket, path: str) -> None:
        relays.port = relay.free_port()
        reader, writer = await asyncio.open_unix_connection(path)
        assert await reader.read(-1) == b""
        await relays.idle.wait()
        writer.close()

    asyncio.run(_with_relay(relay, tmp_path, _echo, work))


def test_a_port_is_ours_only_while_we_listen_there(relay: t.Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert relay.is_ours(port)
    assert not relay.is_ours(port)


def test_a_port_that_another_account_was_faster_to_take_is_not_used(
    relay: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay.os, "getuid", lambda: 4711)
    refusal = pytest.raises(ConnectionError, match="another account has port")
    with socket.create_server(("127.0.0.1", 0)) as listener, refusal:
        asyncio.run(relay.listening(listener.getsockname()[1]))
