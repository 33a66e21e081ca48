# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a web server answers, and which answers are healthy."""

from __future__ import annotations

import http.server
import socket
import ssl
import subprocess
import threading
import typing as t
from pathlib import Path

import pytest
from ansible_collections.pyhost.web.plugins.module_utils._gateway import status_of
from ansible_collections.pyhost.web.plugins.module_utils._release import try_app
from ansible_collections.pyhost.web.plugins.module_utils._transaction.host import Host
from ansible_collections.pyhost.web.plugins.module_utils._web import encrypted, healthy

CASES = [
    ("nothing", None, False),
    ("nothing", [200], False),
    ("100 Continue", None, True),
    ("200 OK", None, True),
    ("200 OK", [200, 301], True),
    ("204 No Content", [200, 301], False),
    ("404 Not Found", None, True),
    ("499 ", None, True),
    ("500 Internal Server Error", None, False),
    ("503 Service Unavailable", None, False),
    ("503 Service Unavailable", [503], True),
    ("999 ", None, False),
]


@pytest.mark.parametrize(("answer", "wanted", "is_healthy"), CASES)
def test_a_release_that_passed_its_trial_is_healthy_later(
    answer: str, wanted: list[int] | None, is_healthy: bool
) -> None:
    assert healthy(status_of(answer), wanted or ()) is is_healthy
    assert (try_app.complaint(answer, {"path": "/", "status": wanted}) == "") is is_healthy


class Site(http.server.BaseHTTPRequestHandler):
    """Answers one name."""

    def do_GET(self) -> None:
        """Tell the path to who knows the name."""
        self.send_response(200 if self.headers["Host"] == "a.example" else 421)
        self.end_headers()
        self.wfile.write(self.path.encode())

    def log_message(self, *_words: t.Any) -> None:
        """Log nothing."""


def _no_command(*_words: t.Any) -> tuple[int, str, str]:
    raise AssertionError


HOST = Host(_no_command)


@pytest.fixture
def url() -> t.Iterator[str]:
    """The address of a web server."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_what_a_web_server_answers(url: str) -> None:
    assert HOST.ask(f"{url}/up", "a.example", 5) == "200 OK"
    assert HOST.ask(f"{url}/up", "b.example", 5) == "421 Misdirected Request"
    assert HOST.fetch(f"{url}/up", "a.example", 5) == "/up"


def test_a_web_server_is_asked_for_the_certificate_of_the_site(tmp_path: Path) -> None:
    pair = tmp_path / "pair.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"]
    command += ["-config", "/dev/null", "-subj", "/CN=test", "-keyout", str(pair), "-out", str(tmp_path / "own.pem")]
    subprocess.run(command, check=True, capture_output=True)
    asked = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "own.pem", pair)
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert HOST.ask(f"https://127.0.0.1:{server.server_port}/up", "a.example", 5) == "200 OK"
        server.shutdown()
    assert asked == ["a.example"]


@pytest.mark.parametrize(
    ("url", "over_tls"),
    [
        ("http://127.0.0.1:80/", "https://127.0.0.1:443/"),
        ("http://[::1]:8080/up?a=b", "https://[::1]:443/up?a=b"),
        ("http://localhost", "https://localhost:443"),
    ],
)
def test_where_a_web_server_answers_over_tls(url: str, over_tls: str) -> None:
    assert encrypted(url) == over_tls


def test_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert HOST.ask(f"http://127.0.0.1:{port}", None, 0.2) == "no answer after 0.2 s"
        assert HOST.fetch(f"http://127.0.0.1:{port}", None, 0.2) == "no answer after 0.2 s"
    assert "refused" in HOST.ask(f"http://127.0.0.1:{port}", None, 5)
