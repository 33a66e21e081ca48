# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wishes that several tests make."""

from __future__ import annotations

import typing as t

SERVER, SHOP, BLOG = "server.service", "pyhost-shop.service", "pyhost-blog.service"
MAIN, GENERATION, DEFAULT = "etc/server/main.conf", "etc/server/generation", "etc/server/sites/default"
STOCK = "stock\n"


def unit(name: str, text: str = "unit\n", verb: str = "restart") -> dict[str, t.Any]:
    """Return the short form of a unit's own file."""
    return {f"etc/systemd/system/{name}": {"content": text, "unit": name, "verb": verb}}


SITES = {
    MAIN: "include sites/*\n",
    GENERATION: "1\n".strip(),
    "etc/server/sites/shop.conf": "# application shop\nold\n",
    "etc/server/sites/gone.conf": "# application gone\n",
    "etc/server/link.conf": {"link": "main.conf"},
    "etc/users/pyhost.conf": {"content": "users 1\n", "command": ("adopt", "USERS")},
    DEFAULT: None,
    **unit(SHOP),
    "etc/pyhost/shop.env": {"content": "KEY=1\n", "mode": "0600", "secret": True, "unit": SHOP, "verb": "restart"},
}
NEXT = {
    MAIN: "include sites/* more/*\n",
    GENERATION: "2",
    "etc/server/sites/shop.conf": "# application shop\nnew\n",
    "etc/server/more/blog.conf": "# application blog\n",
    "etc/server/link.conf": {"link": "generation"},
    "etc/users/pyhost.conf": {"content": "users 2\n", "command": ("adopt", "USERS")},
    **unit(BLOG),
}


def with_users(host: t.Any, files: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return the files with the real path in their command."""
    path = "etc/users/pyhost.conf"
    return {**files, path: {**files[path], "command": ("adopt", str(host.root / path))}} if path in files else files


def old(host: t.Any) -> t.Any:
    """Return the wish of a host with a shop."""
    return host.wish(with_users(host, SITES), (SERVER, SHOP))


def new(host: t.Any) -> t.Any:
    """Return a wish that differs from `old` in every way that there is."""
    return host.wish(with_users(host, NEXT), (SERVER, BLOG))


def in_order(host: t.Any) -> None:
    """Check that what runs has the files that are there, and that nothing is left over."""
    assert host.running() == host.current()
    assert host.litter() == []


RIVAL = "rival.service"
HOLDS = {
    **SITES,
    MAIN: "PORT\n",
    "etc/shared.conf": "server's\n",
    f"etc/systemd/system/{SERVER}.d/own.conf": "limits\n",
}
RIVALS = {"etc/rival/main.conf": "PORT\n", "etc/rival/generation": "3", "etc/shared.conf": "rival's\n"}


def holder(host: t.Any) -> t.Any:
    """Return the wish of the server that holds the port."""
    return host.wish(with_users(host, HOLDS), (SERVER, SHOP), replaces=frozenset({"rival"}))


def rival(host: t.Any, **files: t.Any) -> t.Any:
    """Return the wish of another one that takes over from it."""
    changed = {f"etc/rival/{name}.conf": content for name, content in files.items()}
    return host.wish({**RIVALS, **changed}, (RIVAL,), "rival", replaces=frozenset({"server", "nobody"}))
