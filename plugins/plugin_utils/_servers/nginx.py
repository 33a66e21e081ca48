# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""nginx beside its row."""

from __future__ import annotations

from dataclasses import replace

from .._keys import checks
from .._keys.host import HOST_KEYS
from .._keys.key import Invalid, Key, Problem
from .server import FrontEndServer, Item, on_release

# By Debian's release: how HTTP/2 is switched on, whether there is HTTP/3, and whether a curve may be one that OpenSSL
# does not know.
_HTTP2 = {"12": "listen", "13": "directive"}
_HTTP3 = {"12": False, "13": True}
_OPTIONAL_CURVE = {"12": "", "13": "?"}

# What UTF-8 is made of, by RFC 3629.
_UTF8 = "|".join(
    (
        r"[\x00-\x7f]",
        r"[\xc2-\xdf][\x80-\xbf]",
        r"\xe0[\xa0-\xbf][\x80-\xbf]",
        r"[\xe1-\xec\xee\xef][\x80-\xbf]{2}",
        r"\xed[\x80-\x9f][\x80-\xbf]",
        r"\xf0[\x90-\xbf][\x80-\xbf]{2}",
        r"[\xf1-\xf3][\x80-\xbf]{3}",
        r"\xf4[\x80-\x8f][\x80-\xbf]{2}",
    )
)


def _derive(front_end: Item) -> Item:
    debian = front_end.get("debian")
    if front_end["http3"] and not on_release(_HTTP3, debian):
        problem = f"nginx of Debian {debian} does not support HTTP/3. Remove this setting."
        raise Invalid([Problem("frontend_nginx_http3", problem)])
    headers = [header for site in front_end["sites"] for mount in site["mounts"] for header in mount["headers"]]
    return {
        "http2": on_release(_HTTP2, debian),
        "curves": on_release(_OPTIONAL_CURVE, debian) + front_end["curves"],
        "headers": list({(header["name"], header["variable"]): header for header in headers}.values()),
        "protocol_files": ["uwsgi", "fastcgi", "scgi", "http"],
        "utf8": _UTF8,
    }


SERVER = FrontEndServer(
    packages={"always": ("nginx", "logrotate"), "tls": ("openssl",), "acme": ("certbot",)},
    variables=(
        replace(HOST_KEYS["http3"], name="frontend_nginx_http3"),
        Key(
            "frontend_nginx_worker_connections",
            "int",
            "Maximum number of connections of each worker process, to visitors and applications together.",
            default=8192,
            example=16384,
            check=checks.at_least(64, 1048576),
        ),
        Key(
            "frontend_nginx_http_extra",
            "list",
            "Raw lines in nginx's http block.",
            default=[],
            elements="str",
            example=["proxy_cache_path /var/cache/nginx/pages keys_zone=pages:10m;"],
        ),
    ),
    derive=_derive,
)
