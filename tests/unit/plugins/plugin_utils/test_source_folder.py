# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Folders of the controller as sources: what counts for the digest, and what travels."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.pyhost.web.plugins.module_utils._contents import tar_digest
from ansible_collections.pyhost.web.plugins.plugin_utils._ignore import parse
from ansible_collections.pyhost.web.plugins.plugin_utils._source_folder import FolderError, pack, source
from ansible_collections.pyhost.web.plugins.plugin_utils._source_folder import digest as digest_of
from hypothesis import example, given, settings
from hypothesis import strategies as st


def digest(folder: Path) -> str:
    """Digest of what is sent of a folder."""
    return digest_of(source(folder))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small source."""
    source = tmp_path / "shop"
    (source / "pkg").mkdir(parents=True)
    (source / "pkg" / "__init__.py").write_text("app = 1\n", encoding="utf-8")
    (source / "manage.py").write_text("run\n", encoding="utf-8")
    (source / "link.py").symlink_to("pkg/__init__.py")
    return source


def _write(name: str, text: str = "") -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")

    return write


def _relink(folder: Path) -> None:
    (folder / "link.py").unlink()
    (folder / "link.py").symlink_to("manage.py")


SAME = {
    "times": lambda folder: os.utime(folder / "manage.py", (1, 1)),
    "modes other than the x-bit": lambda folder: (folder / "manage.py").chmod(0o600),
    "git": _write(".git/HEAD"),
    "bytecode": _write("pkg/__pycache__/x.pyc"),
    "bytecode beside its source": _write("x.pyc"),
    "venv": _write(".venv/pyvenv.cfg"),
    "node_modules": _write("node_modules/x.js"),
}

OTHER = {
    "content": _write("manage.py", "run!\n"),
    "x-bit": lambda folder: (folder / "manage.py").chmod(0o755),
    "name": lambda folder: (folder / "manage.py").rename(folder / "manager.py"),
    "new file": _write("new.py"),
    "new folder": lambda folder: (folder / "new").mkdir(),
    "link": _relink,
}


@pytest.mark.parametrize("change", SAME)
def test_digest_ignores(folder: Path, change: str) -> None:
    before = digest(folder)
    SAME[change](folder)
    assert digest(folder) == before


@pytest.mark.parametrize("change", OTHER)
def test_digest_sees(folder: Path, change: str) -> None:
    before = digest(folder)
    OTHER[change](folder)
    assert digest(folder) != before


def test_digest_is_the_same_everywhere(folder: Path) -> None:
    # A change of this number rebuilds every user's releases.
    assert digest(folder) == "0384e1a4a7439261239de405bb84ba677f0c01b6a1ab6daf668dfdb7a4cfbe4b"


def test_links_are_followed_through_others(folder: Path) -> None:
    (folder / "up").symlink_to("pkg/..")
    (folder / "bad").symlink_to("up/x/..")
    (folder / "x").symlink_to("pkg")
    digest(folder)
    (folder / "x").unlink()
    (folder / "pkg/x").symlink_to("..")
    (folder / "bad").unlink()
    (folder / "bad").symlink_to("pkg/x/..")
    with pytest.raises(FolderError, match=r"the link 'bad' leads out of the folder, to 'pkg/x/\.\.'"):
        digest(folder)


def test_what_arrives_has_the_same_digest(folder: Path, tmp_path: Path) -> None:
    (folder / "manage.py").chmod(0o755)
    (folder / "empty").mkdir()
    (folder / os.fsdecode(b"caf\xe9")).touch()
    (folder / ("long" * 50)).symlink_to("pkg/" + "./" * 80)
    found = source(folder)
    pack(found, tmp_path / "source")
    assert tar_digest(tmp_path / "source") == digest_of(found)


def test_another_content_than_announced_is_seen(folder: Path, tmp_path: Path) -> None:
    found = source(folder)
    before = digest_of(found)
    (folder / "manage.py").write_text("RUN\n", encoding="utf-8")
    pack(found, tmp_path / "source")
    assert tar_digest(tmp_path / "source") != before


SECRET = """
.env .env.production db.sqlite3 db.sqlite3-wal certs/tls.pem Server.PEM id_ed25519 .netrc secrets.yml .ssh/config
.envrc .npmrc web/.npmrc .docker/config.json web/.docker/config.json
""".split()


def test_secrets_stay_on_the_controller(folder: Path) -> None:
    for name in (*SECRET, ".env.example", "pkg/environment.py"):
        _write(name)(folder)
    names = [name for name, _path, _info in source(folder).entries]
    assert set(SECRET) & set(names) == set()
    assert {".env.example", "pkg/environment.py"} <= set(names)
    assert set(source(folder).left_out.values()) == {"secret"}


def test_whoever_wants_to_send_one_says_so(folder: Path) -> None:
    _write("certs/ca.pem")(folder)
    _write("db.sqlite3")(folder)
    _write(".gitignore", "!db.sqlite3\n")(folder)
    _write(".pyhostignore", "!/certs/ca.pem\n*.md\n!node_modules\n")(folder)
    _write("README.md")(folder)
    _write("node_modules/x.js")(folder)
    found = source(folder)
    assert found.left_out == {"db.sqlite3": "secret", "README.md": ".pyhostignore"}
    assert {"certs/ca.pem", "node_modules/x.js"} <= {name for name, _path, _info in found.entries}


def test_rules_of_the_repository_above_count(folder: Path) -> None:
    repository = folder.parent
    (repository / ".git").mkdir()
    _write(".gitignore", "/shop/dist/\n*.log\n/shop\n")(repository)
    for name in ("dist/app.js", "pkg/x.log", "pkg/dist/x.js", "keep.log"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        _write(name)(folder)
    _write(".gitignore", "!keep.log\n")(folder)
    assert source(folder).left_out == {"dist/": ".gitignore", "pkg/x.log": ".gitignore"}


def test_other_rules_are_another_source(folder: Path) -> None:
    _write("notes.txt")(folder)
    before = digest(folder)
    _write(".pyhostignore", "notes.txt\n")(folder)
    assert digest(folder) != before


def test_a_source_of_any_depth(tmp_path: Path) -> None:
    where = tmp_path
    for _ in range(1200):
        where /= "d"
        where.mkdir()
    assert len(source(tmp_path).entries) == 1200
    # pytest itself cannot remove a folder that is so deep.
    subprocess.run(["rm", "-rf", tmp_path / "d"], check=True)


lines = st.lists(st.text(alphabet="ab/*?[]!-\\^# .é", max_size=6), min_size=1, max_size=4)
names = st.sampled_from(["a", "b", "ab", "ba", "a.b", "a b", "-", "!a", "#a", "é", "aé"])
trees = st.lists(st.lists(names, min_size=1, max_size=3), min_size=1, max_size=5)
GIT = {"PATH": "/usr/bin:/bin", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}


@given(lines, lines, trees)
@example(["??"], [], [["é"]])
@example(["a[!b][!b]"], [], [["aé"]])
@example(["a/****/b"], [], [["a", "b", "b"], ["a", "b"]])
@example(["a/***"], [], [["a", "b", "b"]])
@settings(max_examples=150, derandomize=True, deadline=None, database=None)
def test_rules_are_those_of_git(top: list[str], inner: list[str], paths: list[list[str]]) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for parts in paths:
            with contextlib.suppress(FileExistsError, NotADirectoryError):
                folder.joinpath(*parts[:-1]).mkdir(parents=True, exist_ok=True)
                folder.joinpath(*parts).touch()
        (folder / ".gitignore").write_text("\n".join(top), encoding="utf-8")
        if (folder / "a").is_dir():
            (folder / "a/.gitignore").write_text("\n".join(inner), encoding="utf-8")
        git = ["git", "-C", temporary]
        subprocess.run([*git, "init", "--quiet"], env=GIT, check=True)
        command = [*git, "ls-files", "--others", "--exclude-standard", "-z"]
        listed = subprocess.run(command, env=GIT, check=True, capture_output=True, text=True).stdout
        sent = {name for name, path, _info in source(folder).entries if path.is_file()}
        assert sent == set(listed.split("\0")) - {""}, (top, inner)


@pytest.mark.parametrize("target", ["/etc/passwd", "../secret", "pkg/../../secret"])
def test_links_that_lead_out_are_refused(folder: Path, target: str) -> None:
    (folder / "bad").symlink_to(target)
    with pytest.raises(FolderError, match="the link 'bad' leads out of the folder"):
        digest(folder)


def test_pipes_are_refused(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    with pytest.raises(FolderError, match="'pipe' is not a file, folder or link"):
        digest(folder)


def test_what_travels(folder: Path, tmp_path: Path) -> None:
    _write(".git/HEAD")(folder)
    (folder / "manage.py").chmod(0o711)
    pack(source(folder), tmp_path / "source")
    with tarfile.open(tmp_path / "source") as archive:
        members = {member.name: (member.mode, member.uid, member.linkname) for member in archive}
    assert members == {
        "link.py": (0o755, 0, "pkg/__init__.py"),
        "manage.py": (0o755, 0, ""),
        "pkg": (0o755, 0, ""),
        "pkg/__init__.py": (0o644, 0, ""),
    }


def test_a_line_of_many_spaces_is_a_rule_too() -> None:
    """A search that steps back would take minutes."""
    (rule,) = parse([f"a{' ' * 256 * 1024}b"])
    assert (rule.leaves_out, rule.folders_only) == (True, False)
