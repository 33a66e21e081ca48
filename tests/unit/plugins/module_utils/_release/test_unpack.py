# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Archives that are unpacked, and those that are refused."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.pyhost.web.plugins.module_utils._release import unpack as program
from ansible_collections.pyhost.web.plugins.module_utils._release.unpack import Refused, unpack
from hypothesis import given, settings
from hypothesis import strategies as st

FILE, LINK, HARD, FOLDER = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE

# name, type, content or target of a link, mode
Members = list[tuple[str, bytes, str, int]]
Make = Callable[[Path, Members], Path]


def tar(path: Path, members: Members) -> Path:
    """Makes a tar archive."""
    with tarfile.open(path, "w:gz") as archive:
        for name, kind, text, mode in members:
            info = tarfile.TarInfo(name)
            info.type, info.mode = kind, mode
            if kind == FILE:
                info.size = len(text)
            else:
                info.linkname = text
            archive.addfile(info, io.BytesIO(text.encode()))
    return path


def zipped(path: Path, members: Members) -> Path:
    """Makes a zip archive of the same."""
    kinds = {FILE: stat.S_IFREG, LINK: stat.S_IFLNK, FOLDER: stat.S_IFDIR}
    with zipfile.ZipFile(path, "w") as archive:
        for name, kind, text, mode in members:
            info = zipfile.ZipInfo(name + ("/" if kind == FOLDER else ""))
            info.external_attr = (kinds[kind] | mode) << 16
            archive.writestr(info, text)
    return path


