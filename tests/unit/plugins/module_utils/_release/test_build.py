# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The way from applications to releases, with steps that are played by a stand-in for systemd."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import tarfile
import typing as t
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.pyhost.web.plugins.module_utils._contents import tar_digest
from ansible_collections.pyhost.web.plugins.module_utils._release.build import Builder
from ansible_collections.pyhost.web.plugins.module_utils._release.plan import Problems
from ansible_collections.pyhost.web.plugins.module_utils._release.release import App, Layout
from ansible_collections.pyhost.web.plugins.module_utils._release.step import Outcome, Step

COMMIT = "c0ffee" + "0" * 34
USER = "nobody"

Answer = Callable[[Step], Outcome | None]


class Stage:
    """Plays the steps; `answers` by the first word of a step's name may replace what it does."""

    def __init__(self, layout: Layout, answers: dict[str, Answer]) -> None:
        self.layout = layout
        self.answers = answers
        self.steps: list[Step] = []
        self.stopped = 0
        self.at_once = 0
        self.most_at_once = 0

    async def stop_leftovers(self) -> None:
        """Counts."""
        self.stopped += 1

    async def run(self, step: Step) -> Outcome:
        """Notes a step, and does the least of what it stands for."""
        self.steps.append(step)
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        await asyncio.sleep(0.001)
        self.at_once -= 1
        answer = self.answers.get(step.name.split(" ")[0])
        outcome = answer(step) if answer else None
        if outcome:
            return outcome
        if step.name == "python":
            return Outcome(0, json.dumps(["3.13", True]), "")
        if step.name == "source.git" and "ls-remote" in step.script:
            return Outcome(0, f"{COMMIT}\tHEAD\n{COMMIT}\trefs/heads/main\n", "")
        return Outcome(0, "", "")

    def names(self) -> list[str]:
        """Steps of the build in their order."""
        return [step.name for step in self.steps if step.name != "python"]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Folders of a host."""
    return Layout(tmp_path / "srv", tmp_path / "lib", tmp_path / "cache")


@pytest.fixture
def make(layout: Layout, tmp_path: Path) -> Callable[..., tuple[Builder, Stage]]:
    """A builder and its stage."""

    def make(*apps: App, answers: dict[str, Answer] | None = None, **options: t.Any) -> tuple[Builder, Stage]:
        stage = Stage(layout, answers or {})
        return Builder(apps, layout, stage, temporary=tmp_path, **options), stage

    return make


def app(name: str = "shop", **keys: t.Any) -> App:
    """An application of an account that exists, with an interpreter that exists."""
    return App(**{"name": name, "user": USER, "python": sys.executable, **keys})


async def _all(builder: Builder) -> None:
    await builder.plan()
    await builder.reach()
    await builder.build()
    builder.switch()
    builder.prune()
    builder.reject()


def run(builder: Builder) -> None:
    """What the module does outside check mode."""
    asyncio.run(_all(builder))


def says(text: str, status: int = 1) -> Answer:
    """A step that fails with these words."""
    return lambda _step: Outcome(status, "", text)


def folders(layout: Layout, name: str = "shop") -> list[Path]:
    """Folders of an application's releases."""
    return sorted(layout.releases(name).iterdir())


Make = Callable[..., tuple[Builder, Stage]]


def test_first_and_second_run(make: Make, layout: Layout) -> None:
    builder, stage = make(app(setup=[{"run": "one"}, {"run": "two"}], wsgi="a:b"))
    run(builder)
    assert stage.names() == ["venv", "requirements", "setup[0] (one)", "setup[1] (two)", "compile", "wsgi (a:b)"]
    (release,) = folders(layout)
    assert str((layout.app("shop") / "next").readlink()) == f"releases/{release.name}"
    assert sorted(path.name for path in release.iterdir()) == [".complete", "code", "public", "venv"]
    assert (release / "code").stat().st_uid == 0

    builder, stage = make(app(setup=[{"run": "one"}, {"run": "two"}], wsgi="a:b"))
    run(builder)
    assert stage.names() == []
    assert (builder.missing(), folders(layout)) == ([], [release])
    assert stage.stopped == 0


