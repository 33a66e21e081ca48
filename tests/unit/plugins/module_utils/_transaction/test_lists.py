# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two lists for one component of a host: that of the playbook site, and that of a role alone."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.pyhost.web.plugins.module_utils._errors import PyhostError

from tests.unit.plugins.module_utils._transaction.wishes import GENERATION, MAIN, RIVAL, RIVALS, SERVER


def sites(host: t.Any, *apps: str, **options: t.Any) -> t.Any:
    """Return the wish of a list with these applications, each in a file of its own."""
    files = {f"etc/server/sites/{app}.conf": f"# application {app}\n" for app in apps}
    return host.wish({MAIN: "include sites/*\n", GENERATION: " ".join(apps), **files}, **options)


def one_file(host: t.Any, *apps: str, **options: t.Any) -> t.Any:
    """Return the same for a server that has them all in one file."""
    text = "".join(f"# application {app}\n" for app in apps)
    return host.wish({MAIN: f"include sites/*\n{text}", GENERATION: " ".join(apps)}, **options)


Sites = t.Callable[..., t.Any]


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("made", [sites, one_file])
@pytest.mark.parametrize(("first", "second"), [("site", "own"), ("own", "site")])
def test_a_list_removes_nothing_of_another_one(host: t.Any, made: Sites, first: str, second: str, check: bool) -> None:
    host.apply(made(host, "shop", "blog", "wiki", origin=first))
    before = host.tree(everything=True)
    with pytest.raises(PyhostError) as caught:
        host.apply(made(host, "wiki", "forum", origin=second), check)
    assert str(caught.value) == (
        f"server: this run would remove blog, shop, which the list '{first}' set up on this host. The list of this run"
        f" is '{second}'. Nothing was changed. To keep these applications, add them to '{second}'. To remove them, run"
        f" once with `-e server_list={first}`."
    )
    assert {name: seen for name, seen in host.tree(everything=True).items() if ".lock" not in name} == {
        name: seen for name, seen in before.items() if ".lock" not in name
    }


@pytest.mark.parametrize("made", [sites, one_file])
def test_a_list_that_has_them_all_takes_over(host: t.Any, made: Sites) -> None:
    host.apply(made(host, "shop", origin="own"))
    outcome = host.apply(made(host, "shop", "blog", origin="site"))
    assert outcome.warnings == ["server: the list on this host changes from 'own' to 'site'."]
    assert not host.apply(made(host, "shop", "blog", origin="site")).changed
    # It is this list's by now.
    assert host.apply(made(host, "blog", origin="site")).changed
    assert "remove blog" in str(host.refuse(made(host, "shop", origin="own")))


def test_what_the_message_advises_removes_them(host: t.Any) -> None:
    host.apply(sites(host, "shop", origin="site"))
    host.apply(sites(host, "blog", origin="site"))
    assert host.apply(sites(host, "blog", origin="own")).warnings


def test_what_no_list_has_set_up_can_go(host: t.Any) -> None:
    host.apply(sites(host, "shop"))
    assert host.apply(sites(host, "blog", origin="site")).changed


def test_a_server_replaces_only_one_that_publishes_the_same(host: t.Any) -> None:
    host.apply(sites(host, "shop", origin="site"))
    rival: dict[str, t.Any] = {"units": (RIVAL,), "part": "rival", "replaces": frozenset({"server"}), "origin": "own"}
    words = str(host.refuse(host.wish(RIVALS, **rival)))
    assert words.startswith("server: this run would remove shop, which the list 'site' set up")
    assert "-e rival_list=site" in words
    assert SERVER in host.running()
    host.apply(host.wish({**RIVALS, "etc/rival/sites.conf": "# application shop\n"}, **rival))
    assert RIVAL in host.running()


def test_one_run_does_not_remove_what_it_has_set_up(host: t.Any) -> None:
    host.apply(sites(host, "shop", origin="own", run="1"))
    # As for its certificates.
    assert not host.apply(sites(host, "shop", origin="own", run="1")).changed
    assert str(host.refuse(sites(host, "blog", origin="own", run="1"))) == (
        "server: this run would remove shop, which an earlier task of this run set up. Nothing was changed. server"
        " removes applications that its list does not contain. Call the role once for each host, with all applications"
        " in one list."
    )
    assert host.apply(sites(host, "blog", origin="own", run="2")).changed
