# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The steps of builds: as whom, where, with which environment and within which limits they run."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from . import credentials
from .advice import told
from .handover import account_of
from .plan import Plan, account_named
from .release import App, Layout
from .sandbox import BUILD, MEMORY, TASKS, limits
from .step import PATH, Outcome, Runner, Step, StepError

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


class Steps:
    """Makes and runs the steps of all applications of a host.

    `build_env` is the environment of all builds; `is_check` as in `Builder`.
    """

    def __init__(
        self, layout: Layout, runner: Runner, installer: str, build_env: Mapping[str, str], *, is_check: bool
    ) -> None:
        self.layout = layout
        self.runner = runner
        self.installer = installer
        self.build_env, self._index_logins = credentials.of_installers(build_env)
        self.is_check = is_check

    async def do(self, plan: Plan, name: str, script: str, *, git: bool = False, cwd: Path | None = None) -> None:
        """Run a step of a build, in the code folder by default; raise StepError if it fails."""
        step = self.step(plan, name, script, git=git, cwd=cwd or self.folder(plan) / "code")
        self.expect(step, await self.runner.run(step))

    def expect(self, step: Step, outcome: Outcome) -> None:
        """Raise StepError, with what helps, where a step failed."""
        if outcome.status:
            raise StepError(f"{step.name}: failed with status {outcome.status}\n{told(step, outcome)}".rstrip())

    def step(self, plan: Plan, name: str, script: str, *, git: bool = False, cwd: Path | None = None) -> Step:
        """Return a step of a build with its environment; one for git has the logins of the repository alone."""
        app = plan.app
        scratch = self.layout.scratch(app.name)
        logins = self._logins(app, git)
        env = {
            **self.base_env(plan),
            "PIP_CACHE_DIR": f"{scratch}/pip",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "UV_CACHE_DIR": f"{scratch}/uv-cache",
            "UV_LINK_MODE": "copy",
            "UV_PYTHON_DOWNLOADS": "never",
            **{_UV[key]: value for key, value in self.build_env.items() if key in _UV},
            **(_GIT if git else {}),
            **self.build_env,
            **(app.env if name.startswith("setup") else {}),
            **self.own_env(plan),
            **({"SOURCE_URL": without_login(app.origin()), "SOURCE_CACHE": str(scratch)} if git else {}),
            **logins,
        }
        if logins and not git:
            script = _with_logins(script)
        own = self.own_folders(app) if plan.release else ()
        writable = (*([f"-{self.folder(plan)}"] if plan.release else []), f"-{scratch}", *own)
        return Step(
            app.name, name, self.some_user(app), script, env, str(cwd or "/"),
            writable, BUILD, app.build_timeout, limits_of(app),
        )  # fmt: skip

    def install_logins(self, app: App) -> list[credentials.Login]:
        """Return the logins for what is installed, those of the package indexes first."""
        lines = "\n".join([*(app.requirements or ()), *app.server_requirements])
        return [*self._index_logins, *credentials.take_out(lines, self.build_env)[1]]

    def install_problems(self, app: App) -> list[str]:
        """Return which logins for what is installed cannot be handed over."""
        found = [f"requirements: {problem}" for problem in credentials.problems(self.install_logins(app))]
        texts = {"requirements": "\n".join([*(app.requirements or ()), *app.server_requirements])}
        texts |= {f"build_env.{name}": text for name, text in self.build_env.items() if credentials.is_setting(name)}
        return found + [
            f"{where}: {problem}" for where, text in texts.items() if (problem := credentials.left_in(text))
        ]

    def _logins(self, app: App, git: bool) -> dict[str, str]:
        """Environment of a step from which its files with logins are made; empty where there are none."""
        logins = credentials.take_out(app.origin())[1] if git else self.install_logins(app)
        netrc = credentials.netrc(login for login in logins if not git and not login.is_git)
        config, env = credentials.git_config(login for login in logins if git or login.is_git)
        return {"PYHOST_NETRC": netrc, "PYHOST_GIT_CONFIG": config, **env} if logins else {}

    def own_folders(self, app: App) -> tuple[str, ...]:
        """Return the folders that the application may write wherever it runs; systemd skips those that do not exist."""
        return (f"-{self.layout.data(app.name)}", *(f"-{path}" for path in app.writable_paths))

    def base_env(self, plan: Plan) -> dict[str, str]:
        """Return the environment that values of the user may replace."""
        return {"LANG": "C.UTF-8", "HOME": str(self.layout.data(plan.app.name))}

    def own_env(self, plan: Plan) -> dict[str, str]:
        """Return the environment that no value of the user replaces."""
        venv = f"{self.folder(plan)}/venv"
        data = str(self.layout.data(plan.app.name))
        path = plan.app.env.get("PATH", self.build_env.get("PATH", PATH))
        return {"STATE_DIRECTORY": data, "VIRTUAL_ENV": venv, "PATH": f"{venv}/bin:{path}"}

    def folder(self, plan: Plan) -> Path:
        """Return the folder of the release."""
        return self.layout.releases(plan.app.name) / plan.release

    def some_user(self, app: App) -> str:
        """Return the account that steps run as; in check mode it may not exist yet, or not have the data yet."""
        data = self.layout.data(app.name)
        if self.is_check and data.is_dir() and (holder := account_of(data.stat().st_uid)) and holder.pw_uid:
            # Its home is not handed over yet.
            return holder.pw_name
        return app.user if account_named(app.user) else "nobody"

    def uv(self) -> str | None:
        """Return the path of the uv that the host has."""
        return shutil.which("uv", path=PATH)


def limits_of(app: App) -> list[str]:
    """Return what a step of this application may use: as much as its service, and not of that."""
    given = app.limits
    return limits(given.get("memory", MEMORY), given.get("tasks", TASKS), given.get("cpu"))


def quoted(words: Iterable[str]) -> str:
    """Return words as a shell takes them."""
    return " ".join(map(shlex.quote, words))


def without_login(text: str) -> str:
    """Return an address, or a line with some, without users and passwords."""
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
