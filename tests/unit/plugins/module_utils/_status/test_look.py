# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read from a host: the cases are data, the host is a folder."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import pwd
import socket
import threading
import time
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.pyhost.web.plugins.module_utils._errors import PyhostError
from ansible_collections.pyhost.web.plugins.module_utils._gateway import endpoint
from ansible_collections.pyhost.web.plugins.module_utils._status.look import (
    Question,
    Status,
    Wanted,
    ask,
    number,
    parse_show,
    state,
)

Case = dict[str, t.Any]
DATA = Path(__file__).parent / "data"
URL = "http://127.0.0.1:80/"
SERVES = {"uwsgi": ["uwsgi"], "flup": ["fastcgi", "scgi"], "mod_wsgi": ["wsgi", "http"]}
# 2026-01-02 03:04:05 UTC
THEN = 1767323045


def _cases(name: str) -> list[t.Any]:
    return [pytest.param(case, id=case["name"]) for case in yaml.safe_load((DATA / name).read_text())]


class _Folder(Status):
    """A host in a folder."""

    def __init__(self, root: Path, case: Case) -> None:
        super().__init__(self._answer, root)
        self.case = case
        self.shows = 0
        for part, manifest in case.get("manifests", {}).items():
            self._write(f"var/lib/pyhost/.manifest/{part}.json", json.dumps(manifest))
        for path, text in case.get("files", {}).items():
            self._write(path, text)
        for path, goal in case.get("links", {}).items():
            (root / path).symlink_to(goal)
            os.utime(root / path, (THEN, THEN), follow_symlinks=False)

    def _write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def _answer(self, command: list[str]) -> tuple[int, str, str]:
        if command[0] == "systemctl":
            self.shows += 1
            return 0, self.case.get("show", ""), ""
        if command[0] == "sh":
            ends = self.case["ends"]
            return 0, "".join(f"{file} {ends[Path(file).parent.name]}\n" for file in command[4:]), ""
        version = self.case.get("packages", {}).get(command[-1])
        return (0, version, "") if version else (1, "", "no packages found")

    def accounts(self) -> list[pwd.struct_passwd]:
        return [
            # What is in the folder belongs to whoever runs the tests.
            pwd.struct_passwd((name, "x", os.getuid() if name in holders else -1, 1, comment, "/", "/"))
            for name, comment in self.case.get("accounts", {}).items()
            for holders in [self.case.get("holders", ())]
        ]


def _contains(actual: t.Any, expected: t.Any, path: str = "found") -> None:
    if isinstance(expected, dict) and expected:
        for key, value in expected.items():
            assert key in actual, f"{path}.{key}"
            _contains(actual[key], value, f"{path}.{key}")
    else:
        assert actual == expected, path


@pytest.mark.parametrize("case", _cases("show.yml"))
def test_what_systemd_says(case: Case) -> None:
    unit = parse_show(case["text"])[case["unit"]]
    assert state(unit) == case["state"]
    assert number(unit.get("MemoryCurrent", "")) == case["memory"]


@pytest.mark.parametrize("case", _cases("status.yml"))
def test_what_is_found(case: Case, tmp_path: Path) -> None:
    host = _Folder(tmp_path, case)
    before = sorted(tmp_path.rglob("*"))
    found = host.look(Wanted(case["apps"], URL, absent=case.get("absent", []), serves=SERVES))
    _contains(found, case["found"])
    # One question for all units, whatever their number; and a look leaves nothing behind.
    assert host.shows == 1
    assert sorted(tmp_path.rglob("*")) == before
    assert json.loads(json.dumps(found)) == found


def test_a_host_without_systemd_is_told(tmp_path: Path) -> None:
    words = "System has not been booted with systemd"
    with pytest.raises(PyhostError, match=words):
        Status(lambda _command: (1, "", f"{words}\n"), tmp_path).look(Wanted({}, URL))


class _Server(http.server.BaseHTTPRequestHandler):
    """Answers with the status that the path names, if it is asked for its host."""

    numbers: t.ClassVar = {"/2%20%C3%A4?x=1%2F": 202}

    def do_GET(self) -> None:  # the name is the base class's
        if self.path == "/silence":
            return
        if self.path == "/drip":
            self.send_response(200)
            self.flush_headers()
            with contextlib.suppress(OSError):
                for _ in range(160):
                    self.wfile.write(b"x")
                    time.sleep(0.05)
            return
        asked = self.headers["Host"] == "shop.example.org"
        self.send_response((self.numbers.get(self.path) or int(self.path[1:])) if asked else 400)
        self.end_headers()

    def log_request(self, *args: t.Any) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> t.Iterator[str]:
    """A server's address."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Server) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        ("/200", 200, ""),
        # A redirection is an answer; what it leads to is not asked.
        ("/302", 302, ""),
        ("/503", 503, ""),
        ("/silence", None, "Remote end closed connection without response"),
        ("/2 ä?x=1%2F", 202, ""),
    ],
)
def test_health(url: str, path: str, status: int | None, error: str) -> None:
    answer = ask(url, Question("shop", "shop.example.org", path, 5))
    assert (answer["status"], answer["error"]) == (status, error)
    assert answer["seconds"] >= 0


@pytest.mark.parametrize("path", ["/drip", "/silence"])
def test_health_has_one_deadline(url: str, path: str) -> None:
    answer = ask(url, Question("shop", "shop.example.org", path, 0.4))  # type: ignore[arg-type]
    assert answer["status"] is None
    assert answer["seconds"] < 3


def test_health_of_an_application_that_answers_in_other_digits(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "shop.sock"))
        server.listen()

        def serve() -> None:
            with server.accept()[0] as visitor:
                visitor.recv(65536)
                visitor.sendall(b"HTTP/1.1 \xb2\xb3\xb9 \x9b31m\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        answer = ask("", Question("shop", "a.example", "/", 5, endpoint("uwsgi", str(tmp_path / "shop.sock"))))
        thread.join()
    assert (answer["status"], answer["error"]) == (None, "no status line: '\u00b2\u00b3\u00b9 \\x9b31m'")


def test_health_at_an_endpoint(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "shop.sock"))
        server.listen()

        def serve() -> None:
            for answer in (b"Status: 404 Not Found\r\n\r\n", b"Status: none\r\n\r\n"):
                with server.accept()[0] as visitor:
                    visitor.recv(65536)
                    visitor.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        question = Question("shop", "a.example", "/up", 5, endpoint("scgi", str(tmp_path / "shop.sock")))
        answers = [ask("", question) for _ in range(2)]
        thread.join()
    assert [(answer["status"], answer["error"]) for answer in answers] == [(404, ""), (None, "no status line: 'none'")]


def test_nobody_answers(tmp_path: Path) -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), _Server) as server:
        port = server.server_port
    wanted = Wanted({}, f"http://127.0.0.1:{port}/", questions=[Question("shop", "shop.example.org", "/", 5)])
    answer = _Folder(tmp_path, {}).look(wanted)["health"]["shop"]
    assert (answer["status"], answer["error"]) == (None, "Connection refused")
