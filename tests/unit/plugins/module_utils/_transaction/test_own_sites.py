# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sites of the operator that an application hides."""

from __future__ import annotations

import dataclasses
import typing as t
from pathlib import Path

import ansible_collections.pyhost.web.plugins.plugin_utils as plugin_utils
import pytest
import yaml
from ansible_collections.pyhost.web.plugins.module_utils._fs import MANAGED
from ansible_collections.pyhost.web.plugins.module_utils._transaction.own_sites import OwnSites

from tests.unit.plugins.module_utils._transaction.wishes import old

ROLES = Path(next(iter(plugin_utils.__path__))).parents[1] / "roles"
SITES = {
    "frontend_nginx": "server {{ listen 80;\n  server_name intranet.example\n    {name};\n}}\n",
    "frontend_apache": "<VirtualHost *:80>\nServerName in.example\nServerAlias a.example {name}\n</VirtualHost>\n",
}


def own_sites(role: str, folder: Path, *names: str) -> OwnSites:
    """Return what the role says of the operator's sites, in that folder."""
    given = yaml.safe_load((ROLES / role / "vars/main.yml").read_text())[f"__{role}_own_sites"]
    return OwnSites((f"{folder}/*",), given["pattern"], names)


@pytest.mark.parametrize("role", SITES)
@pytest.mark.parametrize(
    ("name", "text", "hidden"),
    [
        ("shop.example", "", True),
        ("SHOP.example", "", True),
        ("*.shop.example", "", True),
        ("other.example", "", False),
        ("shop.example.org", "", False),
        ("shop.example", f"# {MANAGED}\n", False),
    ],
)
def test_a_site_that_an_application_hides_is_named(
    tmp_path: Path, role: str, name: str, text: str, hidden: bool
) -> None:
    file = tmp_path / "site.conf"
    file.write_text(text + SITES[role].format(name=name))
    (tmp_path / "folder").mkdir()
    (tmp_path / "gone").symlink_to("nowhere")
    found = list(own_sites(role, tmp_path, "shop.example", "*.shop.example").warnings(role))
    site = f"{file}: this file contains a site for {name.lower()}"
    assert [warning.partition(",")[0] for warning in found] == ([site] if hidden else [])


def test_a_site_in_one_line_is_named_and_a_comment_is_not(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("server { listen 80; server_name shop.example; }\n")
    (tmp_path / "off").write_text("#server_name shop.example;\n    # server_name shop.example;\n")
    (warning,) = own_sites("frontend_nginx", tmp_path, "shop.example").warnings("frontend_nginx")
    assert warning.startswith(f"{tmp_path}/mine: this file contains a site for shop.example")


def test_a_run_warns_of_it(host: t.Any) -> None:
    mine = host.etc / "sites/mine"
    mine.write_text("name shop.example")
    wanted = dataclasses.replace(
        old(host), own_sites=OwnSites((f"{host.etc}/sites/*",), r"^name (.*)", ("shop.example",))
    )
    for check in (True, False, False):
        (warning,) = host.apply(wanted, check).warnings
        assert warning.startswith(f"{mine}: this file contains a site for shop.example, which server publishes too.")
