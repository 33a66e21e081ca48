# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The items of ``app_apps``: releases that the host holds."""

from __future__ import annotations

import posixpath
import typing as t
from pathlib import PurePosixPath

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
            ],
            "inner": list(_inner(item, web_group)),
        }

    return complete(path, items, RELEASE_ITEM, derive)


def _inner(item: Item, web_group: str) -> t.Iterator[Item]:
    """Yield the folders inside the data folder that are published, and those that lead to them, outer ones first."""
    published = {posixpath.normpath(folder) for folder in item["published"]}
    own = state(item["name"])
    leading = {
        str(folder)
        for path in published
        for folder in PurePosixPath(path).parents
        if folder.is_relative_to(own) and str(folder) != own
    }
    for folder in sorted(published | leading):
        # The set-group-ID bit hands new files to the front end's group, whatever creates them. What only leads there
        # is the application's own, which may have made it already, and belongs to its account like all below it:
        # systemd-tmpfiles does not go from a folder of one account on to another's.
        yield {
            "path": folder,
            "mode": "2750" if folder in published else ":0710",
            "user": item["user"],
            "group": web_group,
        }
