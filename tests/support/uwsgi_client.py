"""usage: python3 - SOCKET PATH [COMMAND]

Asks an application behind a unix socket over the uwsgi protocol, on a test host and with nothing but the standard
library. Prints the answer; with COMMAND it asks all the time from four threads while the shell runs that, and prints
{"answered": how many, "failures": {what: how many}}. Its exit status is the command's.
"""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import Counter

# Longer than any start takes on a slow machine, shorter than uWSGI waits before it kills a worker that hangs.
PATIENCE = 40


def ask(path: str, url: str) -> bytes:
    """Return the whole answer, headers and body."""
    path_info, _, query = url.partition("?")
    variables = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path_info,
        "SCRIPT_NAME": "",
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "localhost",
    }
    pairs = b"".join(struct.pack("<H", len(part)) + part.encode() for pair in variables.items() for part in pair)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE)
        connection.connect(path)
        connection.sendall(struct.pack("<BHB", 0, len(pairs), 0) + pairs)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def failure(path: str, url: str) -> str | None:
    """Return what a visitor gets instead of an answer with status 200."""
    begin = time.monotonic()
    try:
        status = ask(path, url).partition(b"\r\n")[0].decode()
    except OSError as error:
        status = repr(error)
    if " 200 " in status:
        return None
    return f"{status or 'empty answer'} after {time.monotonic() - begin:.0f} s"


def load(path: str, url: str, command: str) -> int:
    """Print what became of the requests while the shell ran the command, and return its exit status."""
    outcomes: Counter[str | None] = Counter()
    done = threading.Event()

    def visit() -> None:
        while not done.is_set():
            outcomes[failure(path, url)] += 1
            time.sleep(0.005)

    threads = [threading.Thread(target=visit) for _ in range(4)]
    for thread in threads:
        thread.start()
    # Its output goes where only somebody who looks for the cause reads it.
    status = subprocess.run(command, shell=True, stdout=sys.stderr, check=False).returncode
    done.set()
    for thread in threads:
        thread.join()
    print(json.dumps({"answered": outcomes.pop(None, 0), "failures": outcomes}))
    return status


if __name__ == "__main__":
    if len(sys.argv) > 3:
        sys.exit(load(*sys.argv[1:]))
    print(ask(sys.argv[1], sys.argv[2]).decode("latin-1"))