def tree(folder: Path) -> dict[str, str]:
    """What is in a folder: contents of files, targets of links; programs have a *."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_file():
            found[name + ("*" if path.stat().st_mode & stat.S_IXUSR else "")] = path.read_text(encoding="utf-8")
    return found


GOOD: dict[str, tuple[Members, dict[str, str]]] = {
    "one folder on top": (
        [("p-1", FOLDER, "", 0o755), ("p-1/a", FILE, "A", 0o644), ("p-1/b/c", FILE, "C", 0o700)],
        {"a": "A", "b/c*": "C"},
    ),
    "one folder, not a member itself": ([("p-1/a", FILE, "A", 0o644)], {"a": "A"}),
    "a file beside the folder": (
        [("p/a", FILE, "A", 0o644), ("x", FILE, "X", 0o644)],
        {"p/a": "A", "x": "X"},
    ),
    "only a file": ([("a", FILE, "A", 0o644)], {"a": "A"}),
    "dots": ([("./p/a", FILE, "A", 0o644), ("./p/./b", FILE, "B", 0o644)], {"a": "A", "b": "B"}),
    "links inside": (
        [("p/a", FILE, "A", 0o644), ("p/d/l", LINK, "../a", 0o777)],
        {"a": "A", "d/l": "-> ../a"},
    ),
    "links through others": (
        [("p/d/x/y", FILE, "Y", 0o644), ("p/l", LINK, "d/x", 0o777), ("p/m", LINK, "l/../x/y", 0o777)],
        {"d/x/y": "Y", "l": "-> d/x", "m": "-> l/../x/y"},
    ),
    "links in a circle": (
        [("p/a", LINK, "b", 0o777), ("p/b", LINK, "a", 0o777)],
        {"a": "-> b", "b": "-> a"},
    ),
    "set-user-ID": ([("p/a", FILE, "A", 0o4755)], {"a*": "A"}),
}

BAD: dict[str, Members] = {
    "absolute": [("/etc/x", FILE, "X", 0o644)],
    "parent": [("p/../../x", FILE, "X", 0o644)],
    "link to an absolute path": [("p/l", LINK, "/etc", 0o777)],
    "link out": [("p/l", LINK, "../../x", 0o777)],
    "link out once its folder is left out": [("p/l", LINK, "../x", 0o777)],
    "link out through another one": [("p/d/x", LINK, "..", 0o777), ("p/e", LINK, "d/x/..", 0o777)],
    "link out through one that comes later": [("p/a", LINK, "b/x/../..", 0o777), ("p/b", LINK, ".", 0o777)],
    "very deep": [("p/" * 2000 + "a", FILE, "A", 0o644)],
}

BAD_TAR: dict[str, Members] = {
    "device": [("p/d", tarfile.CHRTYPE, "", 0o666)],
    "pipe": [("p/f", tarfile.FIFOTYPE, "", 0o666)],
    "hard link to what is not there": [("p/h", HARD, "p/a", 0o644)],
    "hard link out": [("p/a", FILE, "A", 0o644), ("p/h", HARD, "/etc/passwd", 0o644)],
}


@pytest.mark.parametrize("make", [tar, zipped])
@pytest.mark.parametrize("case", GOOD)
def test_good(tmp_path: Path, case: str, make: Make) -> None:
    members, expected = GOOD[case]
    (tmp_path / "code").mkdir()
    unpack(make(tmp_path / "archive", members), tmp_path / "code", strip=True)
    assert tree(tmp_path / "code") == expected
    assert [path for path in (tmp_path / "code").rglob("*") if path.lstat().st_mode & 0o6000] == []


@pytest.mark.parametrize("case", [*((tar, case) for case in {**BAD, **BAD_TAR}), *((zipped, case) for case in BAD)])
def test_bad(tmp_path: Path, case: tuple[Make, str]) -> None:
    make, name = case
    (tmp_path / "code").mkdir()
    with pytest.raises(Refused):
        unpack(make(tmp_path / "archive", {**BAD, **BAD_TAR}[name]), tmp_path / "code", strip=True)
    assert tree(tmp_path / "code") == {}


def test_hard_links_become_files(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    archive = tar(tmp_path / "archive", [("p/a", FILE, "A", 0o644), ("p/h", HARD, "p/a", 0o644)])
    unpack(archive, tmp_path / "code", strip=True)
    assert tree(tmp_path / "code") == {"a": "A", "h": "A"}


def test_top_folder_stays_in_an_upload(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    unpack(tar(tmp_path / "archive", [("pkg/a", FILE, "A", 0o644)]), tmp_path / "code", strip=False)
    assert tree(tmp_path / "code") == {"pkg/a": "A"}


def test_as_a_program(tmp_path: Path) -> None:
    (tmp_path / "archive").write_text("no archive", encoding="utf-8")
    source = Path(str(program.__file__)).read_text(encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-I", "-c", source, str(tmp_path / "archive"), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (
        1,
        "the archive cannot be unpacked: the file is not a tar or zip archive\n",
    )


names = st.lists(st.sampled_from(["a", "b", "c", "..", "."]), min_size=1, max_size=4).map("/".join)
members = st.lists(st.tuples(names, st.sampled_from([FILE, LINK, FOLDER]), names, st.just(0o755)), max_size=8)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@given(members, st.sampled_from([tar, zipped]), st.booleans())
@settings(max_examples=300, derandomize=True, deadline=None, database=None)
def test_nothing_leads_out(members: Members, make: Make, strip: bool) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        top = Path(temporary)
        folder = top / "in/code"
        folder.mkdir(parents=True)
        archive = make(top / "archive", members)
        with contextlib.suppress(Refused, OSError):
            unpack(archive, folder, strip)
        real = os.path.realpath(folder)
        for path in folder.rglob("*"):
            where = os.path.realpath(path)
            assert (where + "/").startswith(real + "/"), (path, where)
        assert sorted(path.name for path in top.rglob("*") if not path.is_relative_to(folder)) == ["archive", "in"]


damages = st.lists(st.tuples(st.integers(0, 999), st.binary(max_size=8)), max_size=4)


@given(st.sampled_from(["w:gz", "w:bz2", "w:xz", "w", "zip"]), damages)
@settings(max_examples=200, derandomize=True, deadline=None, database=None)
def test_damaged_archives_are_refused(kind: str, damages: list[tuple[int, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        top = Path(temporary)
        archive = top / "archive"
        if kind == "zip":
            zipped(archive, [("p/a", FILE, "A" * 99, 0o644), ("p/l", LINK, "a", 0o777)])
        else:
            with tarfile.open(archive, kind) as file:
                info = tarfile.TarInfo("p/a")
                info.size = 99
                file.addfile(info, io.BytesIO(b"A" * 99))
        content = bytearray(archive.read_bytes())
        for place, text in damages:
            start = place % len(content)
            content[start : start + len(text)] = text
        archive.write_bytes(content)
        (top / "code").mkdir()
        with contextlib.suppress(Refused, OSError):
            unpack(archive, top / "code", strip=True)
        assert sorted(path.name for path in top.iterdir()) == ["archive", "code"]
