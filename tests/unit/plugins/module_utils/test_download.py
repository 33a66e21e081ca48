# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Downloads, with a stand-in for Ansible's client."""

from __future__ import annotations

import hashlib
import io
import typing as t
from pathlib import Path

from ansible_collections.pyhost.web.plugins.module_utils._download import fetch_with


def test_a_download_is_a_file_and_its_digest(tmp_path: Path) -> None:
    content = b"x" * (3 << 20)
    asked = []

    def open_url(url: str, **options: t.Any) -> io.BytesIO:
        asked.append((url, options["ca_path"]))
        return io.BytesIO(content)

    digest = fetch_with(open_url, "/etc/ca.pem")("https://example.org/x", tmp_path / "x")
    assert asked == [("https://example.org/x", "/etc/ca.pem")]
    assert (tmp_path / "x").read_bytes() == content
    assert digest == hashlib.sha256(content).hexdigest()
