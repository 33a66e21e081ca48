# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Folders of the controller as sources: what counts for the digest, and what travels."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.pyhost.web.plugins.plugin_utils._folder import FolderError, digest, pack


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


@pytest.mark.parametrize("target", ["/etc/passwd", "../secret", "pkg/../../secret"])
def test_links_that_lead_out_are_refused(folder: Path, target: str) -> None:
    (folder / "bad").symlink_to(target)
    with pytest.raises(FolderError, match="the link 'bad' leads out of the folder"):
        digest(folder)


def test_pipes_are_refused(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    with pytest.raises(FolderError, match="'pipe' is no file, folder or link"):
        digest(folder)


def test_what_travels(folder: Path, tmp_path: Path) -> None:
    _write(".git/HEAD")(folder)
    (folder / "manage.py").chmod(0o711)
    pack(folder, tmp_path / "source")
    with tarfile.open(tmp_path / "source") as archive:
        members = {member.name: (member.mode, member.uid, member.linkname) for member in archive}
    assert members == {
        "link.py": (0o755, 0, "pkg/__init__.py"),
        "manage.py": (0o755, 0, ""),
        "pkg": (0o755, 0, ""),
        "pkg/__init__.py": (0o644, 0, ""),
    }
