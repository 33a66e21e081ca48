# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a run says of the files that stay on the controller."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.pyhost.web.plugins.action.releases import told
from ansible_collections.pyhost.web.plugins.plugin_utils._source_folder import source


def test_what_stays_on_the_controller_is_told(tmp_path: Path) -> None:
    for name in (".env", "app.py", *(f"{number}.log" for number in range(12))):
        (tmp_path / name).touch()
    (tmp_path / ".gitignore").write_text("*.log\n", encoding="utf-8")
    text = told(source(tmp_path))
    assert text.startswith(f"These are not sent from {tmp_path}: .env (secret), 0.log (.gitignore), ")
    assert " and 1 more. To send one of them, add a line with `!` and its name to .pyhostignore" in text
