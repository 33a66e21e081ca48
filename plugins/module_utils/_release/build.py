# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From descriptions of applications to complete releases: plan all, then build what is missing."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import grp
import hashlib
import inspect
import json
import os
import pwd
import re
import shlex
import shutil
import tarfile
import traceback
import typing as t
import urllib.error
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from .._contents import file_digest, tar_digest
from .._errors import PyhostError
from .._mask import Mask, inside
from . import credentials, tree, try_app, unpack
from .handover import account_of
from .release import (
    COMMIT,
    MARKER,
    App,
    Interpreter,
    Layout,
    before,
    complete,
    is_name,
    marker,
    note_change,
    obsolete,
    release_id,
    shown_revision,
    target,
)
from .sandbox import BUILD, MEMORY, TASKS, limits
from .step import PATH, Outcome, Runner, Step, StepError, check_sandbox

REQUIREMENTS = ".pyhost-requirements.txt"
PYTHONS = ("/usr/local/bin", "/usr/bin")

# How Python says that the sandbox kept an application from the network.
_NO_NETWORK = ("Address family not supported", "Network is unreachable", "Temporary failure in name resolution")

# Where steps have their temporary files.
_TEMPORARY = str(Path("/var", "tmp"))
_NO_ROOM = re.compile("No space left on device|Disk quota exceeded")
# How a shell and systemd-run tell that a process was killed, and others that there is no memory left.
_KILLED = (137, 255)
_NO_MEMORY = re.compile("^Killed|MemoryError|Cannot allocate memory|Killed signal|signal: 9|SIGKILL", re.MULTILINE)
# How pip, uv and git say that they got no answer.
_NO_ANSWER = re.compile(
    "connection broken by|establish a new connection|error sending request|dns error|connect error"
    "|resolve host|unable to connect|Failed to connect|Connection (refused|timed out|reset)|not read from remote"
)
_REACH = {
    "requirements": "the package index must be reached from this host; build_env sets another one (PIP_INDEX_URL) or a"
    " proxy (HTTPS_PROXY)",
    "source.git": "the server must be reached from this host; a commit of 40 digits that was fetched before needs none",
}

_PROBE = """
import importlib.util, json, sys
has = all(importlib.util.find_spec(name) for name in ("venv", "ensurepip"))
print(json.dumps(["%d.%d" % sys.version_info[:2], has]))
"""

_TRY = inspect.getsource(try_app)

# Seconds that the sandbox may take besides; the application's own time is counted in it.
_TO_START = 30

# Nothing waits for somebody to type.
_GIT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "/bin/false",
    "SSH_ASKPASS_REQUIRE": "never",
    # ssh itself looks in the home folder of the account, which is none.
    "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ConnectTimeout=30 -o IdentityFile=$HOME/.ssh/id_ed25519"
    ' -o "UserKnownHostsFile=$HOME/.ssh/known_hosts"',
    "GIT_HTTP_LOW_SPEED_LIMIT": "1000",
    "GIT_HTTP_LOW_SPEED_TIME": "60",
    "GIT_TEMPLATE_DIR": "",
}

# uv has names of its own for what users of pip have set already.
_UV = {
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS": "UV_FIND_LINKS",
    "PIP_NO_INDEX": "UV_NO_INDEX",
    "PIP_CONSTRAINT": "UV_CONSTRAINT",
    "PIP_CERT": "SSL_CERT_FILE",
}


