"""What nginx takes for UTF-8 in its JSON access log; its regular expressions are Perl's, as Python's are."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import ansible_collections.pyhost.web.plugins.plugin_utils as plugin_utils
from ansible_collections.pyhost.web.plugins.plugin_utils._servers.nginx import _UTF8

ROLE = Path(next(iter(plugin_utils.__path__))).parents[1] / "roles/frontend_nginx"

# Both sides of every border in RFC 3629's table
EDGES = bytes([0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED])
EDGES += bytes([0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF])


def _valid_beginning(text: bytes) -> bytes | None:
    """Return what comes before the first byte that is no UTF-8; None where all of it is."""
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as error:
        return text[: error.start]
    return None


def test_a_text_is_cut_where_it_is_no_utf_8() -> None:
    template = (ROLE / "templates/nginx.conf.j2").read_text()
    line = next(line for line in template.splitlines() if "(?<pyhost_utf8>" in line)
    expression = line.split('"')[1].removeprefix("~").replace("{{ utf8 }}", _UTF8).replace("(?<", "(?P<")
    texts = [bytes(text) for length in range(5) for text in itertools.product(EDGES, repeat=length)]
    cut = re.compile(expression.encode()).match
    wrong = [text for text in texts if ((found := cut(text)) and found["pyhost_utf8"]) != _valid_beginning(text)]
    assert wrong == []
