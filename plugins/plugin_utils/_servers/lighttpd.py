# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""lighttpd beside its row."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping

from ...module_utils._layout import in_release
from .._keys.key import Key
from .server import FrontEndServer, Refusal, mounts


def _refuses(site: Mapping[str, t.Any]) -> Iterator[Refusal]:
    # It follows links for a whole mount or not at all, and only in a release they do no harm.
    for mount in mounts(site):
        if len({in_release(path) for path in mount["private"].values()}) > 1:
            yield Refusal(
                mount["app"],
                "private",
                "has folders in a release and others, between which lighttpd cannot tell; keep all of them in one of"
                " the two",
            )


SERVER = FrontEndServer(
    variables=(
        Key(
            "frontend_lighttpd_max_connections",
            "int",
            "Maximum number of simultaneous connections to visitors.",
            default=8192,
            example=16384,
        ),
        Key(
            "frontend_lighttpd_global_extra",
            "list",
            "Raw lines of lighttpd's configuration outside of any site.",
            default=[],
            elements="str",
            example=["server.kbytes-per-second = 1024"],
        ),
    ),
    refuses=_refuses,
)