class Problems(PyhostError):
    """Everything that stands against the wish; one line each."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = sorted(problems)
        super().__init__("\n".join(self.problems))


@dataclass
class Plan:
    """What has to be done for one application. `revision` and `release` are empty while they cannot be known."""

    app: App
    is_flawed: bool = False
    interpreter: Interpreter | None = None
    revision: str = ""
    release: str = ""
    is_complete: bool = False
    download: Path | None = None

    def shown(self) -> str:
        """The revision without the password that a URL may carry."""
        return shown_revision(self.revision)

    def missing_digest(self) -> str:
        """Digest of what the controller must send before this can be built; empty where nothing has to be sent."""
        return self.app.get("digest") if self.app.needs_upload() and not self.is_complete else ""


class Builder:
    """The releases of all applications of a host.

    `uploads` are files by digest; `fetch` brings a URL to a file and returns its SHA-256; with `is_check` what is not
    there yet (accounts, git, interpreters) is no problem: the real run may bring it.
    """

    def __init__(
        self,
        apps: Iterable[App],
        layout: Layout,
        runner: Runner,
        *,
        temporary: Path,
        installer: str = "auto",
        build_env: Mapping[str, str] | None = None,
        uploads: Mapping[str, str] | None = None,
        fetch: Callable[[str, Path], str] | None = None,
        jobs: int = 2,
        is_check: bool = False,
        web_group: str = "www-data",
    ) -> None:
        self.plans = [Plan(app) for app in apps]
        self.layout = layout
        self.runner = runner
        self.installer = installer
        self.build_env, self._index_logins = credentials.of_installers(build_env or {})
        self.uploads = dict(uploads or {})
        self.fetch = fetch
        self.temporary = temporary
        self.jobs = jobs
        self.web_group = web_group
        self.is_check = is_check
        self.mask = Mask([*(build_env or {}).values(), *self._secrets()])
        self.warnings: list[str] = []
        self.problems: list[str] = []
        self._probes: dict[str, asyncio.Task[Interpreter | str]] = {}

    def _secrets(self) -> Iterator[str]:
        for plan in self.plans:
            yield from plan.app.env.values()
            for text in (plan.app.origin(), *(plan.app.requirements or ()), *plan.app.server_requirements):
                yield from inside(text)

    # ---- planning

    async def plan(self, known_problems: Iterable[str] = ()) -> None:
        """Finds out which releases are missing, and collects the problems of all applications in `problems`.

        Raises Problems at once where the names themselves are wrong.
        """
        self.problems += known_problems
        names = [plan.app.name for plan in self.plans]
        found = [f"app {name}: is there twice" for name in {name for name in names if names.count(name) > 1}]
        found += [f"app {name}: is no name of an application" for name in names if not is_name(name)]
        if found:
            raise Problems([*found, *self.problems])
        await self._each(self._plan, self.plans)

    async def _each(self, work: Callable[[Plan, list[str]], t.Awaitable[None]], plans: Iterable[Plan]) -> None:
        async def one(plan: Plan) -> None:
            found: list[str] = []
            try:
                await work(plan, found)
            except Exception as problem:
                # Whatever an application has found to break us with, the others get what they are to get.
                found.append(unforeseen(problem))
            plan.is_flawed = bool(found)
            self.problems.extend(self._message(plan, problem) for problem in found)

        await asyncio.gather(*map(one, plans))

    def _message(self, plan: Plan, text: str) -> str:
        return f"app {plan.app.name}: {self.mask(text)}"

    def refuse(self) -> None:
        """Raises Problems with all that were found, if any."""
        if self.problems:
            raise Problems(self.problems)

    async def _plan(self, plan: Plan, found: list[str]) -> None:
        app = plan.app
        found += app.problems()
        found += [f"requirements: {problem}" for problem in credentials.problems(self._install_logins(app))]
        if not _account(app.user):
            self._lack(plan, found, f"user: '{app.user}' has no account on this host")
        interpreter, revision = await asyncio.gather(self._interpreter(plan, found), self._revision(plan, found))
        if interpreter and not interpreter.has_venv and not (self.installer == "auto" and self._uv()):
            package = f"python{interpreter.version}-venv"
            self._lack(plan, found, f"python: {interpreter.path} cannot make a venv; install {package}")
        plan.interpreter, plan.revision = interpreter, revision
        if interpreter and revision:
            plan.release = release_id(app, revision, interpreter, self.installer)
            plan.is_complete = marker(self._folder(plan)) is not None

    def _lack(self, plan: Plan, found: list[str], text: str) -> None:
        """In check mode the host may be a virgin one: packages and accounts come before releases are built."""
        if self.is_check:
            self.warnings.append(f"app {plan.app.name}: {text}")
        else:
            found.append(text)

    async def _interpreter(self, plan: Plan, found: list[str]) -> Interpreter | None:
        wanted = plan.app.python
        path = shutil.which(wanted, path=PATH) if "/" not in wanted or wanted.startswith("/") else None
        if not path:
            others = {file.name for folder in PYTHONS for file in Path(folder).glob("python3.*[0-9]")}
            choice = f"choose among ({', '.join(sorted(others))})" if others else "install it"
            self._lack(plan, found, f"python: '{wanted}' is no interpreter of this host; {choice}")
            return None
        if path not in self._probes:
            self._probes[path] = asyncio.create_task(self._probe(plan.app, path))
        probed = await self._probes[path]
        if isinstance(probed, str):
            found.append(f"python: '{wanted}' does not run: {probed}")
            return None
        return probed

    async def _probe(self, app: App, path: str) -> Interpreter | str:
        command = f"exec {_quoted([path, '-I', '-c', _PROBE])}"
        outcome = await self.runner.run(Step(app.name, "python", self._some_user(app), command, limit=60))
        try:
            version, has_venv = json.loads(outcome.out)
        except ValueError:
            return outcome.said or f"status {outcome.status}"
        return Interpreter(os.path.realpath(path), version, has_venv)

    async def _revision(self, plan: Plan, found: list[str]) -> str:
        app = plan.app
        if app.kind() == "git":
            return await self._git_revision(plan, found)
        if app.kind() == "path":
            return f"sha256:{app.get('digest')}"
        if app.kind() == "archive":
            digest = app.get("checksum") or (app.get("digest") and f"sha256:{app.get('digest')}")
            return digest or f"url:{app.origin()}"
        return "none"

    async def _git_revision(self, plan: Plan, found: list[str]) -> str:
        """The commit that is meant. A full commit ID is one, and needs no look at the repository."""
        app = plan.app
        version = app.get("version") or "HEAD"
        if problem := _unusable(app.origin()):
            found.append(f"source.git: '{app.origin()}' {problem}")
            return ""
        if COMMIT.fullmatch(version):
            return version
        if not shutil.which("git", path=PATH):
            self._lack(plan, found, "source.git: git is not installed on this host")
            return ""
        names = [version, f"refs/tags/{version}", f"refs/tags/{version}^{{}}", f"refs/heads/{version}"]
        command = f'git ls-remote --quiet -- "$SOURCE_URL" {_quoted(names)}'
        step = self._step(plan, "source.git", _git(command), git=True)
        outcome = await self.runner.run(step)
        if outcome.status:
            if self.is_check and not _account(app.user):
                self.warnings.append(f"app {app.name}: source.git was not asked, for its account is not there yet")
            else:
                found.append(f"source.git: '{app.origin()}' cannot be read: {_told(step, outcome)}")
            return ""
        refs = {ref: commit for commit, _tab, ref in (line.partition("\t") for line in outcome.out.splitlines())}
        # As git itself chooses; of an annotated tag, what it stands for.
        for name in (names[2], names[1], names[3], *([version] if version == "HEAD" else [])):
            if name in refs:
                return refs[name]
        found.append(f"source.version: '{version}' is no branch or tag of '{app.origin()}', and no commit of 40 digits")
        return ""

    def needed(self) -> list[str]:
        """Digests of sources that the controller has to send."""
        digests = {plan.missing_digest() for plan in self.plans} - {""}
        return sorted(digests - set(self.uploads))

    def missing(self) -> list[Plan]:
        """Plans whose release has to be built."""
        return [plan for plan in self.plans if not plan.is_complete]

    # ---- sources

    async def reach(self) -> None:
        """Brings the sources of what is missing to this host's caches; adds what hinders it to `problems`."""
        sound = [plan for plan in self.missing() if not plan.is_flawed]
        if sound:
            await self.runner.stop_leftovers()
            await self._each(self._reach, sound)

    async def _reach(self, plan: Plan, found: list[str]) -> None:
        self._prepare_folders(plan.app)
        if plan.app.kind() == "git":
            if not shutil.which("git", path=PATH):
                found.append("source.git: git is not installed on this host")
                return
            step = self._step(plan, "source.git", _git(_mirror(plan.revision)), git=True)
            outcome = await self.runner.run(step)
            if outcome.status:
                found.append(f"source.git: '{plan.app.origin()}' cannot be fetched: {_told(step, outcome)}")
        elif plan.app.kind() == "archive" and not plan.app.needs_upload() and self.fetch:
            plan.download = self.temporary / f"{plan.app.name}.archive"
            try:
                digest = await asyncio.to_thread(self.fetch, plan.app.origin(), plan.download)
            except (OSError, ValueError, urllib.error.URLError) as problem:
                found.append(f"source.archive: '{plan.app.origin()}' cannot be fetched: {problem}")
                return
            wanted = plan.app.get("checksum")
            if wanted and wanted != f"sha256:{digest}":
                found.append(f"source.checksum: '{plan.app.origin()}' has sha256:{digest}, not {wanted}")

    def _prepare_folders(self, app: App) -> None:
        """Folders that the role makes with systemd-tmpfiles; here for the use of the module alone."""
        account = t.cast(pwd.struct_passwd, _account(app.user))
        for folder in (self.layout.app(app.name), self.layout.releases(app.name)):
            folder.mkdir(mode=0o711, parents=True, exist_ok=True)
            folder.chmod(0o711)
        for folder, mode in ((self.layout.scratch(app.name), 0o700), (self.layout.data(app.name), 0o710)):
            if not folder.exists():
                folder.mkdir(mode=mode, parents=True)
                os.chown(folder, account.pw_uid, account.pw_gid)

    # ---- building

    async def build(self) -> None:
        """Builds what is missing, `jobs` at a time.

        A failure does not stop the others; at the end it raises Problems with all of them. No half-made release stays.
        """
        slots = asyncio.Semaphore(self.jobs)
        failures: list[str] = []

        async def one(plan: Plan) -> None:
            async with slots:
                try:
                    await self._build(plan)
                except Exception as problem:
                    failures.append(self._message(plan, unforeseen(problem)))
                    try:
                        await asyncio.to_thread(tree.remove, self._folder(plan))
                    except (OSError, PyhostError) as left:
                        failures.append(self._message(plan, f"release: {left}"))

        await asyncio.gather(*map(one, self.missing()))
        if failures:
            raise Problems(failures)

    async def _build(self, plan: Plan) -> None:
        folder = self._folder(plan)
        account = t.cast(pwd.struct_passwd, _account(plan.app.user))
        with _as_step("release", folder):
            await asyncio.to_thread(self._start_afresh, folder, account)
        await self._source(plan, account)
        await self._venv(plan)
        for index, step in enumerate(plan.app.setup):
            if plan.app.first or not step.get("once"):
                await self._do(plan, f"setup[{index}] ({step['run']})", f"exec /bin/sh -c {shlex.quote(step['run'])}")
        # Sealed code cannot be compiled any more; what does not compile is none of ours (templates, old examples).
        await self._do(
            plan,
            "compile",
            "find code -name .git -prune -exec rm -rf {} +\nvenv/bin/python -m compileall -qq code venv || true",
            cwd=folder,
        )
        if plan.app.wsgi:
            await self._try(plan)
        with _as_step("release", folder):
            await asyncio.to_thread(self._finish, plan, account)

    def _start_afresh(self, folder: Path, account: pwd.struct_passwd) -> None:
        tree.remove(folder)
        folder.mkdir(mode=0o711)
        folder.chmod(0o711)
        for name in ("code", "venv"):
            (folder / name).mkdir(mode=0o700)
            os.chown(folder / name, account.pw_uid, account.pw_gid)

    async def _source(self, plan: Plan, account: pwd.struct_passwd) -> None:
        folder = self._folder(plan)
        if plan.app.kind() == "git":
            checkout = _checkout(self.layout.scratch(plan.app.name), plan.revision)
            await self._do(plan, "source.git", _git(checkout), git=True)
        elif plan.app.kind():
            given = plan.download or Path(self.uploads[plan.missing_digest()])
            archive = folder / "source"
            with _as_step(f"source.{plan.app.kind()}", archive):
                await asyncio.to_thread(shutil.copyfile, given, archive)
                await asyncio.to_thread(_check_upload, plan, archive)
            os.chown(archive, 0, account.pw_gid)
            archive.chmod(0o640)
            python = t.cast(Interpreter, plan.interpreter).path
            command = [python, "-I", "-c", inspect.getsource(unpack), str(archive), "."]
            strip = ["--strip"] if plan.app.kind() == "archive" else []
            await self._do(plan, f"source.{plan.app.kind()}", f"exec {_quoted([*command, *strip])}")
            archive.unlink()

    async def _venv(self, plan: Plan) -> None:
        python = shlex.quote(t.cast(Interpreter, plan.interpreter).path)
        venv = self._folder(plan) / "venv"
        uv = self._uv() if self.installer in ("auto", "uv") else None
        if not uv and self.installer == "uv":
            own = self.layout.scratch(plan.app.name) / "uv"
            uv = f"{own}/bin/uv"
            await self._do(
                plan,
                "venv (uv itself)",
                f"[ -x {uv} ] || {{ {python} -m venv --clear {own} && {own}/bin/pip install --no-input --quiet uv; }}",
            )
        install = f"{venv}/bin/python -m pip install --no-input --progress-bar off"
        # pip is most of the time and the space that a venv takes, and nobody needs it who installs nothing.
        is_empty = plan.app.requirements == [] and not plan.app.server_requirements
        make = f"exec {python} -m venv {'--without-pip ' if is_empty else ''}{venv}"
        if uv:
            install = f"{uv} pip install --no-progress --python {venv}/bin/python"
            make = f"exec {uv} venv --quiet --allow-existing --python {python} {venv}"
        await self._do(plan, "venv", make)
        if plan.app.server_requirements:
            lines = _quoted(map(_without_login, plan.app.server_requirements))
            await self._do(plan, "server_requirements", f"exec {install} {lines}")
        await self._do(plan, "requirements", _requirements(plan.app.requirements, install))

    async def _try(self, plan: Plan) -> None:
        """Starts the application on a socket and asks it, as the user and in the sandbox that it will run in."""
        folder = self._folder(plan)
        app = plan.app
        env = {**self._base_env(plan), **app.env, **self._own_env(plan), "PYTHONDONTWRITEBYTECODE": "1"}
        health = {"path": "/", "mount": "", "host": "localhost", "status": None, "timeout": 30, **app.health}
        command = [f"{folder}/venv/bin/python", "-c", _TRY, str(app.wsgi), json.dumps(health)]
        step = Step(
            app.name, f"wsgi ({app.wsgi})", app.user, f"exec {_quoted(command)}", env, f"{folder}/code",
            self._own_folders(app), check_sandbox(app.network, app.jit, app.limits.get("memory", MEMORY)),
            int(health["timeout"]) + _TO_START, _limits(app),
        )  # fmt: skip
        outcome = await self.runner.run(step)
        if "\nTimeout (" in f"\n{outcome.err}":
            said = f"{outcome.said}\nhealth.timeout: {health['timeout']} seconds were not enough for import and answer"
            outcome = Outcome(outcome.status, said, "")
        if outcome.status and not app.network and any(words in outcome.said for words in _NO_NETWORK):
            said = f"{outcome.said}\nit may open network connections only with network: true"
            outcome = Outcome(outcome.status, said, "")
        self._expect(step, outcome)

    def _finish(self, plan: Plan, account: pwd.struct_passwd) -> None:
        folder = self._folder(plan)
        for name in ("code", "venv"):
            tree.seal(folder / name, account.pw_uid, account.pw_gid)
        tree.publish(folder / "code", folder / "public", plan.app.published(), (folder / "code", folder / "venv"))
        # Private files are among them, so no other application's user gets in.
        os.chown(folder / "public", 0, _group(self.web_group))
        (folder / "public").chmod(0o750)
        interpreter = t.cast(Interpreter, plan.interpreter)
        notes = {
            "revision": plan.shown(),
            "python": f"{interpreter.path} {interpreter.version}",
            "wsgi": plan.app.wsgi,
        }
        complete(folder, notes)

    # ---- putting in line

    def in_line(self, *, wanted: bool = False) -> str:
        """The releases that `next` of each application names (or, if `wanted`, will name), one a line."""
        lines = []
        for plan in self.plans:
            release = plan.release if wanted else target(self.layout.app(plan.app.name) / "next")
            lines.append(f"{plan.app.name}: {release or '-'}\n")
        return "".join(lines)

    def switch(self) -> list[str]:
        """Points `next` of each application to its release; returns the names of those where it changed."""
        changed = []
        for plan in self.plans:
            link = self.layout.app(plan.app.name) / "next"
            if link.is_symlink() and str(link.readlink()) == f"releases/{plan.release}":
                continue
            changed.append(plan.app.name)
            if not self.is_check:
                current = target(self.layout.app(plan.app.name) / "current")
                note_change(self.layout.releases(plan.app.name), current, plan.release)
                tree.link(link, f"releases/{plan.release}")
        return changed

    def prune(self) -> list[str]:
        """Removes releases that nobody needs; returns their paths."""
        gone = []
        for plan in self.plans:
            folder = self.layout.releases(plan.app.name)
            used = [target(self.layout.app(plan.app.name) / name) for name in ("next", "current")]
            for name in obsolete(folder, plan.app.keep, [*used, before(folder, used[1])]):
                gone.append(str(folder / name))
                if not self.is_check:
                    # Without its marker first: a killed removal must not leave what looks complete.
                    tree.remove(folder / name / MARKER)
                    tree.remove(folder / name)
        return gone

    # ---- steps

    async def _do(self, plan: Plan, name: str, script: str, *, git: bool = False, cwd: Path | None = None) -> None:
        step = self._step(plan, name, script, git=git, cwd=cwd or self._folder(plan) / "code")
        self._expect(step, await self.runner.run(step))

    def _expect(self, step: Step, outcome: Outcome) -> None:
        if outcome.status:
            raise StepError(f"{step.name}: failed with status {outcome.status}\n{_told(step, outcome)}".rstrip())

    def _step(self, plan: Plan, name: str, script: str, *, git: bool = False, cwd: Path | None = None) -> Step:
        app = plan.app
        scratch = self.layout.scratch(app.name)
        logins = self._logins(app, git)
        env = {
            **self._base_env(plan),
            "PIP_CACHE_DIR": f"{scratch}/pip",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "UV_CACHE_DIR": f"{scratch}/uv-cache",
            "UV_LINK_MODE": "copy",
            "UV_PYTHON_DOWNLOADS": "never",
            **{_UV[key]: value for key, value in self.build_env.items() if key in _UV},
            **(_GIT if git else {}),
            **self.build_env,
            **(app.env if name.startswith("setup") else {}),
            **self._own_env(plan),
            **({"SOURCE_URL": _without_login(app.origin()), "SOURCE_CACHE": str(scratch)} if git else {}),
            **logins,
        }
        if logins and not git:
            script = _with_logins(script)
        own = self._own_folders(app) if plan.release else ()
        writable = (*([f"-{self._folder(plan)}"] if plan.release else []), f"-{scratch}", *own)
        return Step(
            app.name, name, self._some_user(app), script, env, str(cwd or "/"),
            writable, BUILD, app.build_timeout, _limits(app),
        )  # fmt: skip

    def _install_logins(self, app: App) -> list[credentials.Login]:
        lines = "\n".join([*(app.requirements or ()), *app.server_requirements])
        return [*self._index_logins, *credentials.take_out(lines, self.build_env)[1]]

    def _logins(self, app: App, git: bool) -> dict[str, str]:
        """Environment of a step from which its files with logins are made; empty where there are none."""
        logins = credentials.take_out(app.origin())[1] if git else self._install_logins(app)
        netrc = credentials.netrc(login for login in logins if not git and not login.is_git)
        config, env = credentials.git_config(login for login in logins if git or login.is_git)
        return {"PYHOST_NETRC": netrc, "PYHOST_GIT_CONFIG": config, **env} if logins else {}

    def _own_folders(self, app: App) -> tuple[str, ...]:
        """What the application may write wherever it runs; what is not there is left out."""
        return (f"-{self.layout.data(app.name)}", *(f"-{path}" for path in app.writable_paths))

    def _base_env(self, plan: Plan) -> dict[str, str]:
        return {"LANG": "C.UTF-8", "HOME": str(self.layout.data(plan.app.name))}

    def _own_env(self, plan: Plan) -> dict[str, str]:
        """What no user's value replaces."""
        venv = f"{self._folder(plan)}/venv"
        data = str(self.layout.data(plan.app.name))
        path = plan.app.env.get("PATH", self.build_env.get("PATH", PATH))
        return {"STATE_DIRECTORY": data, "VIRTUAL_ENV": venv, "PATH": f"{venv}/bin:{path}"}

    def _folder(self, plan: Plan) -> Path:
        return self.layout.releases(plan.app.name) / plan.release

    def _some_user(self, app: App) -> str:
        data = self.layout.data(app.name)
        if self.is_check and data.is_dir() and (holder := account_of(data.stat().st_uid)) and holder.pw_uid:
            # Its home is not handed over yet.
            return holder.pw_name
        return app.user if _account(app.user) else "nobody"

    def _uv(self) -> str | None:
        return shutil.which("uv", path=PATH)


