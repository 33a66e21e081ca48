# Managed by Ansible (pyhost.web): changes here are lost
# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""usage: NAME.py fastcgi|scgi PROCESSES THREADS CODE MODULE:CALLABLE

Runs a WSGI application behind the sockets that systemd holds. flup speaks the protocol; who accepts a connection, and
what happens at the end of a process, is decided here: a connection is accepted by the thread that will answer it at
once, so all others wait in the socket, where neither a full server nor its end can lose them.
"""

from __future__ import annotations

import importlib
import io
import operator
import os
import select
import signal
import socket
import sys
import threading
import traceback

STOP = {signal.SIGTERM, signal.SIGINT}
# A child sends it to its parent when it has loaded the application.
LOADED = signal.SIGUSR1
# The parent waits for these.
WATCHED = {*STOP, LOADED, signal.SIGCHLD}


class Body(io.RawIOBase):
    """A request body that ends where CONTENT_LENGTH says; the connection behind it stays open."""

    def __init__(self, stream, length):
        self.stream = stream
        self.left = length

    def readable(self):
        return True

    def readinto(self, buffer):
        size = min(self.left, len(buffer))
        count = self.stream.readinto1(memoryview(buffer)[:size]) if size else 0
        self.left -= count
        return count


def with_journal(application):
    """Return the application with the service's log as its wsgi.errors; flup would send it to the front end."""

    def answer(environ, start_response):
        environ["wsgi.errors"] = sys.stderr
        return application(environ, start_response)

    return answer


class Logged:
    """A server of flup's that tells an uncaught exception to the log, and no front end or visitor what it was."""

    def handler(self, request):
        try:
            return super().handler(request)
        except Exception:
            traceback.print_exc()
            if not request.stdout.dataWritten:
                self.error(request)
        # To FastCGI: complete, status 0.
        return 0, 0


def fastcgi(application, **pools):
    """Return what answers one connection over FastCGI."""
    from flup.server.fcgi_base import BaseFCGIServer, Connection

    class Server(Logged, BaseFCGIServer):
        pass

    server = Server(with_journal(application), **pools)
    return lambda connection, peer: Connection(connection, peer, server, None).run()


def scgi(application, **pools):
    """Return what answers one connection over SCGI."""
    from flup.server.scgi_base import BaseSCGIServer, Connection

    class Server(Logged, BaseSCGIServer):
        def handler(self, request):
            length = int(request.environ["CONTENT_LENGTH"])
            # PEP 3333: it ends where the body does. flup's is the rest of the connection.
            request.stdin = io.BufferedReader(Body(request.stdin, length))
            # SCGI has no requests without it, CGI no requests without a body that have it.
            if not length:
                del request.environ["CONTENT_LENGTH"]
            super().handler(request)
            request.stdout.flush()
            # A connection that is closed before all of it is sent is an error to a front end, whatever the answer was.
            while request.stdin.read(65536):
                pass

    # 40: nothing but errors, no line for each request.
    server = Server(with_journal(application), loggingLevel=40, **pools)
    return lambda connection, peer: Connection(connection, peer, server, None).run()


def load(code, wsgi):
    """Return the application of the release that is live now."""
    # The first entry is the folder of this file, where other applications have theirs.
    sys.path[0] = code
    os.chdir(code)
    module, attribute = wsgi.split(":")
    return operator.attrgetter(attribute)(importlib.import_module(module))


def accept(listeners, end, answer):
    """Answer one connection after another until `end` is readable."""
    while True:
        ready = select.select([*listeners, end], [], [])[0]
        if end in ready:
            return
        for listener in ready:
            try:
                connection, peer = listener.accept()
            except BlockingIOError:
                # Another thread or process was faster.
                continue
            with connection:
                try:
                    answer(connection, peer)
                except OSError:
                    # The front end has gone, and nobody waits for the rest.
                    pass
                except Exception:
                    traceback.print_exc()


def work(listeners, threads, prepare, ready):
    """Be a process that answers until it is told to stop, and then finishes what it has begun."""
    end, told = os.pipe()
    for number in STOP:
        signal.signal(number, lambda *_received: os.write(told, b"."))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
    answer = prepare()
    ready()
    crew = [threading.Thread(target=accept, args=(listeners, end, answer)) for _number in range(threads)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()


def supervise(processes, run, notify):
    """Keep as many children at work; return the status to exit with.

    Each calls `run` with a function to call when it has loaded the application; the first one that does so is told on
    with `notify`: the service manager hears this process alone, which runs no code of the application.
    """
    children = {}
    stopping, status = False, 0

    def spawn():
        heard, told = os.pipe()
        child = os.fork()
        if not child:
            os.close(heard)
            run(lambda: (os.write(told, b"."), os.close(told), os.kill(os.getppid(), LOADED)))
            sys.exit()
        os.close(told)
        os.set_blocking(heard, False)
        children[child] = heard

    def stop():
        for child in children:
            os.kill(child, signal.SIGTERM)

    # What arrives meanwhile waits until somebody asks for it.
    signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
    for _number in range(processes):
        spawn()
    while children:
        received = signal.sigwait(WATCHED)
        if received in STOP:
            stopping = True
            stop()
        elif received == LOADED:
            notify()
        for child, ended in reap(children):
            heard = children.pop(child)
            loaded = has_loaded(heard)
            os.close(heard)
            if not stopping and os.WIFSIGNALED(ended) and loaded:
                spawn()
            elif not stopping:
                # It could not even load the application; systemd starts all of it again, after a pause.
                stopping, status = True, 1
                stop()
    return status


def has_loaded(heard):
    """Return whether the child at the other end of that pipe has loaded the application."""
    try:
        return os.read(heard, 1) == b"."
    except BlockingIOError:
        # A process that outlives the child has the pipe.
        return False


def reap(children):
    """Return the children that have ended, with their status."""
    found = []
    for child in children:
        pid, ended = os.waitpid(child, os.WNOHANG)
        if pid:
            found.append((pid, ended))
    return found


def notify(address):
    """Tell systemd that the application is loaded."""
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.sendto(b"READY=1", address.replace("@", "\0", 1))


def inherited():
    """Return the sockets that systemd passed on."""
    count = int(os.environ.pop("LISTEN_FDS", "0"))
    # They are this process's alone, not those of the commands that an application starts.
    for name in ("LISTEN_PID", "LISTEN_FDNAMES"):
        os.environ.pop(name, None)
    listeners = [socket.socket(fileno=3 + number) for number in range(count)]
    for listener in listeners:
        listener.setblocking(False)
        listener.set_inheritable(False)
    return listeners


def main():
    """Return the status to exit with."""
    venv = os.path.realpath(sys.prefix)
    if venv != sys.prefix:
        # Resolved once: what runs on while the next release takes over keeps importing from its own.
        python = f"{venv}/bin/python"
        os.execv(python, [python, *sys.argv])
    protocol, processes, threads, code, wsgi = sys.argv[1:]
    processes, threads, code = int(processes), int(threads), os.path.realpath(code)
    listeners = inherited()
    address = os.environ.pop("NOTIFY_SOCKET", "")
    pools = {"multithreaded": threads > 1, "multiprocess": processes > 1}
    serve = {"fastcgi": fastcgi, "scgi": scgi}[protocol]

    def run(ready):
        work(listeners, threads, lambda: serve(load(code, wsgi), **pools), ready)

    return supervise(processes, run, lambda: notify(address))


if __name__ == "__main__":
    sys.exit(main())
