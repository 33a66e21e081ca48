# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Sealing and publishing, as root on real files."""

from __future__ import annotations

import mmap
import os
import resource
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.pyhost.web.plugins.module_utils._release import tree
from ansible_collections.pyhost.web.plugins.module_utils._release.tree import TreeError

USER, GROUP, OTHER = 61001, 61002, 61003


def give(folder: Path, uid: int = USER) -> None:
    """Gives all of a folder to a user."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, uid, uid, follow_symlinks=False)


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """The code folder of a release, as its user leaves it."""
    folder = tmp_path / "code"
    (folder / "pkg").mkdir(parents=True)
    for name, mode in (("pkg/a.py", 0o666), ("manage.py", 0o4777), ("pkg/shared", 0o2755)):
        (folder / name).write_text(name, encoding="utf-8")
        (folder / name).chmod(mode)
    (folder / "pkg").chmod(0o2777)
    (folder / "out").symlink_to("/etc/passwd")
    give(folder)
    return folder


def modes(folder: Path) -> dict[str, str]:
    """Mode, owner and group of all that is in a folder."""
    found = {}
    for path in (folder, *sorted(folder.rglob("*"))):
        info = path.lstat()
        kind = "link" if stat.S_ISLNK(info.st_mode) else f"{stat.S_IMODE(info.st_mode):o}"
        found[str(path.relative_to(folder))] = f"{kind} {info.st_uid}:{info.st_gid}"
    return found


def test_seal(code: Path) -> None:
    passwd = Path("/etc/passwd").stat()
    tree.seal(code, USER, GROUP)
    assert modes(code) == {
        ".": f"750 0:{GROUP}",
        "manage.py": f"750 0:{GROUP}",
        "out": "link 0:0",
        "pkg": f"750 0:{GROUP}",
        "pkg/a.py": f"640 0:{GROUP}",
        "pkg/shared": f"750 0:{GROUP}",
    }
    assert Path("/etc/passwd").stat() == passwd


def _hard_link(code: Path) -> None:
    secret = code.parent / "secret"
    secret.touch()
    os.chown(secret, OTHER, OTHER)
    (code / "stolen").hardlink_to(secret)


def _root_file(code: Path) -> None:
    (code / "pkg" / "of-root").touch()


def _linked_folder(code: Path) -> None:
    (code.parent / "theirs").mkdir()
    code.rename(code.parent / "moved")
    code.symlink_to("moved")


UNSEALABLE: dict[str, tuple[Callable[[Path], None], type[Exception], str]] = {
    "hard link to somebody's file": (_hard_link, TreeError, "stolen belongs to the user ID 61003"),
    "file of root": (_root_file, TreeError, "of-root belongs to the user ID 0"),
    "the folder is a link": (_linked_folder, OSError, "code"),
    "pipe": (lambda code: os.mkfifo(code / "pipe"), TreeError, "pipe is not a file, folder or link"),
}


@pytest.mark.parametrize("case", UNSEALABLE)
def test_seal_refuses(code: Path, case: str) -> None:
    spoil, error, words = UNSEALABLE[case]
    spoil(code)
    with pytest.raises(error, match=words):
        tree.seal(code, USER, GROUP)
    assert all(path.stat().st_uid == OTHER for path in code.parent.glob("secret"))


def test_seal_leaves_the_target_of_a_hard_link_alone(code: Path) -> None:
    _hard_link(code)
    with pytest.raises(TreeError):
        tree.seal(code, USER, GROUP)
    info = (code.parent / "secret").stat()
    assert (info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode)) == (OTHER, OTHER, 0o644)


def test_seal_ends_what_somebody_still_writes(code: Path) -> None:
    file, mapped = code / "manage.py", code / "pkg/a.py"
    (code / "again").hardlink_to(file)
    os.utime(mapped, (1, 1))
    with mapped.open("r+b") as opened:
        mapping = mmap.mmap(opened.fileno(), 0)
    other = code.parent / "other-name"
    other.hardlink_to(code / "pkg/shared")
    with file.open("r+b") as handle:
        tree.seal(code, USER, GROUP)
        handle.write(b"evil")
        handle.flush()
        mapping[0:4] = b"evil"
        other.write_text("evil", encoding="utf-8")
    texts = {path.name: path.read_text(encoding="utf-8") for path in code.rglob("*") if path.is_file()}
    assert {name: texts[name] for name in ("manage.py", "again", "a.py", "shared")} == {
        "manage.py": "manage.py",
        "again": "manage.py",
        "a.py": "pkg/a.py",
        "shared": "pkg/shared",
    }
    assert modes(code)["manage.py"] == modes(code)["again"] == f"750 0:{GROUP}"
    assert mapped.stat().st_mtime == 1
    assert sorted(path.name for path in code.iterdir()) == ["again", "manage.py", "out", "pkg"]


def used(folder: Path) -> int:
    """The bytes of the disk that the files of a folder take."""
    return sum({path.stat().st_ino: path.stat().st_blocks * 512 for path in folder.rglob("*")}.values())


def test_copies_take_no_more_of_the_disk_than_the_build(tmp_path: Path) -> None:
    names = [tmp_path / "code" / name for name in ("a", "b", "c/d")]
    names[-1].parent.mkdir(parents=True)
    with names[0].open("wb") as file:
        for place in (0, 64 << 20, 128 << 20):
            file.seek(place)
            file.write(b"x" * 2**20)
        file.truncate(256 << 20)
    for name in names[1:]:
        name.hardlink_to(names[0])
    give(tmp_path / "code")
    os.sync()
    before, inode = used(tmp_path), names[0].stat().st_ino
    tree.seal(tmp_path / "code", USER, GROUP)
    os.sync()
    assert names[0].stat().st_ino != inode
    assert all(name.samefile(names[0]) for name in names)
    assert used(tmp_path) <= before + 2**16
    assert names[0].stat().st_size == 256 << 20
    with names[0].open("rb") as file:
        found = [(file.seek(place), file.read(2**20 + 1)) for place in (0, 64 << 20, 128 << 20)]
    assert found == [(place, b"x" * 2**20 + b"\0") for place in (0, 64 << 20, 128 << 20)]


def test_seal_copies_nothing_that_is_closed(code: Path) -> None:
    before = (code / "manage.py").stat().st_ino
    tree.seal(code, USER, GROUP)
    assert (code / "manage.py").stat().st_ino == before


def dig(folder: Path, depth: int) -> None:
    """Makes folders in each other, deeper than the longest path of the kernel."""
    handle = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("deeper", dir_fd=handle)
        os.chown("deeper", USER, USER, dir_fd=handle)
        inner = os.open("deeper", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = inner
    with os.fdopen(os.open("bottom", os.O_WRONLY | os.O_CREAT, dir_fd=handle), "wb") as file:
        file.write(b"x" * 2**16)
        os.fchown(file.fileno(), USER, USER)
    os.close(handle)


@pytest.fixture
def few_handles(tmp_path: Path) -> Iterator[None]:
    """As a login has them, and fewer."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = max(int(path.name) for path in Path("/proc/self/fd").iterdir())
    resource.setrlimit(resource.RLIMIT_NOFILE, (taken + 32, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)
    # pytest itself cannot remove a folder that is so deep.
    subprocess.run(["rm", "-rf", tmp_path], check=True)


def test_any_depth(code: Path, few_handles: None) -> None:
    dig(code, 1500)
    assert tree.size(code) >= 2**16
    tree.seal(code, USER, GROUP)
    found = subprocess.run(["find", code, "-name", "deeper", "-user", "0"], capture_output=True, text=True, check=True)
    assert found.stdout.count("\n") == 1500
    assert tree.remove(code)
    assert not code.exists()


def test_too_deep_to_publish_is_a_problem_of_that_application(release: Path, few_handles: None) -> None:
    dig(release / "code/static", 1500)
    with pytest.raises(OSError, match="File name too long"):
        publish(release, "static")


def test_names_that_are_not_utf8(code: Path) -> None:
    os.mkfifo(bytes(code) + b"/\xff")
    with pytest.raises(TreeError) as caught:
        tree.seal(code, USER, GROUP)
    assert str(caught.value).endswith(
        "/\udcff is not a file, folder or link, so a release must not contain it. Remove it."
    )


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A sealed release with static files."""
    for name in ("code/static/css/a.css", "code/robots.txt", "code/secret.py", "venv/lib/admin/b.css"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")
        path.chmod(0o640)
    (tmp_path / "code/static/latest.css").symlink_to("css/a.css")
    (tmp_path / "code/static/admin").symlink_to(tmp_path / "venv/lib/admin")
    return tmp_path


def publish(release: Path, *paths: str) -> None:
    """Publishes as the builder does."""
    code = release / "code"
    tree.publish(code, release / "public", paths, (code, release / "venv"))


def test_publish(release: Path) -> None:
    os.umask(0o077)
    publish(release, "robots.txt", "static", "static/css/a.css")
    os.umask(0o022)
    public = release / "public"
    assert modes(public) == {
        ".": "755 0:0",
        "robots.txt": "644 0:0",
        "static": "755 0:0",
        "static/admin": "755 0:0",
        "static/admin/b.css": "644 0:0",
        "static/css": "755 0:0",
        "static/css/a.css": "644 0:0",
        "static/latest.css": "644 0:0",
    }
    assert (public / "static/latest.css").read_text(encoding="utf-8") == "code/static/css/a.css"
    assert (public / "robots.txt").samefile(release / "code/robots.txt")


UNPUBLISHABLE: dict[str, tuple[Callable[[Path], None], str]] = {
    "missing": (lambda static: (static.rename(static.with_name("old")), None)[1], "'static' is neither in the code"),
    "link out": (lambda static: (static / "x").symlink_to("/etc/passwd"), "out of the release .* to /etc/passwd"),
    "link nowhere": (lambda static: (static / "x").symlink_to("gone"), "does not exist"),
    "circle": (lambda static: (static / "x").symlink_to("."), "in a circle"),
}


@pytest.mark.parametrize("case", UNPUBLISHABLE)
def test_publish_refuses(release: Path, case: str) -> None:
    spoil, words = UNPUBLISHABLE[case]
    spoil(release / "code" / "static")
    with pytest.raises(TreeError, match=words):
        publish(release, "static")


def test_links_do_not_multiply_without_end(release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "MOST_REPEATED", 200)
    static = release / "code/static"
    for number in range(31):
        (static / f"bomb{number}").mkdir()
        for name in "ab":
            (static / f"bomb{number}" / name).symlink_to(f"../bomb{number + 1}")
    (static / "bomb31").mkdir()
    with pytest.raises(TreeError, match="publish more than 200 files twice"):
        publish(release, "static")


def test_a_folder_may_be_published_twice(release: Path) -> None:
    (release / "code/static/new").symlink_to("css")
    publish(release, "static")
    assert (release / "public/static/new/a.css").samefile(release / "public/static/css/a.css")


def test_remove_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone" / "link").symlink_to(tmp_path / "kept")
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    assert [tree.remove(tmp_path / name) for name in ("gone", "link", "never")] == [True, True, False]
    assert [path.name for path in tmp_path.rglob("*")] == ["kept", "file"]


def test_link_replaces_in_one_step(tmp_path: Path) -> None:
    (tmp_path / ".next.pyhost-new").symlink_to("left-by-a-killed-run")
    for target in ("releases/1", "releases/2"):
        tree.link(tmp_path / "next", target)
    assert str((tmp_path / "next").readlink()) == "releases/2"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_size_is_what_the_disk_gives_back(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    empty = tree.size(tmp_path / "a")
    (inner / "file").write_bytes(b"x" * 2**20)
    (inner / "same").hardlink_to(inner / "file")
    (tmp_path / "elsewhere").write_bytes(b"x" * 2**20)
    (inner / "link").symlink_to(tmp_path)
    assert 2**20 <= tree.size(tmp_path / "a") - empty < 2**20 + 2**14
    assert tree.size(inner / "link") < 2**14