def _check_upload(plan: Plan, archive: Path) -> None:
    """Raises StepError where another source came than the one that the release is named after."""
    wanted = plan.missing_digest()
    try:
        is_right = not wanted or wanted == (tar_digest if plan.app.kind() == "path" else file_digest)(archive)
    except (tarfile.TarError, EOFError, zlib.error):
        is_right = False
    if not is_right:
        where = f"source.{plan.app.kind()}: '{plan.app.origin()}'"
        raise StepError(f"{where} changed on the controller while it was sent; run again once nothing writes there")


def unforeseen(problem: Exception) -> str:
    """Return what went wrong, and of what nobody thought of the place in our code; whoever calls this masks it."""
    if isinstance(problem, PyhostError):
        return str(problem)
    if isinstance(problem, OSError):
        return words(problem)
    return "\n".join(
        ["this should not happen, please report it", *traceback.format_exception(problem, limit=-5)]
    ).rstrip()


def _told(step: Step, outcome: Outcome) -> str:
    """Return what a step that failed said, and what whoever reads that can do where its own words do not tell."""
    advice = ""
    if outcome.late and step.sandbox is BUILD:
        advice = "build_timeout allows no step more; find out what it waits for, or allow more"
    elif _NO_ROOM.search(outcome.said):
        advice = _make_room(Path(folder.lstrip("-")) for folder in (*step.writable, _TEMPORARY))
    elif _NO_ANSWER.search(outcome.said):
        advice = _REACH.get(step.name.removeprefix("server_"), "")
    elif outcome.status in _KILLED or _NO_MEMORY.search(outcome.said):
        advice = "if it was killed for its memory: a build may use as much as the application; raise limits.memory"
    return f"{outcome.said}\n{advice}".strip()