@pytest.mark.parametrize(
    ("keys", "has_pip"),
    [
        ({"requirements": []}, False),
        ({"requirements": None}, True),
        ({"requirements": ["a"]}, True),
        ({"requirements": [], "server_requirements": ["a"]}, True),
    ],
)
def test_who_installs_nothing_has_no_pip(make: Make, keys: dict[str, t.Any], has_pip: bool) -> None:
    builder, stage = make(app(**keys))
    run(builder)
    (step,) = (step for step in stage.steps if step.name == "venv")
    assert ("--without-pip" not in step.script) == has_pip


def test_a_thousand_steps_less(make: Make) -> None:
    """Without a change, an interpreter is asked once for all applications, and nothing else is."""
    apps = [app(f"app{number}") for number in range(20)]
    run(make(*apps, jobs=4)[0])
    builder, stage = make(*apps)
    run(builder)
    assert [step.name for step in stage.steps] == ["python"]


def test_jobs_at_a_time(make: Make) -> None:
    builder, stage = make(*(app(f"app{number}") for number in range(6)), jobs=3)
    run(builder)
    assert stage.most_at_once == 3


def test_leftover_of_a_killed_run_is_rebuilt(make: Make, layout: Layout) -> None:
    builder, _stage = make(app())
    run(builder)
    (release,) = folders(layout)
    (release / ".complete").unlink()
    (release / "code" / "half").touch()
    (layout.releases("shop") / "feed").mkdir()
    builder, stage = make(app())
    run(builder)
    assert stage.stopped == 1
    assert folders(layout) == [release]
    assert list((release / "code").iterdir()) == []


def test_setup_steps_for_one_host(make: Make) -> None:
    steps = [{"run": "one", "once": True}, {"run": "two", "once": False}]
    builder, stage = make(app(setup=steps, run_once_steps=False))
    run(builder)
    assert [name for name in stage.names() if name.startswith("setup")] == ["setup[1] (two)"]


def test_environments(make: Make, layout: Layout) -> None:
    described = app(setup=[{"run": "x"}], wsgi="a:b", env={"KEY": "secret", "HOME": "/home", "STATE_DIRECTORY": "/x"})
    builder, stage = make(described, build_env={"PIP_INDEX_URL": "https://pypi.example.org/simple"})
    run(builder)
    env = {step.name.split("[")[0].split(" ")[0]: step.env for step in stage.steps}
    assert "KEY" not in env["requirements"]
    assert env["requirements"]["UV_DEFAULT_INDEX"] == "https://pypi.example.org/simple"
    assert env["requirements"]["HOME"] == str(layout.data("shop"))
    for name in ("setup", "wsgi"):
        assert env[name]["KEY"] == "secret"
        assert env[name]["STATE_DIRECTORY"] == str(layout.data("shop"))
        assert env[name]["PATH"].startswith(f"{layout.releases('shop')}/{builder.plans[0].release}/venv/bin:")
    assert "PIP_INDEX_URL" not in env["wsgi"]


def test_only_own_folders_are_writable(make: Make, layout: Layout) -> None:
    builder, stage = make(app(wsgi="a:b"))
    run(builder)
    writable = {step.name.split(" ")[0]: step.writable for step in stage.steps}
    assert writable["wsgi"] == (f"-{layout.data('shop')}",)
    release = layout.releases("shop") / builder.plans[0].release
    own = (release, layout.scratch("shop"), layout.data("shop"))
    assert writable["requirements"] == tuple(f"-{path}" for path in own)


def test_one_failure(make: Make, layout: Layout) -> None:
    run(make(app("bad"))[0])
    before = folders(layout, "bad")
    answers = {"setup[0]": says("boom: secret-key")}
    bad = app("bad", setup=[{"run": "x"}], env={"KEY": "secret-key"})
    builder, _stage = make(bad, app("good"), answers=answers)
    with pytest.raises(Problems) as problems:
        asyncio.run(_all(builder))
    assert str(problems.value) == "app bad: setup[0] (x): failed with status 1\nboom: ********"
    assert folders(layout, "bad") == before
    assert (layout.app("bad") / "next").readlink().name == before[0].name
    assert builder.failed() == ["bad"]
    (release,) = folders(layout, "good")
    assert (layout.app("good") / "next").readlink().name == release.name
    assert builder.in_line(wanted=True) == f"bad: {before[0].name}\ngood: {release.name}\n"


