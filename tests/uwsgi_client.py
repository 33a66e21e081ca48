"""usage: python3 - SOCKET PATH [SECONDS]

Asks an application behind a unix socket over the uwsgi protocol, on a test host and with nothing but the standard
library. Prints the answer; with SECONDS it asks all the time from four threads and prints [answers, failures] instead.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
import time


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
        connection.settimeout(20)
        connection.connect(path)
        connection.sendall(struct.pack("<BHB", 0, len(pairs), 0) + pairs)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def load(path: str, url: str, seconds: float) -> list[int]:
    """Return how many requests were answered with 200 and how many were not."""
    counts = [0, 0]
    end = time.monotonic() + seconds

    def visit() -> None:
        while time.monotonic() < end:
            try:
                failed = b" 200 " not in ask(path, url)[:20]
            except OSError:
                failed = True
            counts[failed] += 1
            time.sleep(0.005)

    threads = [threading.Thread(target=visit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return counts


if __name__ == "__main__":
    if len(sys.argv) > 3:
        print(json.dumps(load(sys.argv[1], sys.argv[2], float(sys.argv[3]))))
    else:
        print(ask(sys.argv[1], sys.argv[2]).decode("latin-1"))