def _limits(app: App) -> list[str]:
    """Return what a step of this application may use: as much as its service, and not of that."""
    given = app.limits
    return limits(given.get("memory", MEMORY), given.get("tasks", TASKS), given.get("cpu"))


def _make_room(folders: Iterable[Path]) -> str:
    """Return the advice for the fullest of these folders."""
    room = {folder: shutil.disk_usage(folder).free for folder in folders if folder.exists()}
    fullest = min(room, key=room.__getitem__)
    return f"the disk of {fullest} has {room[fullest] >> 20} MiB left; make room and run again"


def words(problem: OSError, path: Path | None = None) -> str:
    """Return what this process itself could not do at a path, and what helps where the disk is full."""
    place = Path(os.fsdecode(problem.filename)) if problem.filename and not path else path
    if not place:
        return str(problem.strerror)
    text = f"{place}: {problem.strerror}"
    if problem.errno not in (errno.ENOSPC, errno.EDQUOT):
        return text
    there = next(folder for folder in (place, *place.parents) if folder.exists())
    return f"{text}\n{_make_room([there])}"


@contextlib.contextmanager
def _as_step(name: str, path: Path) -> Iterator[None]:
    """Makes what this process itself cannot do a failure of the step."""
    try:
        yield
    except OSError as problem:
        raise StepError(f"{name}: {words(problem, path)}") from problem


