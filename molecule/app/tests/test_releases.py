"""Releases: what they are made of, who may read them, and what happens when one cannot be built."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tarfile
import typing as t
from pathlib import Path

import pytest
from testinfra.host import Host

from tests.support.playbook import converge, messages, run
from tests.support.visitor import hosts, scenario_hosts

testinfra_hosts = scenario_hosts()
HOSTS = hosts()

PROBE = {
    "name": "probe",
    "source": {"path": f"{os.environ.get('MOLECULE_PROJECT_DIRECTORY')}/tests/support/probe"},
    "requirements": [],
    "wsgi": "probe:application",
    "env": {"SECRET_KEY": "hunter2hunter2"},
}
BARE = "/opt/repository.git"
COMMIT = "git -C /opt/work -c user.name=t -c user.email=t@example.org commit --quiet --all --message"


def _releases(app: str = "*") -> list[str]:
    """Return every release and link of each host, with what they are."""
    return [host.check_output(f"find /srv/pyhost/{app} -maxdepth 2 -printf '%p %l %i\\n' | sort") for host in HOSTS]


def _nexts(app: str = "probe") -> list[str]:
    return [_next(host, app) for host in HOSTS]


def _next(host: Host, app: str = "probe") -> str:
    return host.check_output("readlink -f /srv/pyhost/%s/next", app)


def _refused(**variables: t.Any) -> list[str]:
    """Run the playbook, which has to fail on every host; return what each was told."""
    code, output = run(*HOSTS, **variables)
    assert code != 0
    assert "hunter2" not in output
    told = messages(output)
    assert len(told) == len(HOSTS)
    return told


def test_a_release_is_complete_and_sealed(host: Host) -> None:
    release = _next(host)
    assert host.file(f"{release}/.complete").exists
    for folder in ("code", "venv"):
        assert host.file(f"{release}/{folder}").mode == 0o750
        assert host.file(f"{release}/{folder}").user == "root"
        assert host.file(f"{release}/{folder}").group == "probe"
    assert host.check_output("find %s ! -user root", release) == ""
    assert host.check_output("find %s -perm /022 ! -type l", release) == ""
    assert (
        host.run(
            "runuser -u probe -- %s/venv/bin/python -c 'import sys; sys.path.insert(0, \"%s/code\"); import probe'",
            release,
            release,
        ).rc
        == 0
    )
    assert host.run("runuser -u probe -- touch %s/code/x", release).rc != 0


def test_setup_ran_as_the_user_and_its_files_are_published(host: Host) -> None:
    release = _next(host)
    assert host.file("/var/lib/pyhost/probe/made-by-setup").user == "probe"
    assert host.run("runuser -u www-data -- cat %s/public/static/built.txt", release).stdout == "built\n"


@pytest.mark.parametrize(
    "path", ["code/probe.py", "venv/pyvenv.cfg", "public/private/bill.txt", "public/static/style.css"]
)
def test_another_application_reads_nothing_of_it(host: Host, path: str) -> None:
    release = _next(host)
    assert host.run("runuser -u bottle -- cat %s", f"{release}/{path}").rc != 0


def test_the_package_without_a_source_is_built(host: Host) -> None:
    assert "0.13.4" in host.check_output("ls %s/venv/lib/python3*/site-packages | grep bottle", _next(host, "bottle"))


def test_the_same_again_builds_nothing() -> None:
    before = _releases()
    assert converge(*HOSTS).count("changed=0 ") == len(HOSTS)
    assert _releases() == before


def test_uv_where_it_is_asked_for() -> None:
    app = {"name": "bottle", "requirements": ["bottle==0.13.4"], "wsgi": "wsgiref.simple_server:demo_app"}
    converge(*HOSTS, apps=[app], installer="uv")
    for host in HOSTS:
        assert "uv = " in host.file(f"{_next(host, 'bottle')}/venv/pyvenv.cfg").content_string


@pytest.fixture(scope="module")
def quick() -> None:
    """Builds on which the installer has no influence need not wait for pip."""
    uv = shutil.which("uv")
    assert uv
    for host in HOSTS:
        subprocess.run(["docker", "cp", "--follow-link", uv, f"{host.backend.name}:/usr/local/bin/uv"], check=True)


@pytest.fixture(scope="module")
def only_the_probe() -> None:
    """The one application that none of the mistakes touches."""
    converge(*HOSTS, apps=[PROBE])


# What is wrong with an application, by its name: the change of its description, and words that its message must have.
Wrong = dict[str, tuple[dict[str, t.Any], list[str]]]

# Seen before anything is built.
UNPLANNED: Wrong = {
    "interpreter": ({"python": "python3.99"}, ["this host has no interpreter 'python3.99'"]),
    "folder": ({"source": {"path": "/no/such/folder"}}, ["'/no/such/folder' does not exist on the controller"]),
    "archive": ({"source": {"archive": "/no/such.tar.gz"}}, ["'/no/such.tar.gz' does not exist on the controller"]),
}
# Seen while it is built, by pip.
UNINSTALLED: Wrong = {
    "requirement": ({"requirements": ["pyhost-no-such-package==1.0"]}, ["requirements", "pyhost-no-such-package"]),
    "own-requirements": ({"requirements": ["-r none.txt"]}, ["requirements", "none.txt"]),
}
# By what is built.
UNBUILT: Wrong = {
    "setup": (
        {"setup": ["echo before; echo key $SECRET_KEY; ls /none"]},
        ["setup[0]", "'/none'", "before", "key ****"],
    ),
    "raising": (
        {"setup": ["echo 'raise RuntimeError(\"at import\")' > broken.py"], "wsgi": "broken:app"},
        ["Traceback", "RuntimeError: at import"],
    ),
    "module": ({"wsgi": "no_such_module:application"}, ["No module named 'no_such_module'"]),
    "callable": ({"wsgi": "probe:no_such_callable"}, ["has no 'no_such_callable'"]),
    "no-callable": ({"wsgi": "probe:ANSWERS"}, ["probe:ANSWERS is not a callable, but of type dict"]),
    "unhealthy": (
        {"health": {"path": "/teapot", "status": [200]}},
        ['health: GET /teapot answers "418 I\'m a teapot"'],
    ),
    "crashing": ({"health": {"path": "/crash"}}, ["RuntimeError: probe: an exception that nobody catches"]),
    "static": (
        {"static": {"/static/": "no/such/folder"}},
        ["'no/such/folder' is neither in the code nor created by a setup"],
    ),
    "link": (
        {"setup": ["ln -s /etc/passwd static/link"], "static": {"/static/": "static"}},
        ["static/link leads out of the release"],
    ),
}


def _rejected_and_nothing_left(wrong: Wrong) -> None:
    """All problems come in one message, each under its application's name; what is in service is not touched."""
    before = _releases("probe")
    apps = [{**PROBE, **change, "name": name, "user": "wrong"} for name, (change, _words) in wrong.items()]
    for told in _refused(apps=[PROBE, *apps]):
        messages = dict(re.findall(r"^app ([a-z-]+): (.*(?:\n(?!app ).*)*)", told, re.MULTILINE))
        assert set(messages) == set(wrong)
        for name, (_change, words) in wrong.items():
            for word in words:
                assert word in messages[name], messages[name]
    for host in HOSTS:
        for name in wrong:
            assert host.check_output("find /srv/pyhost/%s -mindepth 2", name) == "", name
    assert _releases("probe") == before