def test_a_source_that_is_out_of_reach_is_one_application_s_failure(make: Make, layout: Layout) -> None:
    bad = app("bad", source={"git": "https://git.example.org/bad.git"})
    builder, _stage = make(bad, app("good"), answers={"source.git": says("Connection refused")})
    with pytest.raises(Problems, match=r"app bad: source\.git"):
        run(builder)
    assert builder.failed() == ["bad"]
    assert len(folders(layout, "good")) == 1


ONCE = [{"run": "migrate", "once": True}]


def test_a_release_whose_once_steps_ran_nowhere_is_built_by_the_host_that_is_to_run_them(
    make: Make, layout: Layout
) -> None:
    """As when the host that was to run them has left the inventory."""
    run(make(app(setup=ONCE, run_once_steps=False))[0])
    builder, stage = make(app(setup=ONCE))
    run(builder)
    assert "setup[0] (migrate)" in stage.names()
    assert len(folders(layout)) == 1
    again, stage = make(app(setup=ONCE))
    run(again)
    assert stage.names() == []


def test_a_release_that_is_live_had_its_once_steps(make: Make, layout: Layout) -> None:
    run(make(app(setup=ONCE, run_once_steps=False))[0])
    (layout.app("shop") / "current").symlink_to(f"releases/{folders(layout)[0].name}")
    builder, stage = make(app(setup=ONCE))
    run(builder)
    assert stage.names() == []


def explodes(_step: Step) -> Outcome:
    """A step that brings us into trouble that nobody thought of."""
    raise RecursionError("too deep for secret-key")


UNFORESEEN = (
    r"\Aapp bad: unexpected RecursionError at test_build\.py:\d+: too deep for \*{8}\. Please report this as a bug\.\Z"
)


def test_whatever_breaks_a_build_leaves_the_others(make: Make, layout: Layout) -> None:
    bad = app("bad", setup=[{"run": "x"}], env={"KEY": "secret-key"})
    builder, _stage = make(bad, app("good"), answers={"setup[0]": explodes})
    with pytest.raises(Problems, match=UNFORESEEN):
        run(builder)
    assert (len(folders(layout, "good")), len(folders(layout, "bad"))) == (1, 0)


def test_whatever_breaks_a_plan_leaves_the_others(make: Make) -> None:
    bad = app("bad", source={"git": "x"}, env={"KEY": "secret-key"})
    builder, _stage = make(bad, app("good", user="nosuchuser"), answers={"source.git": explodes})
    asyncio.run(builder.plan())
    with pytest.raises(Problems, match=UNFORESEEN.replace(r"\Z", "\n.*this host has no account 'nosuchuser'")):
        builder.reject()


def test_folders_of_any_depth(make: Make, layout: Layout) -> None:
    def dig(step: Step) -> None:
        handle = os.open(step.cwd, os.O_RDONLY)
        for _ in range(1500):
            os.mkdir("deeper", dir_fd=handle)
            os.chown("deeper", pwd.getpwnam(USER).pw_uid, -1, dir_fd=handle)
            inner = os.open("deeper", os.O_RDONLY, dir_fd=handle)
            os.close(handle)
            handle = inner
        os.close(handle)

    deep = {"setup": [{"run": "x"}]}
    run(make(app("bad", **deep), app("good"), answers={"setup[0]": dig})[0])
    builder, _stage = make(app("bad", static={"/x": "deeper"}, **deep), answers={"setup[0]": dig})
    with pytest.raises(Problems, match=r"app bad: release: .*: File name too long"):
        run(builder)
    assert len(folders(layout, "good")) == len(folders(layout, "bad")) == 1
    # pytest itself cannot remove a folder that is so deep.
    subprocess.run(["rm", "-rf", layout.root], check=True)


def test_missing_static_files(make: Make, layout: Layout) -> None:
    builder, _stage = make(app(static={"/static/": "static"}))
    with pytest.raises(Problems, match="app shop: static: 'static' is neither in the code nor created by a setup step"):
        run(builder)
    assert folders(layout) == []


def test_checks_say_so_without_touching(make: Make, layout: Layout) -> None:
    builder, stage = make(app(user="nosuchuser", python="python3.2", source={"git": "x"}), is_check=True)
    asyncio.run(builder.plan())
    assert builder.missing() == builder.plans
    assert builder.switch() == ["shop"]
    assert builder.prune() == []
    assert len(builder.warnings) >= 2
    assert {step.user for step in stage.steps} <= {"nobody"}
    assert not layout.root.exists()


