# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Logins in addresses reach real git, pip and uv, and no argument of any process."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import subprocess
import sys
import tarfile
import threading
import typing as t
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ansible_collections.pyhost.web.plugins.module_utils._release import credentials
from ansible_collections.pyhost.web.plugins.module_utils._release.build import Builder
from ansible_collections.pyhost.web.plugins.module_utils._release.plan import Problems
from ansible_collections.pyhost.web.plugins.module_utils._release.release import App, Layout
from ansible_collections.pyhost.web.plugins.module_utils._release.step import Outcome, Step, script
from ansible_collections.pyhost.web.plugins.module_utils._release.steps import Steps

USER, PASSWORD = "me", 's3cr3t-"t@ken\\ #1'
LOGIN = "me:s3cr3t-%22t%40ken%5C%20%231"
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


class Server(ThreadingHTTPServer):
    """Serves a folder and an index to whoever has the login; notes the arguments of all processes at each request."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder
        self.told: list[str] = []
        self.served: list[str] = []

    @property
    def place(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Server

    def do_GET(self) -> None:
        """Looks at all processes while the client waits."""
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                words = file.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                if "s3cr3t" in words:
                    self.server.told.append(words)
        path = self.path.split("?")[0].rstrip("/")
        file = self.server.folder / path.lstrip("/")
        if self.headers["Authorization"] != BASIC:
            self._answer(401, b"", ("WWW-Authenticate", 'Basic realm="x"'))
        elif file.is_dir():
            links = "".join(f'<a href="{path}/{entry.name}">{entry.name}</a>' for entry in file.iterdir())
            self._answer(200, links.encode(), ("Content-Type", "text/html"))
        elif file.is_file():
            self.server.served.append(path)
            self._answer(200, file.read_bytes())
        else:
            self._answer(404, b"")

    def do_HEAD(self) -> None:
        """Does the same; uv asks for sizes."""
        self.do_GET()

    def _answer(self, status: int, content: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (*headers, ("Content-Length", str(len(content)))):
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_words: t.Any) -> None:
        """Stays quiet."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server on the loopback."""
    (tmp_path / "www").mkdir()
    with Server(tmp_path / "www") as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


class Shell:
    """Runs the steps that `real` names as their scripts stand there, without systemd."""

    def __init__(self, temporary: Path, real: tuple[str, ...]) -> None:
        self.temporary = temporary
        self.real = real

    async def stop_leftovers(self) -> None:
        """Nothing can be left."""

    async def run(self, step: Step) -> Outcome:
        """Runs a step."""
        if step.name != "python" and not step.name.startswith(self.real):
            return Outcome(0, "", "")
        text = script(step).replace(b"TMPDIR=/var/tmp", b"TMPDIR=" + bytes(self.temporary))
        pipe = subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            "/bin/sh", stdin=pipe, stdout=pipe, stderr=pipe, env={"PATH": "/usr/bin:/bin"}
        )
        out, err = await process.communicate(text)
        return Outcome(process.returncode or 0, out.decode(), err.decode())


Run = Callable[..., Builder]


@pytest.fixture
def build(tmp_path: Path) -> Run:
    """Builds one application, with those steps for real."""

    def build(real: tuple[str, ...], keys: dict[str, t.Any], **options: t.Any) -> Builder:
        for folder in ("temporary", "cache/shop", "lib/shop"):
            (tmp_path / folder).mkdir(parents=True)
        shell = Shell(tmp_path / "temporary", real)
        layout = Layout(tmp_path / "srv", tmp_path / "lib", tmp_path / "cache")
        shop = App(name="shop", user="root", python=sys.executable, **keys)
        builder = Builder([shop], layout, shell, temporary=tmp_path, web_group="root", **options)

        async def everything() -> None:
            await builder.plan()
            await builder.reach()
            builder.reject()
            await builder.build()

        asyncio.run(everything())
        return builder

    return build


def _git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=x", "-c", "user.email=x@x", "-c", "protocol.file.allow=always"]
    subprocess.run(["git", *identity, "-C", str(folder), *words], check=True, capture_output=True)


