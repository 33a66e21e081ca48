# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which application a server's words are about."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.pyhost.web.plugins.module_utils._errors import PyhostError
from ansible_collections.pyhost.web.plugins.module_utils._transaction import wish
from ansible_collections.pyhost.web.plugins.module_utils._transaction.stage import blame, reject

SITE = "# application shop\nx\n# application blog\nx\n"


def _rejected(folder: Path, words: str, copy: Path | None = None) -> PyhostError:
    """Return what becomes of the words of a server's own test of the folder."""
    with pytest.raises(PyhostError) as caught:
        reject(wish.Test(folder, ("/usr/sbin/server",)), 1, words, copy or folder)
    return caught.value


@pytest.mark.parametrize(
    "words",
    [
        "nginx: [emerg] unknown directive in SITE:4",
        "AH00526: Syntax error on line 4 of SITE:\nInvalid command",
        "Syntax error on line 9 of /etc/a.conf: Syntax error on line 7 of /h.conf: Syntax error on line 4 of SITE: x",
        "Syntax error on line 9 of /etc/a.conf: Syntax error on line 4 of SITE: SITE:4: <Location> was not closed.",
        "(configfile.c.1) source: SITE line: 4 pos: 1",
    ],
    ids=["nginx", "Apache", "Apache, included", "Apache, not closed", "lighttpd"],
)
def test_an_error_is_told_with_the_application_nearest_above_it(tmp_path: Path, words: str) -> None:
    site = tmp_path / "site.conf"
    site.write_text(SITE)
    error = _rejected(tmp_path, words.replace("SITE", str(site)))
    assert error.details == {"file": str(site), "line": 4, "application": "blog"}


def test_the_application_is_looked_up_in_the_copy(tmp_path: Path) -> None:
    folder, copy = tmp_path / "etc", tmp_path / "copy"
    copy.mkdir()
    (copy / "site.conf").write_text(SITE)
    error = _rejected(folder, f"unknown directive in {folder}/site.conf:2", copy)
    assert error.details == {"file": f"{folder}/site.conf", "line": 2, "application": "shop"}


def test_no_file_is_opened_for_the_words_of_a_unit(tmp_path: Path) -> None:
    """A pipe would be waited for for ever, before anything is rolled back."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    site = tmp_path / "site.conf"
    site.write_text(SITE)
    # So that the wrong answer is one, instead of none.
    handle = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    try:
        error = blame("starting pyhost-shop.service", f"{site}:4\n{pipe}:1", application="shop")
    finally:
        os.close(handle)
    assert error.details == {"application": "shop"}
    assert str(error).startswith("application shop: starting pyhost-shop.service: ")


@pytest.mark.parametrize("kind", ["pipe", "device", "link", "outside", "above", "large", "folder", "no path"])
def test_only_plain_files_of_the_folder_are_opened(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    (tmp_path / "secret").write_text(SITE)
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "large").write_text(SITE + " " * 5_000_000)
    os.mkfifo(folder / "pipe")
    place = {
        "device": "/dev/null", "outside": f"{tmp_path}/secret", "above": f"{folder}/../secret", "folder": f"{folder}/.",
        "no path": f"{folder}/a\0b",
    }.get(kind, f"{folder}/{kind}")  # fmt: skip
    error = _rejected(folder, f"unknown directive in {place}:4")
    assert error.details == {"file": place, "line": 4}


LONG = {
    "slashes": "/" * 256 * 1024,
    "slashes and colons": "/:" * 128 * 1024,
    "lines of nothing": "line 1 of /" * 24 * 1024,
    "digits": "/x:" + "1" * 256 * 1024,
    "lines": "/\n" * 128 * 1024,
}


@pytest.mark.parametrize("kind", LONG)
def test_words_that_are_made_to_be_slow_are_reported(tmp_path: Path, kind: str) -> None:
    """Of most, a search that steps back would take minutes."""
    error = _rejected(tmp_path, LONG[kind])
    assert str(error).endswith(LONG[kind].rstrip()[-30:])
    assert "application" not in error.details