def _account(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _group(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise StepError(f"static: there is no group '{name}' for the front end on this host") from None


def _quoted(words: Iterable[str]) -> str:
    return " ".join(map(shlex.quote, words))


def _unusable(url: str) -> str:
    """Return why git must not be given this address; empty where it may."""
    if "://" in url and not url.startswith(("http:", "https:", "ftp:", "ftps:")):
        if re.match(r"\w[\w+.-]*://[^/]*:[^/]*@", url):
            return "has a password, which ssh does not take and every account of the host could read; leave it out"
    elif "://" in url and "?" in url:
        return "has a query, which every account of the host could read; give a token as https://USER:TOKEN@HOST/…"
    return ""


def _without_login(text: str) -> str:
    return credentials.take_out(text)[0]


def _with_logins(script: str) -> str:
    # Both files begin with our logins, because the first one for a host counts. printf is a part of the shell: another
    # program would get the text as an argument.
    return f"""own=$(mktemp -d) || exit
printf '%s\\n' "$PYHOST_NETRC" >"$own/netrc" || exit
cat -- "${{NETRC:-$HOME/.netrc}}" >>"$own/netrc" 2>/dev/null
printf '%s\\n' "$PYHOST_GIT_CONFIG" >"$own/gitconfig" || exit
cat -- "${{GIT_CONFIG_GLOBAL:-$HOME/.gitconfig}}" >>"$own/gitconfig" 2>/dev/null
export NETRC="$own/netrc" GIT_CONFIG_GLOBAL="$own/gitconfig"
unset PYHOST_NETRC PYHOST_GIT_CONFIG
{script}"""


def _git(script: str) -> str:
    # A repository on this host may belong to somebody else than the application; git asks for consent. The folder is
    # the step's own.
    return f"""own=$(mktemp -d) || exit
printf '[safe]\\n\\tdirectory = *\\n%s\\n' "${{PYHOST_GIT_CONFIG:-}}" >"$own/gitconfig" || exit
export GIT_CONFIG_GLOBAL="$own/gitconfig"
{script}"""


def _mirror(commit: str) -> str:
    """Script that gets a commit into the application's mirror; without the network where it is there."""
    # A killed git leaves its locks; here it is known that no other one runs.
    return f"""
cd "$SOURCE_CACHE" || exit
[ -e git/HEAD ] || git init --quiet --bare git || exit
cd git || exit
git cat-file -e {commit}^{{commit}} 2>/dev/null && exit 0
find . -name '*.lock' -delete
git config remote.origin.url "$SOURCE_URL" || exit
git fetch --quiet --force --prune origin '+refs/heads/*:refs/heads/*' '+refs/tags/*:refs/tags/*' || exit
git cat-file -e {commit}^{{commit}} 2>/dev/null || git fetch --quiet origin {commit}
"""


def _checkout(cache: Path, commit: str) -> str:
    """Script that puts a commit of the mirror into the current folder, with its submodules."""
    return f"""
git clone --quiet --shared --no-checkout {shlex.quote(str(cache))}/git . || exit
git checkout --quiet --detach {commit} || exit
[ -e .gitmodules ] || exit 0
git config remote.origin.url "$SOURCE_URL" || exit
git submodule --quiet update --init --recursive
"""


def _requirements(lines: list[str] | None, install: str) -> str:
    """Script that installs what the list names, or what the source itself asks for."""
    if lines is None:
        return (
            f"if [ -e requirements.txt ]; then exec {install} -r requirements.txt; fi\n"
            f"if [ -e pyproject.toml ] || [ -e setup.py ]; then exec {install} .; fi"
        )
    if not lines:
        return ":"
    # In the code folder, because pip looks for what a line names beside the file with the line.
    return f"printf '%s\\n' {_quoted(map(_without_login, lines))} >{REQUIREMENTS}\nexec {install} -r {REQUIREMENTS}"


def fetch_with(open_url: Callable[..., t.Any], ca_path: str | None) -> Callable[[str, Path], str]:
    """A function that brings a URL to a file and returns its SHA-256, with Ansible's `open_url`."""

    def fetch(url: str, file: Path) -> str:
        total = hashlib.sha256()
        with open_url(url, timeout=60, ca_path=ca_path, http_agent="pyhost.web") as answer, file.open("wb") as out:
            while chunk := answer.read(1 << 20):
                total.update(chunk)
                out.write(chunk)
        return total.hexdigest()

    return fetch