@pytest.mark.parametrize("wrong", [UNPLANNED, UNINSTALLED], ids=["unplanned", "uninstalled"])
def test_what_cannot_be_installed_is_told_and_leaves_nothing_behind(only_the_probe: None, wrong: Wrong) -> None:
    _rejected_and_nothing_left(wrong)


def test_what_cannot_be_built_is_told_and_leaves_nothing_behind(only_the_probe: None, quick: None) -> None:
    _rejected_and_nothing_left(UNBUILT)


def test_a_checksum_that_does_not_match(quick: None, tmp_path: Path) -> None:
    archive = tmp_path / "probe.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(PROBE["source"]["path"], "probe-1.0")
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    before = _releases("probe")
    wrong = {"archive": str(archive), "checksum": "sha256:" + "0" * 64}
    assert all(digest in told for told in _refused(apps=[{**PROBE, "source": wrong}]))
    assert _releases("probe") == before
    converge(*HOSTS, apps=[{**PROBE, "source": {"archive": str(archive), "checksum": f"sha256:{digest}"}}])
    for host in HOSTS:
        # The single folder at the top of an archive is left out.
        assert host.file(f"{_next(host)}/code/probe.py").exists


def _everywhere(command: str) -> None:
    for host in HOSTS:
        host.check_output(command)


def test_git_follows_the_branch_and_rebuilds_only_then(quick: None) -> None:
    _everywhere("command -v git || (apt-get update && apt-get install --yes --no-install-recommends git) >/dev/null")
    _everywhere(f"rm -rf {BARE} /opt/work; git init --quiet --initial-branch main /opt/work")
    _everywhere('echo \'def app(e, s): s("200 OK", []); return [b"1"]\' > /opt/work/one.py; git -C /opt/work add .')
    _everywhere(
        # A commit's name has its time in it; that of both hosts has to be the same.
        f"export GIT_AUTHOR_DATE='@1 +0000' GIT_COMMITTER_DATE='@1 +0000'; {COMMIT} one && git -C /opt/work tag v1"
        f" && git clone --quiet --bare /opt/work {BARE} && git -C /opt/work remote add origin {BARE}"
    )
    app = {
        "name": "probe",
        "source": {"git": f"file://{BARE}", "version": "main"},
        "requirements": [],
        "wsgi": "one:app",
    }
    converge(*HOSTS, apps=[app])
    first = _nexts()
    assert converge(*HOSTS, apps=[app]).count("changed=0 ") == len(HOSTS)
    _everywhere(f"echo '# two' >> /opt/work/one.py; {COMMIT} two; git -C /opt/work push --quiet origin main")
    converge(*HOSTS, apps=[app])
    second = _nexts()
    assert not set(first) & set(second)
    for host, release in zip(HOSTS, second, strict=True):
        assert "# two" in host.file(f"{release}/code/one.py").content_string
    converge(*HOSTS, apps=[{**app, "source": {"git": f"file://{BARE}", "version": "v1"}}])
    # The same commit: the release that is there.
    assert _nexts() == first
    for told in _refused(apps=[{**app, "source": {"git": f"file://{BARE}", "version": "v9"}}]):
        assert "has no branch or tag 'v9'" in told
    for told in _refused(apps=[{**app, "source": {"git": "file:///no/such.git", "version": "main"}}]):
        assert "source.git: 'file:///no/such.git' cannot be read" in told
    # What a commit brings runs as the application's user, and the server being gone matters to nobody who has it.
    commit = HOSTS[0].check_output("git -C /opt/work rev-parse v1")
    _everywhere(f"mv {BARE} {BARE}.away")
    converge(*HOSTS, apps=[{**app, "source": {"git": f"file://{BARE}", "version": commit}}])
    _everywhere(f"mv {BARE}.away {BARE}")


def test_only_so_many_releases_are_kept(quick: None) -> None:
    for number in range(3):
        converge(*HOSTS, apps=[{**PROBE, "keep": 2, "setup": [f"echo {number}"]}])
    for host in HOSTS:
        assert len(host.check_output("ls /srv/pyhost/probe/releases").split()) == 2
