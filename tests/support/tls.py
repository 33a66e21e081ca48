"""A visitor who comes over TLS, and what the handshake tells."""

from __future__ import annotations

import hashlib
import http.client
import socket
import ssl
import typing as t
from dataclasses import dataclass

from .visitor import Visitor


def trusting_nobody() -> ssl.SSLContext:
    """Return a context that takes any certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@dataclass(frozen=True)
class Handshake:
    """What a server agreed to: a digest of its certificate, the protocols, and what OpenSSL reads in a trusted one."""

    certificate: str
    version: str
    application: str | None
    names: frozenset[str] = frozenset()


def handshake(address: str, name: str, context: ssl.SSLContext | None = None) -> Handshake:
    """Return what the server at the address, port 443, has for a name; raise OSError where it has nothing."""
    context = context or trusting_nobody()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection((address, 443), timeout=30) as connection,
        context.wrap_socket(connection, server_hostname=name) as agreed,
    ):
        read: dict[str, t.Any] = agreed.getpeercert() or {}
        return Handshake(
            hashlib.sha256(agreed.getpeercert(binary_form=True) or b"").hexdigest(),
            str(agreed.version()),
            agreed.selected_alpn_protocol(),
            frozenset(value for kind, value in read.get("subjectAltName", ()) if kind == "DNS"),
        )


class _Connection(http.client.HTTPSConnection):
    def __init__(self, visitor: EncryptedVisitor) -> None:
        super().__init__(visitor.address, 443, timeout=60)
        self.visitor = visitor

    def connect(self) -> None:
        """Ask for the site's certificate, at whatever address it is."""
        http.client.HTTPConnection.connect(self)
        self.sock = trusting_nobody().wrap_socket(self.sock, server_hostname=self.visitor.domain)


class EncryptedVisitor(Visitor):
    """Asks over TLS and takes any certificate."""

    def connection(self) -> http.client.HTTPConnection:
        """Return a connection, not open yet."""
        return _Connection(self)
