# Managed by Ansible (pyhost.web): changes here are lost
# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""usage: NAME.py CONFIGURATION

Runs an Apache behind the sockets that systemd holds. Apache takes no socket from systemd and opens none but TCP, so it
listens on a port of the loopback, and each connection is handed on to it. Whoever else finds that port gets nothing: a
connection has to begin with an address, in the words of the PROXY protocol, that only this process and its Apache know.
At the end no more are accepted, they wait in systemd's socket; Apache ends when the last one that was accepted has got
its answer.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import secrets
import signal
import socket
import sys
from pathlib import Path

APACHE = "/usr/sbin/apache2"
# Seconds until Apache must listen.
START_TIMEOUT = 30


class Side(asyncio.Protocol):
    """One end of a connection: what arrives here leaves at the other end, as fast as that takes it."""

    def __init__(self, ended, half=False):
        self.transport = None
        self.other = None
        self.ended = ended
        # Whether it still gets what the other end sends when it has nothing more to say.
        self.half = half

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.other.transport.write(data)

    def pause_writing(self):
        self.other.transport.pause_reading()

    def resume_writing(self):
        self.other.transport.resume_reading()

    def eof_received(self):
        if self.half and self.other.transport.can_write_eof():
            self.other.transport.write_eof()
            return True
        return False

    def connection_lost(self, _error):
        # What is still to be sent there is sent.
        if self.other.transport:
            self.other.transport.close()
        self.ended(self)


class Relay:
    """Hands connections on to a port of the loopback until it is told to stop."""

    def __init__(self, port, secret):
        self.port = port
        self.greeting = f"PROXY TCP6 {secret} ::1 1 1\r\n".encode()
        self.loop = asyncio.get_running_loop()
        self.open = set()
        self.tasks = set()
        self.idle = asyncio.Event()
        self.idle.set()

    def listen(self, listeners):
        for listener in listeners:
            self.loop.add_reader(listener, self.accept, listener)

    async def drain(self, listeners):
        for listener in listeners:
            self.loop.remove_reader(listener)
        await self.idle.wait()

    def accept(self, listener):
        try:
            connection, _peer = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        self.idle.clear()
        task = self.loop.create_task(self.hand_on(connection))
        self.tasks.add(task)
        task.add_done_callback(self.handed_on)

    async def hand_on(self, connection):
        visitor, server = Side(self.ended, half=True), Side(self.ended)
        visitor.other, server.other = server, visitor
        try:
            await self.loop.create_connection(lambda: self.opened(server), "127.0.0.1", self.port)
            server.transport.write(self.greeting)
            await self.loop.connect_accepted_socket(lambda: self.opened(visitor), connection)
        except OSError:
            connection.close()
        else:
            if server.transport.is_closing():
                visitor.transport.close()

    def opened(self, side):
        self.open.add(side)
        return side

    def ended(self, side):
        self.open.discard(side)
        self.look()

    def handed_on(self, task):
        self.tasks.discard(task)
        self.look()

    def look(self):
        if not self.open and not self.tasks:
            self.idle.set()


def inherited():
    """Return the sockets that systemd passed on."""
    listeners = [socket.socket(fileno=3 + number) for number in range(int(os.environ.get("LISTEN_FDS", "0")))]
    for listener in listeners:
        listener.setblocking(False)
        listener.set_inheritable(False)
    return listeners


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as trial:
        return trial.getsockname()[1]


def notify(address):
    """Tell systemd that Apache listens."""
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.sendto(b"READY=1", address.replace("@", "\0", 1))


def is_ours(port):
    """Return whether this account listens on a port of the loopback: another may have been faster."""
    address = f"{int.from_bytes(socket.inet_aton('127.0.0.1'), sys.byteorder):08X}:{port:04X}"
    listens = "0A"
    rows = [line.split() for line in Path("/proc/self/net/tcp").read_text("ascii").splitlines()]
    return [row[7] for row in rows if (row[1], row[3]) == (address, listens)] == [str(os.getuid())]


async def listening(port):
    while True:
        try:
            _reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
        except ConnectionRefusedError:
            await asyncio.sleep(0.02)
        else:
            if not is_ours(port):
                raise ConnectionError(f"another account has port {port}")
            return


async def main(configuration):
    """Return the status to exit with."""
    listeners, port = inherited(), free_port()
    # An address that nobody has and nobody guesses (RFC 4193).
    secret = ipaddress.IPv6Address(b"\xfd" + secrets.token_bytes(15))
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    # These are for this process alone, not for the application.
    own = {"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "NOTIFY_SOCKET"}
    apache = await asyncio.create_subprocess_exec(
        APACHE,
        "-f",
        configuration,
        "-c",
        f"Listen 127.0.0.1:{port}",
        "-D",
        "FOREGROUND",
        # Arguments are for everybody to read, the environment is not.
        env={name: value for name, value in os.environ.items() if name not in own} | {"RELAY": str(secret)},
    )
    died, stopped = asyncio.ensure_future(apache.wait()), asyncio.ensure_future(stop.wait())
    started = asyncio.ensure_future(asyncio.wait_for(listening(port), START_TIMEOUT))
    await asyncio.wait([died, stopped, started], return_when=asyncio.FIRST_COMPLETED)
    if started.done() and not started.exception():
        relay = Relay(port, secret)
        relay.listen(listeners)
        notify(os.environ.get("NOTIFY_SOCKET", ""))
        await asyncio.wait([died, stopped], return_when=asyncio.FIRST_COMPLETED)
        if not died.done():
            drained = asyncio.ensure_future(relay.drain(listeners))
            await asyncio.wait([died, drained], return_when=asyncio.FIRST_COMPLETED)
    if not died.done():
        apache.terminate()
    await died
    return 0 if stop.is_set() else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1])))