@pytest.fixture
def upload(tmp_path: Path) -> Path:
    """A folder of the controller as it arrives."""
    (tmp_path / "x.py").write_text("x", encoding="utf-8")
    with tarfile.open(tmp_path / "upload", "w:gz") as archive:
        archive.add(tmp_path / "x.py", "x.py")
    return tmp_path / "upload"


def test_uploads_are_asked_for_once(make: Make, layout: Layout, upload: Path) -> None:
    digest = tar_digest(upload)
    described = app(source={"path": "./shop", "digest": digest})
    builder, _stage = make(described, app("twin", source={"path": "./shop", "digest": digest}))
    asyncio.run(builder.plan())
    assert builder.needed() == [digest]
    builder, stage = make(described, uploads={digest: str(upload)})
    run(builder)
    assert builder.needed() == []
    assert stage.names()[0] == "source.path"
    assert not (folders(layout)[0] / "source").exists()


@pytest.mark.parametrize("kind", ["path", "archive"])
def test_another_upload_than_was_announced(make: Make, layout: Layout, upload: Path, kind: str) -> None:
    described = app(source={kind: "./shop", "digest": "0" * 64})
    words = f"app shop: source.{kind}: './shop' changed on the controller while it was sent"
    for content in (upload.read_bytes(), upload.read_bytes()[:-9], b""):
        upload.write_bytes(content)
        with pytest.raises(Problems, match=words):
            run(make(described, uploads={"0" * 64: str(upload)})[0])
        assert folders(layout) == []


def git(version: str | None = None) -> App:
    """An application from a repository."""
    return app(source={"git": "https://git.example.org/shop.git", "version": version})


REFS = f"{'1' * 40}\trefs/heads/main\n{'2' * 40}\trefs/tags/v1\n{'3' * 40}\trefs/tags/v1^{{}}\n{'4' * 40}\tHEAD\n"
VERSIONS = {None: "4" * 40, "HEAD": "4" * 40, "main": "1" * 40, "v1": "3" * 40, COMMIT: COMMIT}


@pytest.mark.parametrize("version", VERSIONS)
def test_git_versions(make: Make, version: str | None) -> None:
    builder, _stage = make(git(version), answers={"source.git": lambda _step: Outcome(0, REFS, "")})
    asyncio.run(builder.plan())
    assert builder.plans[0].revision == VERSIONS[version]


def test_a_commit_needs_no_look(make: Make) -> None:
    run(make(git(COMMIT))[0])
    builder, stage = make(git(COMMIT))
    run(builder)
    assert stage.names() == []


def fetch(digest: str) -> Callable[[str, Path], str]:
    """A download that brings a file of that digest."""

    def fetch(_url: str, file: Path) -> str:
        file.write_text("x", encoding="utf-8")
        return digest

    return fetch


def offline(_url: str, _file: Path) -> str:
    """A download without a network."""
    raise OSError("no route to host")


URL = "https://example.org/shop.tar.gz"
PLAN: dict[str, tuple[dict[str, t.Any], dict[str, t.Any], str]] = {
    "account": ({"user": "nosuchuser"}, {}, "user: this host has no account 'nosuchuser'"),
    "interpreter": ({"python": "python3.2"}, {}, "python: this host has no interpreter 'python3.2'. Install it"),
    "relative interpreter": (
        {"python": "bin/python"},
        {},
        "python: this host has no interpreter 'bin/python'. Install it",
    ),
    "broken interpreter": (
        {},
        {"answers": {"python": says("Segmentation fault", 139)}},
        f"python: '{sys.executable}' does not run: Segmentation fault",
    ),
    "no venv": (
        {},
        {"answers": {"python": lambda _step: Outcome(0, '["3.13", false]', "")}, "installer": "pip"},
        f"python: {os.path.realpath(sys.executable)} cannot create a venv. Install python3.13-venv",
    ),
    "repository": (
        {"source": {"git": "https://me:pw@git.example.org/x.git"}},
        {"answers": {"source.git": says("fatal: not found")}},
        "source.git: 'https://********@git.example.org/x.git' cannot be read: fatal: not found",
    ),
    "version": (
        {"source": {"git": "https://git.example.org/x.git", "version": "v9"}},
        {},
        "source.version: 'https://git.example.org/x.git' has no branch or tag 'v9'.",
    ),
    "commit that is not there": (
        {"source": {"git": "https://git.example.org/x.git", "version": COMMIT}},
        {"answers": {"source.git": says("fatal: remote error: upload-pack: not our ref")}},
        "source.git: 'https://git.example.org/x.git' cannot be fetched: fatal: remote error",
    ),
    "checksum": (
        {"source": {"archive": URL, "checksum": "sha256:aa"}},
        {"fetch": fetch("bb")},
        f"source.checksum: {URL} has the checksum sha256:bb, not sha256:aa",
    ),
    "archive": (
        {"source": {"archive": URL}},
        {"fetch": offline},
        f"source.archive: '{URL}' cannot be fetched: no route to host",
    ),
}