@pytest.fixture
def repository(server: Server) -> str:
    """A repository with a submodule beside it; returns its address, with the login."""
    for name in ("lib", "shop"):
        work = server.folder.parent / name
        work.mkdir()
        _git(work, "init", "--quiet", "--initial-branch=main")
        (work / f"{name}.py").touch()
        if name == "shop":
            _git(work, "submodule", "add", "--quiet", str(server.folder / "lib.git"), "lib")
            _git(work, "config", "--file", ".gitmodules", "submodule.lib.url", "../lib.git")
        _git(work, "add", ".")
        _git(work, "commit", "--quiet", "--message=x")
        _git(server.folder, "clone", "--quiet", "--bare", str(work), f"{name}.git")
        _git(server.folder / f"{name}.git", "update-server-info")
    return f"http://{LOGIN}@{server.place}/shop.git"


def test_git(build: Run, server: Server, repository: str, tmp_path: Path) -> None:
    builder = build(("source.git",), {"source": {"git": repository, "version": "main"}})
    code = tmp_path / "srv/shop/releases" / builder.plans[0].release / "code"
    assert (code / "shop.py").is_file()
    assert (code / "lib/lib.py").is_file()
    assert server.told == []
    for file in tmp_path.joinpath("cache").rglob("config"):
        assert "s3cr3t" not in file.read_text(encoding="utf-8")
    for file in code.rglob("config"):
        assert "s3cr3t" not in file.read_text(encoding="utf-8")


def test_a_refused_login_is_not_printed(build: Run, server: Server, repository: str) -> None:
    wrong = repository.replace("%231", "%232")
    with pytest.raises(Problems) as caught:
        build(("source.git",), {"source": {"git": wrong, "version": "main"}})
    assert "cannot be read" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)
    assert server.told == []


BACKEND = """
import os, zipfile

def build_wheel(folder, *_more):
    name = "shop-1.0-py3-none-any.whl"
    import dep
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        wheel.writestr("shop.py", "")
        wheel.writestr("shop-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: shop\\nVersion: 1.0\\n")
        wheel.writestr("shop-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("shop-1.0.dist-info/RECORD", "")
    return name
"""


