# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records that are damaged: one message that names the file, and nothing is lost."""

from __future__ import annotations

import contextlib
import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.pyhost.web.plugins.module_utils._errors import PyhostError
from ansible_collections.pyhost.web.plugins.module_utils._transaction.manifest import File, Journal, Manifest, Store
from hypothesis import given, settings
from hypothesis import strategies as st

DAMAGED = [
    b"",
    b"{",
    b"null",
    b"[]",
    b"5",
    b"\xff\xfe",
    b'"text"',
    b"[" * 100_000,
    *(
        json.dumps(record).encode()
        for record in (
            {"files": 5},
            {"files": {"/a": 5}},
            {"files": {"/a": {"original": "no"}}},
            {"files": {"/a": {"unit": ["x"]}}},
            {"units": "pyhost-shop.service"},
            {"units": [None]},
            {"units": {}},
            {"folders": [1]},
            {"loaded": []},
            {"ran": 1},
            {"loaded": {"a.service": {"reload": "0a1b"}}},
            {"files": {"/a": {"later": True}}},
            {"refused": {"/a": None}},
            {"transaction": 1},
            {"later": 1},
            {"LOSES": "x"},
        )
    ),
]
JOURNALS = [
    b"", b"null", b'{"swaps": [["/a"]]}', b'{"swaps": [["/a", 1]]}', b'{"swaps": [["/a", true, 2]]}',
    b'{"swaps": {"/a": true}}', b'{"brought": {"a.service": {"up": "yes"}}}', b'{"commands": ["rm -rf /"]}',
    b'{"taken": {"other": "x"}}', b'{"touched": ["a"]}',
]  # fmt: skip
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@pytest.mark.parametrize("text", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_manifest_is_named_and_nothing_is_changed(host: t.Any, text: bytes) -> None:
    host.apply(host.wish({"etc/server/main.conf": "one\n"}))
    manifest = host.state / "server.json"
    manifest.write_bytes(text)
    before, running = host.tree(everything=True), host.running()
    for _ in range(2):
        words = str(host.refuse(host.wish({"etc/server/main.conf": "two\n"})))
        assert words.startswith(f"{manifest}: this file is damaged (") and "\n" not in words
        assert (
            "Nothing was changed. Restore the file from a backup. If you have none, move it away and run again: "
            in words
        )
    assert (host.tree(everything=True), host.running()) == (before, running)
    manifest.unlink()
    host.apply(host.wish({"etc/server/main.conf": "two\n"}))


@pytest.mark.parametrize("text", JOURNALS, ids=range(len(JOURNALS)))
def test_a_damaged_journal_is_named_and_nothing_is_changed(host: t.Any, text: bytes) -> None:
    host.apply(host.wish({"etc/server/main.conf": "one\n"}))
    journal = host.state / "server.journal"
    journal.write_bytes(text)
    before = host.tree(everything=True)
    words = str(host.refuse(host.wish({"etc/server/main.conf": "two\n"})))
    assert (
        words.startswith(f"{journal}: this file is damaged (")
        and "the changes of the interrupted run are then kept" in words
    )
    assert host.tree(everything=True) == before


def test_what_a_record_does_not_say_is_false(tmp_path: Path) -> None:
    (tmp_path / "web.json").write_text('{"files": {"/a": {"secret": true}}}')
    assert Store(tmp_path).manifest("web").files == {"/a": File(secret=True)}


@settings(derandomize=True, max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(["files", "units", "loaded", "ran", "swaps", "brought", "taken"]), ANY))
def test_any_json_is_a_record_or_damaged(tmp_path_factory: pytest.TempPathFactory, record: t.Any) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps(record))
    for kind in (Manifest, Journal):
        with contextlib.suppress(PyhostError):
            found = kind.load(path)
            assert found is not None
            found.save(path)
            assert kind.load(path) == found
            path.write_text(json.dumps(record))
