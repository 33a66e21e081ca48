# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the controller checks of an archive before it sends it."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.pyhost.web.plugins.action.server_archive import ActionModule


class Action(ActionModule):
    """Runs no module."""

    def __init__(self) -> None:
        pass

    def execute(self, args: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return what the module would get."""
        return args


DIGEST = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize("checksum", ["", DIGEST, f"sha256:{DIGEST}", "md5:1"])
def test_a_checksum_in_another_form_is_left_to_the_module(tmp_path: Path, checksum: str) -> None:
    (tmp_path / "tree.tar").touch()
    args = {"archive": "tree.tar", "checksum": checksum}
    assert Action().work(args, {"inventory_dir": str(tmp_path)})["digest"] == DIGEST


def test_another_checksum_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "tree.tar").touch()
    args = {"archive": "tree.tar", "checksum": f"sha256:{'0' * 64}"}
    with pytest.raises(AnsibleActionFail, match=f"checksum: tree.tar has the checksum sha256:{DIGEST}, not sha256:0"):
        Action().work(args, {"inventory_dir": str(tmp_path)})