@pytest.mark.parametrize("case", PLAN)
def test_problems_before_anything_is_built(make: Make, layout: Layout, case: str) -> None:
    keys, options, words = PLAN[case]
    builder, stage = make(app(**keys), **options)
    with pytest.raises(Problems) as problems:
        run(builder)
    assert str(problems.value).startswith(f"app shop: {words}")
    assert [name for name in stage.names() if name != "source.git"] == []
    assert not layout.releases("shop").exists() or folders(layout) == []


def test_all_problems_at_once(make: Make) -> None:
    apps = (
        app("a", user="nosuchuser", wsgi="x"),
        app("b", python="python3.2"),
        app("d", source={"archive": URL, "checksum": "sha256:aa"}),
    )
    builder, _stage = make(*apps, fetch=fetch("bb"))

    async def everything() -> None:
        await builder.plan(["app c: source.path: does not exist"])
        await builder.reach()
        builder.reject()

    with pytest.raises(Problems) as problems:
        asyncio.run(everything())
    assert [problem.split(":")[0:2] for problem in problems.value.problems] == [
        ["app a", " user"],
        ["app a", " wsgi"],
        ["app b", " python"],
        ["app c", " source.path"],
        ["app d", " source.checksum"],
    ]


@pytest.mark.parametrize("names", [("shop", "shop"), ("../etc",), ("a/b",)])
def test_bad_names(make: Make, names: tuple[str, ...]) -> None:
    with pytest.raises(Problems, match=r"two applications have this name|this is not a valid name of an application"):
        run(make(*map(app, names))[0])


def test_prune(make: Make, layout: Layout) -> None:
    for number in range(4):
        run(make(app(requirements=[f"x=={number}"], keep=2))[0])
    assert len(folders(layout)) == 2
    current = layout.app("shop") / "current"
    current.symlink_to(f"releases/{folders(layout)[0].name}")
    oldest = folders(layout)[0]
    for number in range(4, 8):
        run(make(app(requirements=[f"x=={number}"], keep=1))[0])
    assert oldest.is_dir()
    assert len(folders(layout)) == 2


def test_twenty_releases_in_a_row(make: Make, layout: Layout) -> None:
    """Whatever is kept, those in service, next in line and before are there."""
    current, before = layout.app("shop") / "current", ""
    for keep in (5, 1):
        for number in range(20):
            run(make(app(requirements=[f"x=={keep}.{number}"], keep=keep))[0])
            names = {folder.name for folder in folders(layout)}
            assert {(layout.app("shop") / "next").readlink().name, before} - {""} <= names
            if current.is_symlink():
                before = current.readlink().name
                current.unlink()
            current.symlink_to((layout.app("shop") / "next").readlink())
        run(make(app(requirements=[f"x=={keep}.19"], keep=keep))[0])
        assert len(folders(layout)) == max(keep, 2)


def test_a_release_that_takes_too_long(make: Make) -> None:
    says_where = says("Timeout (0:00:30)!\nThread 0x1 (most recent call first):\n  File shop.py, line 3 in application")
    builder, _stage = make(app(wsgi="a:b"), answers={"wsgi": says_where})
    with pytest.raises(Problems) as caught:
        run(builder)
    assert "line 3 in application" in str(caught.value)
    assert "30 seconds were not enough to import the application and answer. Raise `health.timeout`." in str(
        caught.value
    )


