# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A request to a web server of this host, and whether its answer is a healthy one.

Private to the collection.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import typing as t
import urllib.parse
from collections.abc import Collection

from . import _gateway


def healthy(status: int | None, wanted: Collection[int]) -> bool:
    """Whether a status, None for no answer, is one of those that are wanted; none wanted: whether it is below 500."""
    if status is None:
        return False
    return status in wanted if wanted else 100 <= status < 500


class _Encrypted(http.client.HTTPSConnection):
    """Asks for a certificate by the name of the site, at whatever address that is."""

    def __init__(self, address: str, site: str, timeout: float) -> None:
        # It is this host, whatever its certificate says.
        self.trusting = ssl.create_default_context()
        self.trusting.check_hostname = False
        self.trusting.verify_mode = ssl.CERT_NONE
        super().__init__(address, timeout=timeout, context=self.trusting)
        self.site = site

    def connect(self) -> None:
        """Open the connection."""
        http.client.HTTPConnection.connect(self)
        # The socket is known before the handshake, so that a deadline can end that too.
        sock = self.trusting.wrap_socket(self.sock, server_hostname=self.site, do_handshake_on_connect=False)
        self.sock = sock
        sock.do_handshake()


def connection(url: str, timeout: float, site: str | None = None) -> http.client.HTTPConnection:
    """Return a connection, not open yet, to the web server of this host that `url` names; C(timeout) in seconds.

    Over TLS it asks for `site`, for which a server may have a certificate where it has none for its address.
    """
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "https":
        return http.client.HTTPConnection(parts.netloc, timeout=timeout)
    return _Encrypted(parts.netloc, site or str(parts.hostname), timeout)


def encrypted(url: str) -> str:
    """Return the address of the same server at which it answers over TLS, port 443."""
    parts = urllib.parse.urlsplit(url)
    address = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return urllib.parse.urlunsplit(("https", f"{address}:443", parts.path, parts.query, ""))


@contextlib.contextmanager
def answer_of(
    url: str, site: str | None, timeout: float, path: str = "", headers: t.Mapping[str, str] | None = None
) -> t.Iterator[http.client.HTTPResponse]:
    """Ask the web server of this host at `url` and hand out its answer; `timeout` is seconds for all of it.

    `site` is the name that it is asked by, `path` what it is asked for instead of the path in `url`. Raises one of
    `_gateway.Failed` where no answer comes.
    """
    server = connection(url, timeout, site)
    opened: list[socket.socket] = []
    # The connection forgets its socket when it knows that the answer is the last one.
    with contextlib.closing(server), _gateway.deadline(timeout, lambda: opened[0] if opened else server.sock):
        target = path or urllib.parse.urlsplit(url).path or "/"
        server.request("GET", target, headers={**({"Host": site} if site else {}), **(headers or {})})
        opened.append(server.sock)
        yield server.getresponse()