@pytest.fixture
def index(server: Server) -> str:
    """An index with a package that has to be built, with the help of another one; its address, with the login."""
    for name in ("shop", "dep"):
        (server.folder / "simple" / name).mkdir(parents=True)
    with zipfile.ZipFile(server.folder / "simple/dep/dep-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("dep.py", "")
        wheel.writestr("dep-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: dep\nVersion: 1.0\n")
        wheel.writestr("dep-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("dep-1.0.dist-info/RECORD", "")
    project = '[project]\nname = "shop"\nversion = "1.0"\n'
    system = '[build-system]\nrequires = ["dep"]\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    with tarfile.open(server.folder / "simple/shop/shop-1.0.tar.gz", "w:gz") as sdist:
        texts = {"PKG-INFO": "Metadata-Version: 2.1\nName: shop\nVersion: 1.0\n"}
        texts |= {"pyproject.toml": project + system, "backend.py": BACKEND}
        for name, text in texts.items():
            info = tarfile.TarInfo(f"shop-1.0/{name}")
            info.size = len(text)
            sdist.addfile(info, io.BytesIO(text.encode()))
    return f"http://{LOGIN}@{server.place}/simple"


SETTINGS: dict[str, Callable[[str], tuple[dict[str, str], list[str]]]] = {
    "build_env": lambda url: (
        {"PIP_INDEX_URL": url, "PIP_EXTRA_INDEX_URL": url, "PIP_FIND_LINKS": f"{url}/shop/"},
        ["shop"],
    ),
    "requirements": lambda url: ({}, [f"--index-url {url}", "shop"]),
}


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_installers(
    build: Run, server: Server, index: str, installer: str, setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    env, lines = SETTINGS[setting](index)
    uv = Path(sys.executable).with_name("uv") if installer == "uv" else None
    monkeypatch.setattr(Steps, "uv", lambda _steps: uv and str(uv))
    env = {"PIP_CONFIG_FILE": "/dev/null", **env}
    build(("venv", "requirements"), {"requirements": lines}, installer=installer, build_env=env)
    assert server.told == []
    assert {Path(path).name for path in server.served} == {"shop-1.0.tar.gz", "dep-1.0-py3-none-any.whl"}


def test_requirements_from_git_are_asked_with_a_helper() -> None:
    line = "shop @ git+https://x:${TOKEN}@git.example.org/shop.git@v1"
    text, logins = credentials.take_out(line, {"TOKEN": "s3cr3t"})
    assert text == "shop @ git+https://git.example.org/shop.git@v1"
    config, env = credentials.git_config(logins)
    assert config.startswith('[credential "https://git.example.org"]\n')
    assert "s3cr3t" not in config
    assert env == {"PYHOST_USER_0": "x", "PYHOST_PASSWORD_0": "s3cr3t"}


def test_the_proxy_of_pip_comes_by_the_environment() -> None:
    env, _logins = credentials.of_installers({"PIP_PROXY": "http://u:p@proxy:1", "HTTPS_PROXY": "http://other"})
    assert env == {"HTTP_PROXY": "http://u:p@proxy:1", "HTTPS_PROXY": "http://other"}


def test_settings_of_others_keep_their_logins() -> None:
    given = {"SENTRY_DSN": "https://key@sentry.example.org/1", "HTTPS_PROXY": "http://u:p@proxy:1"}
    assert credentials.of_installers(given) == (given, [])


UNUSABLE = {
    "ssh://git:s3cr3t@git.example.org/x": "a URL contains a password, which every account of the host could read",
    "HTTPS://git.example.org/x.git?private_token=s3cr3t": "every account of the host could read the query of this URL",
    "https://me:s3/cr3t@git.example.org/x": "a password in a URL contains /, ? or #. Write / as %2F",
    "https://git.example.org/x.git?private_token=s3cr3t": "every account of the host could read the query of this URL",
}


@pytest.mark.parametrize("url", UNUSABLE)
def test_addresses_that_git_would_show_to_all(build: Run, url: str) -> None:
    with pytest.raises(Problems) as caught:
        build((), {"source": {"git": url, "version": "0" * 40}})
    assert UNUSABLE[url] in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


def test_a_scheme_in_capitals_hides_no_login() -> None:
    given = "shop @ git+HTTPS://me:s3cr3t@git.example.org/x\n--index-url Https://s3cr3t@pypi.example.org/1"
    text, logins = credentials.take_out(given)
    assert text == "shop @ git+https://git.example.org/x\n--index-url https://pypi.example.org/1"
    assert logins == [
        credentials.Login("https://git.example.org", "me", "s3cr3t", is_git=True),
        credentials.Login("https://pypi.example.org", "s3cr3t", ""),
    ]
    env, _logins = credentials.of_installers({"PIP_INDEX_URL": "HTTPS://me:s3cr3t@pypi.example.org/1"})
    assert env == {"PIP_INDEX_URL": "https://pypi.example.org/1"}


NOT_UNDERSTOOD = {
    "requirements": ("shop @ git+ssh://me:s3cr3t@git.example.org/x", {}),
    "build_env.PIP_INDEX_URL": ("shop", {"PIP_INDEX_URL": "https://me:s3/cr3t@pypi.example.org/1"}),
}


@pytest.mark.parametrize("where", NOT_UNDERSTOOD)
def test_a_login_that_is_not_taken_out_reaches_no_argument(build: Run, where: str) -> None:
    line, env = NOT_UNDERSTOOD[where]
    with pytest.raises(Problems, match=rf"{where}: a (URL contains a )?password") as caught:
        build((), {"requirements": [line]}, build_env=env)
    assert "s3" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "git+ssh://git@git.example.org/x@v1",
        "git+https://git.example.org:8443/x.git@v1",
        "https://${HOST}:${PORT}/x@v1",
        "git+https://[::1]:1/x@v1",
        "https://me:${TOKEN}@pypi.example.org/1",
    ],
)
def test_what_is_no_password(text: str) -> None:
    assert credentials.left_in(text) == ""


def test_two_logins_for_one_host(build: Run) -> None:
    env = {"PIP_INDEX_URL": "https://a:b@pypi.example.org/1", "PIP_EXTRA_INDEX_URL": "https://c:d@pypi.example.org/2"}
    with pytest.raises(Problems, match=r"requirements and build_env have two logins for pypi\.example\.org"):
        build((), {}, build_env=env)