def test_builds_and_trials_have_the_limits_of_their_application(make: Make) -> None:
    shop = app(wsgi="a:b", setup=[{"run": "x"}], limits={"memory": 64 << 20, "tasks": 99, "cpu": "50%"})
    builder, stage = make(shop)
    run(builder)
    assert {"setup[0] (x)", "wsgi (a:b)"} <= {step.name for step in stage.steps}
    wanted = {f"MemoryMax={64 << 20}", f"MemorySwapMax={64 << 20}", "TasksMax=99", "CPUQuota=50%"}
    assert all(wanted <= {*step.limits} for step in stage.steps if step.name != "python")


# What a tool says, and what is said to whoever has to do something about it.
ADVICE = {
    "full disk": (
        "setup[0]",
        says("x: No space left on device"),
        r"The disk of .*/shop/.* has [0-9]+ MiB left\. Make room",
    ),
    "no memory": ("requirements", says("Killed"), "If the step ran out of memory, raise `limits.memory`"),
    "no index": (
        "requirements",
        says("Failed to establish a new connection"),
        "This host cannot reach the package index",
    ),
    "no index for uv": (
        "server_requirements",
        says("error sending request for url"),
        "This host cannot reach the package index",
    ),
    "no server": (
        "source.git",
        says("Could not resolve host: git.example.org"),
        "This host cannot reach the git server",
    ),
    "no key for git": (
        "source.git",
        says("Host key verification failed.\nfatal: Could not read from remote repository."),
        r"git ran as the account '\w+'. Install a key and known_hosts for it in .*/shop/\.ssh",
    ),
    "no compiler": ("requirements", says("error: command 'gcc' failed"), "A compiler, header or library is"),
    "no header": ("requirements", says("fatal error: libpq-fe.h: No such file"), "A compiler, header or library is"),
    "no program": ("requirements", says("Error: pg_config executable not found."), "A compiler, header or library is"),
    "no such file of /proc": (
        "wsgi",
        says("FileNotFoundError: [Errno 2] No such file or directory: '/proc/meminfo'"),
        "Write `proc: true` to show the host's files in /proc",
    ),
    "database in the code": (
        "wsgi",
        says("sqlite3.OperationalError: attempt to write a readonly database"),
        "The application can write only to .*/shop ",
    ),
    "no network": ("wsgi", says("[Errno 97] Address family not supported by protocol"), ".*`network: true`"),
    "hangs": (
        "setup[0]",
        lambda _step: Outcome(1, "", "stopped", late=True),
        "Find out what the step waits for, or raise `build_timeout`",
    ),
}


@pytest.mark.parametrize("case", ADVICE)
def test_advice(make: Make, case: str) -> None:
    name, answer, advice = ADVICE[case]
    step = {"run": "x"}
    source = {"git": "https://git.example.org/shop.git"}
    shop = app(server_requirements=["flup"], requirements=["x"], setup=[step], source=source, wsgi="m:a")
    with pytest.raises(Problems, match=rf"app shop: {re.escape(name)}(.|\n)*\n{advice}"):
        run(make(shop, answers={name: answer})[0])


@pytest.mark.parametrize(
    ("key", "setting"),
    [("network", "PrivateNetwork=yes"), ("jit", "MemoryDenyWriteExecute=yes"), ("proc", "ProcSubset=pid")],
)
def test_the_trial_may_what_the_service_may(make: Make, key: str, setting: str) -> None:
    for allowed in (False, True):
        builder, stage = make(app(wsgi="m:a", **{key: allowed}))
        run(builder)
        (trial,) = (step for step in stage.steps if step.name.startswith("wsgi"))
        assert (setting in trial.sandbox) == (not allowed)
        shutil.rmtree(builder.layout.releases("shop"))


def test_what_a_setup_step_does_not_reach_is_its_own_business(make: Make) -> None:
    with pytest.raises(Problems) as caught:
        run(make(app(setup=[{"run": "x"}]), answers={"setup[0]": says("Connection refused")})[0])
    assert str(caught.value).endswith("\nConnection refused")


def test_a_disk_that_is_full_for_root_too(make: Make, layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_paths: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/somewhere/else")

    monkeypatch.setattr(shutil, "copyfile", full)
    builder, _stage = make(app(source={"path": "./shop", "digest": "d1"}), uploads={"d1": "/tmp/upload"})
    where = r"source\.path: .*/releases/\w+/source: No space left on device\nThe disk of .*/releases/\w+ has"
    with pytest.raises(Problems, match=where):
        run(builder)
    assert folders(layout) == []
