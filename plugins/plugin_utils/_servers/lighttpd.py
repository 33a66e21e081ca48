# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""lighttpd beside its row."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping

from ...module_utils._layout import in_release
from .._keys import checks
from .._keys.key import Key
from .server import FrontEndServer, Item, Refusal, mounts


def _refuses(site: Mapping[str, t.Any]) -> Iterator[Refusal]:
    # It follows links for a whole mount or not at all, and only in a release they do no harm.
    for mount in mounts(site):
        if len({in_release(path) for path in mount["private"].values()}) > 1:
            yield Refusal(
                mount["app"],
                "private",
                "lighttpd cannot serve folders inside and outside of a release together. Move all of them into the"
                " release, or all of them out of it.",
            )


def _derive(front_end: Item) -> Item:
    has_tls = front_end["has_tls"]
    published = [mount for site in front_end["sites"] for mount in site["mounts"]]
    headers = {mount["headers_id"]: mount["headers"] for mount in published}
    return {
        "lua": [
            "request",
            "proxy",
            "generation",
            "static",
            "log",
            *(["redirect", "unencrypted"] if has_tls else []),
        ],
        "programs": ["signal", *(["keys", "test"] if has_tls else [])],
        "header_sets": [{"name": name, "headers": given} for name, given in headers.items()],
        "test_command": ["sh", "/etc/lighttpd/pyhost/test"]
        if has_tls
        else ["lighttpd", "-tt", "-f", "/etc/lighttpd/lighttpd.conf"],
    }


SERVER = FrontEndServer(
    packages={
        # The rotation of logs, as www-data, asks systemd for lighttpd's process over D-Bus.
        "always": ("lighttpd", "lighttpd-mod-deflate", "lighttpd-modules-lua", "logrotate", "dbus"),
        "tls": ("openssl", "lighttpd-mod-openssl"),
        "acme": ("certbot",),
    },
    variables=(
        Key(
            "frontend_lighttpd_max_connections",
            "int",
            "Maximum number of simultaneous connections to visitors.",
            default=8192,
            example=16384,
            check=checks.at_least(64, 1048576),
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
    answers_unknown_names=True,
    refuses=_refuses,
    derive=_derive,
)
