# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a full disk is told with: who fills it."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from ansible_collections.pyhost.web.plugins.module_utils import _system_errors
from ansible_collections.pyhost.web.plugins.module_utils._system_errors import described


@pytest.fixture
def top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folders of four applications."""
    for name, size in {"blog": 3, "shop": 1, "wiki": 2, "x": 0}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_bytes(b"x" * (size << 20))
    (tmp_path / "link").symlink_to("/")
    monkeypatch.setattr(_system_errors, "TOPS", (tmp_path, tmp_path / "none"))
    return tmp_path


def test_a_full_disk_is_told_with_those_who_fill_it(top: Path) -> None:
    text = described(OSError(errno.ENOSPC, "No space left on device", str(top / "shop/new")))
    head, _dot, tail = text.partition(" The largest folders of applications on it: ")
    assert head.endswith(" MiB left. Make room, and run again.")
    shown = (f"{top / name} ({size} MiB)" for name, size in (("blog", 3), ("wiki", 2), ("shop", 1)))
    assert tail == f"{', '.join(shown)}."


def test_what_takes_too_long_to_count_is_left_out(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_system_errors, "DU_TIMEOUT", 0)
    text = described(OSError(errno.ENOSPC, "No space left on device", str(top / "shop/new")))
    assert text.endswith("Make room, and run again.")
