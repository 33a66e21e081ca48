# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One description by itself: what it says over the defaults, and which of its own keys would have no effect."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Iterable, Iterator, Mapping

from .._keys.app import APP, APP_KEYS
from .._keys.key import Key, Problem

App = dict[str, t.Any]
Description = Mapping[str, t.Any]

_NO_EFFECT: tuple[tuple[str, Callable[[App], bool], str], ...] = (
    (
        "purge",
        lambda app: bool(app["purge"]) and app["state"] != "absent",
        "data is removed only together with the application. Add `state: absent`, or remove `purge`.",
    ),
    (
        "hsts",
        lambda app: app["tls"] == "off",
        "`hsts` has an effect only with TLS, but `tls` is off. Remove `hsts`, or set `tls`.",
    ),
    (
        "static_max_age",
        lambda app: not app["static"],
        "the application has no static files. Remove `static_max_age`, or add `static`.",
    ),
    (
        "htaccess",
        lambda app: bool(app["htaccess"]) and not any(url.endswith("/") for url in app["static"]),
        "`htaccess` applies only to folders of static files, and the application has none. Remove `htaccess`, or add a"
        " folder to `static`.",
    ),
)


def own_keys(raw: Description, keys: Iterable[Key] = APP) -> frozenset[str]:
    """Return the keys that a description sets itself, those below others as C(limits.cpu)."""
    found = set()
    for key in keys:
        value = raw.get(key.name)
        if value is not None:
            found.add(key.name)
        if key.options and isinstance(value, Mapping):
            found |= {f"{key.name}.{name}" for name in own_keys(value, key.options)}
    return frozenset(found)


def without_effect(path: str, app: App) -> Iterator[Problem]:
    """Yield the keys of its own description that do nothing for an application, wherever it runs."""
    absent = app["state"] == "absent"
    for key, is_idle, why in _NO_EFFECT:
        # What is to go keeps its description.
        if key in app["own"] and is_idle(app) and not absent:
            yield Problem(f"{path}.{key}", why)


def doubtful(path: str, app: App) -> Iterator[str]:
    """Yield sentences about URLs that repeat the mount point, although they begin there."""
    mount = app["path"]
    if mount == "/" or app["state"] == "absent":
        return
    given = [(f"{key}.{url}", url) for key in ("static", "private") for url in app[key]]
    given += [("health.path", app["health"]["path"])]
    for key, url in given:
        if f"{url}/".startswith(f"{mount}/"):
            inside = url.removeprefix(mount) or "/"
            yield (
                f"{path}.{key}: URLs are relative to the mount point, so visitors reach this one at {mount}{url}. For"
                f" {url}, write '{inside}'."
            )


def lay_over(below: Description, above: Description, keys: Mapping[str, Key] = APP_KEYS) -> dict[str, t.Any]:
    """Lay a description over the defaults; dictionaries are merged, but a source is replaced as a whole."""
    merged = dict(below)
    for name, value in above.items():
        under, key = merged.get(name), keys.get(name)
        if name != "source" and key and isinstance(value, Mapping) and isinstance(under, Mapping):
            if key.same:
                named = {key.same(str(entry)) for entry in value}
                under = {entry: other for entry, other in under.items() if key.same(str(entry)) not in named}
            value = lay_over(under, value, {option.name: option for option in key.options})
        merged[name] = value
    return merged
