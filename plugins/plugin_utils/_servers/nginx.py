# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""nginx beside its row."""

from __future__ import annotations

from dataclasses import replace

from .._keys.host import HOST_KEYS
from .._keys.key import Key
from .server import FrontEndServer

SERVER = FrontEndServer(
    variables=(
        replace(HOST_KEYS["http3"], name="frontend_nginx_http3"),
        Key(
            "frontend_nginx_worker_connections",
            "int",
            "Maximum number of connections of each worker process, to visitors and applications together.",
            default=8192,
            example=16384,
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
)
