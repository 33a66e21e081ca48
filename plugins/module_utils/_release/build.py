# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From descriptions of applications to complete releases: plan all, then build what is missing."""

from __future__ import annotations

import asyncio
import grp
import inspect
import json
import os
import pwd
import shlex
import typing as t
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from .._errors import PyhostError
from .._mask import Mask, inside
from . import tree, try_app, venv
from .advice import as_step, of_trial, unforeseen
from .interpreter import Interpreters
from .plan import Plan, Problems, account_named
from .release import (
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
    target,
)
from .sandbox import MEMORY
from .sources import Sources
from .step import Outcome, Runner, Step, StepError, check_sandbox
from .steps import Steps, limits_of, quoted

# How Python reports that the sandbox kept an application from the network.

_TRY = inspect.getsource(try_app)

# Seconds that the sandbox may take besides; the application's own time is counted in it.
_TO_START = 30


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
        self.jobs = jobs
        self.web_group = web_group
        self.is_check = is_check
        self.mask = Mask([*(build_env or {}).values(), *self._secrets()])
        self.warnings: list[str] = []
        self.problems: list[str] = []
        """What prevents all of the work."""
        self.failures: list[str] = []
        """What prevents the release of one application, which is_flawed then."""
        self._steps = Steps(layout, runner, installer, build_env or {}, is_check=is_check)
        self._interpreters = Interpreters(self._steps)
        self._sources = Sources(self._steps, temporary, uploads or {}, fetch)

    def _secrets(self) -> Iterator[str]:
        for plan in self.plans:
            yield from plan.app.env.values()
            for text in (plan.app.origin(), *(plan.app.requirements or ()), *plan.app.server_requirements):
                yield from inside(text)

    # ---- planning

    async def plan(self, known_problems: Iterable[str] = ()) -> None:
        """Finds out which releases are missing, and collects what fails for one application in `failures`.

        Raises Problems at once where the names themselves are wrong.
        """
        self.problems += known_problems
        names = [plan.app.name for plan in self.plans]
        found = [
            f"app {name}: two applications have this name" for name in {name for name in names if names.count(name) > 1}
        ]
        found += [f"app {name}: this is not a valid name of an application" for name in names if not is_name(name)]
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
            self._fail(plan, *found)

        await asyncio.gather(*map(one, plans))

    def _fail(self, plan: Plan, *problems: str) -> None:
        plan.is_flawed = plan.is_flawed or bool(problems)
        self.failures.extend(self._message(plan, problem) for problem in problems)

    def blame(self, messages: Iterable[str]) -> None:
        """Takes messages that begin with the name of an application as failures of that one."""
        for message in messages:
            for plan in self.plans:
                head = self._message(plan, "")
                if message.startswith(head):
                    self._fail(plan, message.removeprefix(head))

    def failed(self) -> list[str]:
        """Names of the applications that get no release."""
        return [plan.app.name for plan in self.plans if plan.is_flawed]

    def _sound(self) -> list[Plan]:
        return [plan for plan in self.plans if not plan.is_flawed]

    def _message(self, plan: Plan, text: str) -> str:
        return f"app {plan.app.name}: {self.mask(text)}"

    def reject(self) -> None:
        """Raises Problems with all that was found, if anything was."""
        if self.problems or self.failures:
            raise Problems([*self.problems, *self.failures])

    async def _plan(self, plan: Plan, found: list[str]) -> None:
        try:
            await self._find_out(plan, found)
        finally:
            # In check mode the host may be a virgin one.
            if self.is_check:
                self.warnings += [f"app {plan.app.name}: {text}" for text in plan.lacking]
            else:
                found += plan.lacking

    async def _find_out(self, plan: Plan, found: list[str]) -> None:
        app = plan.app
        found += app.problems()
        found += self._steps.install_problems(app)
        if not account_named(app.user):
            plan.lacking.append(f"user: this host has no account '{app.user}'. Run pyhost.web.site first.")
        interpreter, revision = await asyncio.gather(
            self._interpreters.find(plan, found), self._sources.revision(plan, found)
        )
        if interpreter and not interpreter.has_venv and not (self._steps.installer == "auto" and self._steps.uv()):
            package = f"python{interpreter.version}-venv"
            plan.lacking.append(f"python: {interpreter.path} cannot create a venv. Install {package}.")
        plan.interpreter, plan.revision = interpreter, revision
        if interpreter and revision:
            plan.release = release_id(app, revision, interpreter, self._steps.installer)
            plan.is_complete = _is_complete(self.layout, plan)

    def needed(self) -> list[str]:
        """Digests of sources that the controller has to send."""
        digests = {plan.missing_digest() for plan in self._sound()} - {""}
        return sorted(digests - set(self._sources.uploads))

    def missing(self) -> list[Plan]:
        """Plans whose release has to be built."""
        return [plan for plan in self._sound() if not plan.is_complete]

    # ---- sources

    async def reach(self) -> None:
        """Brings the sources of what is missing to this host's caches; adds what prevents it to `failures`."""
        missing = self.missing()
        if missing:
            await self._steps.runner.stop_leftovers()
            await self._each(self._reach, missing)

    async def _reach(self, plan: Plan, found: list[str]) -> None:
        self._prepare_folders(plan.app)
        await self._sources.reach(plan, found)

    def _prepare_folders(self, app: App) -> None:
        """Folders that the role makes with systemd-tmpfiles; here for the use of the module alone."""
        account = t.cast(pwd.struct_passwd, account_named(app.user))
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

        A failure does not stop the others; it is in `failures` then. No half-made release stays.
        """
        slots = asyncio.Semaphore(self.jobs)

        async def one(plan: Plan) -> None:
            async with slots:
                try:
                    await self._build(plan)
                except Exception as problem:
                    self._fail(plan, unforeseen(problem))
                    try:
                        await asyncio.to_thread(tree.remove, self._steps.folder(plan))
                    except (OSError, PyhostError) as left:
                        self._fail(plan, f"release: {left}")

        await asyncio.gather(*map(one, self.missing()))

    async def _build(self, plan: Plan) -> None:
        folder = self._steps.folder(plan)
        account = t.cast(pwd.struct_passwd, account_named(plan.app.user))
        with as_step("release", folder):
            await asyncio.to_thread(_start_afresh, folder, account)
        await self._sources.place(plan, account)
        await venv.make(self._steps, plan)
        for index, step in enumerate(plan.app.setup):
            if plan.app.run_once_steps or not step.get("once"):
                await self._steps.do(
                    plan, f"setup[{index}] ({step['run']})", f"exec /bin/sh -c {shlex.quote(step['run'])}"
                )
        # Sealed code cannot be compiled any more; what does not compile is none of ours (templates, old examples).
        await self._steps.do(
            plan,
            "compile",
            "find code -name .git -prune -exec rm -rf {} +\nvenv/bin/python -m compileall -qq code venv || true",
            cwd=folder,
        )
        if plan.app.wsgi:
            await self._try(plan)
        with as_step("release", folder):
            await asyncio.to_thread(self._finish, plan, account)

    async def _try(self, plan: Plan) -> None:
        """Starts the application on a socket and asks it, as the user and in the sandbox that it will run in."""
        folder = self._steps.folder(plan)
        app = plan.app
        env = {**self._steps.base_env(plan), **app.env, **self._steps.own_env(plan), "PYTHONDONTWRITEBYTECODE": "1"}
        health = {"path": "/", "mount": "", "host": "localhost", "status": None, "timeout": 30, **app.health}
        command = [f"{folder}/venv/bin/python", "-c", _TRY, str(app.wsgi), json.dumps(health)]
        step = Step(
            app.name, f"wsgi ({app.wsgi})", app.user, f"exec {quoted(command)}", env, f"{folder}/code",
            self._steps.own_folders(app),
            check_sandbox(app.network, app.jit, app.limits.get("memory", MEMORY), proc=app.proc),
            int(health["timeout"]) + _TO_START, limits_of(app),
        )  # fmt: skip
        outcome = await self._steps.runner.run(step)
        advice = of_trial(outcome.all, self.layout.data(app.name), health["timeout"], network=app.network)
        if outcome.status and advice:
            outcome = Outcome(outcome.status, f"{outcome.said}\n{advice}", "")
        self._steps.expect(step, outcome)

    def _finish(self, plan: Plan, account: pwd.struct_passwd) -> None:
        folder = self._steps.folder(plan)
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
            "once": plan.app.run_once_steps,
        }
        complete(folder, notes)

    # ---- switching

    def in_line(self, *, wanted: bool = False) -> str:
        """The releases that `next` of each application names (or, if `wanted`, will name), one a line."""
        lines = []
        for plan in self.plans:
            release = plan.release if wanted and not plan.is_flawed else target(self.layout.app(plan.app.name) / "next")
            lines.append(f"{plan.app.name}: {release or '-'}\n")
        return "".join(lines)

    def switch(self) -> list[str]:
        """Points `next` of each application to its release; returns the names of those where it changed."""
        changed = []
        for plan in self._sound():
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
                    # Without its marker first: an interrupted removal must not leave what looks complete.
                    tree.remove(folder / name / MARKER)
                    tree.remove(folder / name)
        return gone


def _is_complete(layout: Layout, plan: Plan) -> bool:
    """Whether the release is there with all that this host has to do for it.

    One whose `once` steps another host was to run is not, unless it is live: then those steps ended well.
    """
    noted = marker(layout.releases(plan.app.name) / plan.release)
    if noted is None:
        return False
    is_live = target(layout.app(plan.app.name) / "current") == plan.release
    return is_live or not plan.app.runs_once() or bool(noted.get("once", True))


def _start_afresh(folder: Path, account: pwd.struct_passwd) -> None:
    tree.remove(folder)
    folder.mkdir(mode=0o711)
    folder.chmod(0o711)
    for name in ("code", "venv"):
        (folder / name).mkdir(mode=0o700)
        os.chown(folder / name, account.pw_uid, account.pw_gid)


def _group(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise StepError(
            f"static: this host has no group '{name}' for the front end. Create it in an earlier task."
        ) from None
