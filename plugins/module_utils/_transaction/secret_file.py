# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which values of a secret file a program may print: not its lines, but what they set.

Private to the collection.
"""

from __future__ import annotations

import ast
import contextlib
import re
import typing as t

# As systemd reads them (EnvironmentFile=): a value in double quotes may have several lines.
_QUOTED = re.compile(r'^[A-Za-z_]\w*="((?:[^"\\]|\\.)*)"[ \t]*$', re.MULTILINE | re.DOTALL)
_PLAIN = re.compile(r"^(?:export )?[A-Za-z_]\w*=(?P<quote>['\"]?)(.+)(?P=quote)[ \t]*$", re.MULTILINE)
# As the script of an application in mod_wsgi sets them; all else in it is code.
_SCRIPT = re.compile(r"""^os\.environ\[['"](\w+)['"]\] = (['"].*['"])$""", re.MULTILINE)

OPEN = {"HOME", "STATE_DIRECTORY", "LANG"}
"""Variables of scripts that say the same of every application."""

SHORTEST_LINE = 8
"""Characters of a line that is secret as a whole."""


def values_of(content: str) -> set[str]:
    """Return the secret values in a file: of variables, as they are without quotes; of another file, its lines."""
    values = {re.sub(r'\\(["\\`$])', r"\1", quoted) for quoted in _QUOTED.findall(content)}
    values |= {plain for _quote, plain in _PLAIN.findall(_QUOTED.sub("", content))}
    scripted = list(_script(content))
    values |= {value for name, value in scripted if name not in OPEN}
    if values or scripted:
        return values
    lines = (line.strip() for line in content.splitlines())
    return {line for line in lines if len(line) >= SHORTEST_LINE and not line.startswith("#")}


def _script(content: str) -> t.Iterator[tuple[str, str]]:
    for name, text in _SCRIPT.findall(content):
        with contextlib.suppress(ValueError, SyntaxError):
            yield name, str(ast.literal_eval(text))
