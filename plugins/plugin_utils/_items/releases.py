# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The items of ``app_apps``: releases that the host holds."""

from __future__ import annotations

import typing as t

from ...module_utils._layout import application, cache, state
from ...module_utils._release.sandbox import TASKS
from .._keys.checks import WEB_GROUP, parse_size
from .._servers.server import Item
from .complete import complete
from .keys import RELEASE_ITEM


def releases(path: str, items: t.Any, web_group: str = WEB_GROUP) -> list[Item]:
    """Return the items of ``app_apps`` complete; raise Invalid naming every problem below ``path``."""

    def derive(item: Item) -> Item:
        return {
            "name": item["name"],
            "user": item["user"],
            "account": {key: item[key] for key in ("name", "user", "named")},
            "build": {
                **{key: value for key, value in item.items() if key not in ("published", "named")},
                "limits": {
                    "memory": parse_size(item["limits"]["memory"]),
                    "tasks": item["limits"]["tasks"] or TASKS,
                    "cpu": item["limits"]["cpu"],
                },
                "health": {**item["health"], "mount": item["health"]["mount"].rstrip("/")},
            },
            "folders": [
                {"path": application(item["name"]), "mode": "0711", "user": "root", "group": "root"},
                {
                    "path": cache(item["name"]),
                    "mode": "0700",
                    "user": item["user"],
                    "group": item["user"],
                },
                # Search permission for the front end, so that it reaches the published folders and nothing else.
                {
                    "path": state(item["name"]),
                    "mode": "0710",
                    "user": item["user"],
                    "group": web_group,
                },
                # The set-group-ID bit hands new files to the front end's group, whatever creates them.
                *(
                    {"path": folder, "mode": "2750", "user": item["user"], "group": web_group}
                    for folder in item["published"]
                ),
            ],
        }

    return complete(path, items, RELEASE_ITEM, derive)
