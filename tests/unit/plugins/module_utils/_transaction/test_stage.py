# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which application a server's words are about."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.pyhost.web.plugins.module_utils._transaction.stage import blame

SITE = "# application shop\nx\n# application blog\nx\n"


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
    error = blame("refused", words.replace("SITE", str(site)))
    assert error.details == {"file": str(site), "line": 4, "application": "blog"}
