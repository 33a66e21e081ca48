# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One application's failure is its own: the others of the same run get what they were to get."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.pyhost.web.plugins.module_utils._errors import PyhostError
from ansible_collections.pyhost.web.plugins.module_utils._systemd import application_of
from ansible_collections.pyhost.web.plugins.module_utils._transaction import apart
from ansible_collections.pyhost.web.plugins.module_utils._transaction.run import Outcome
from ansible_collections.pyhost.web.plugins.module_utils._transaction.wish import Wish

GOOD = "processes 1\n"
COMMAND = ("adopt", "FOLDERS")


def _unit(name: str) -> str:
    return f"pyhost-{name}.service"


def back_end(host: t.Any, **apps: str) -> Wish:
    """Return the wish of a back end: what the unit of each application says."""
    files = {
        f"etc/systemd/system/{_unit(name)}": {"content": text, "unit": _unit(name), "verb": "restart"}
        for name, text in apps.items()
    }
    wanted: Wish = host.wish(files, tuple(map(_unit, apps)), "backend", test=None)
    entries = tuple(replace(entry, applications=(str(application_of(str(entry.unit))),)) for entry in wanted.entries)
    return replace(wanted, entries=entries)


def apply(host: t.Any, wish: Wish) -> tuple[Outcome, dict[str, str]]:
    """Run a transaction."""
    host.calls.clear()
    return apart.run(host, host.state, wish)


def _text(host: t.Any, name: str) -> str:
    return str((host.system / _unit(name)).read_text(encoding="utf-8"))


@pytest.mark.parametrize("failure", ["DIES", "CRASHES", "HANGS"])
def test_one_that_does_not_start_stays_as_it_was(host: t.Any, failure: str) -> None:
    apply(host, back_end(host, shop=GOOD, blog=GOOD, gone=GOOD))
    wanted = back_end(host, shop=f"{failure}\n", blog="processes 2\n", wiki=GOOD)
    outcome, failures = apply(host, wanted)
    assert list(failures) == ["shop"]
    assert failures["shop"].startswith("application shop: ")
    assert f"words of {_unit('shop')} in the journal" in failures["shop"]
    # Changed, added and removed.
    assert (_text(host, "shop"), _text(host, "blog"), _text(host, "wiki")) == (GOOD, "processes 2\n", GOOD)
    assert not (host.system / _unit("gone")).exists()
    assert host.units()[_unit("gone")].active == "inactive"
    assert outcome.changed
    assert host.litter() == []
    running, current = host.running(), host.current()
    assert {_unit(name): current[_unit(name)] for name in ("shop", "blog", "wiki")}.items() <= running.items()
    # The next run has nothing left to do but for the one that failed, and cures it once the cause is gone.
    outcome, failures = apply(host, wanted)
    assert (list(failures), outcome.changed) == (["shop"], False)
    outcome, failures = apply(host, back_end(host, shop="processes 3\n", blog="processes 2\n", wiki=GOOD))
    assert (failures, outcome.units) == ({}, {_unit("shop"): "restart"})
    assert _text(host, "shop") == "processes 3\n"


def test_several_that_fail_are_told_at_once(host: t.Any) -> None:
    apply(host, back_end(host, shop=GOOD))
    _outcome, failures = apply(host, back_end(host, shop="DIES\n", blog="DIES\n", wiki=GOOD))
    assert sorted(failures) == ["blog", "shop"]
    assert (_text(host, "shop"), _text(host, "wiki")) == (GOOD, GOOD)
    assert not (host.system / _unit("blog")).exists()
    assert host.litter() == []


def test_what_fails_for_all_is_nobody_s_failure(host: t.Any) -> None:
    apply(host, back_end(host, shop=GOOD, blog=GOOD))
    wanted = back_end(host, shop="DIES\n", blog="new\n")
    command = replace(wanted.entries[0], path=str(host.root / "etc/all.conf"), unit=None, verb=None, applications=())
    command = replace(command, content="NONSENSE\n", command=(COMMAND[0], str(host.root / "etc/all.conf")))
    with pytest.raises(PyhostError, match="nonsense") as caught:
        apply(host, replace(wanted, entries=(*wanted.entries, command)))
    assert "application" not in caught.value.details
    assert (_text(host, "shop"), _text(host, "blog")) == (GOOD, GOOD)


def test_a_command_of_one_application_is_its_own(host: t.Any) -> None:
    """As systemd-tmpfiles for folders inside its data folder, in whose place it may have put a link."""
    wanted = back_end(host, shop=GOOD, blog=GOOD)
    path = str(host.root / "etc/shop.conf")
    folders = replace(
        wanted.entries[0], path=path, unit=None, verb=None, content="NONSENSE\n", command=(COMMAND[0], path)
    )
    _outcome, failures = apply(host, replace(wanted, entries=(*wanted.entries, folders)))
    assert list(failures) == ["shop"]
    assert "nonsense" in failures["shop"]
    assert _text(host, "blog") == GOOD


def test_nobody_touches_a_neighbour_that_was_broken_before(host: t.Any) -> None:
    """Its files are gone, or its database: what changes for others is not rolled back for it."""
    apply(host, back_end(host, shop=GOOD, blog="CRASHES at times\n".replace("CRASHES", "good")))
    host.change_unit(_unit("blog"), active="failed", loaded={})
    show = host._systemctl

    def fails(verb: str, names: list[str], units: dict[str, t.Any]) -> tuple[int, str]:
        result = show(verb, names, units)
        if _unit("blog") in names and verb.startswith(("start", "restart")):
            units[_unit("blog")].active = "failed"
        return t.cast("tuple[int, str]", result)

    host._systemctl = fails
    outcome, failures = apply(host, back_end(host, shop="new\n", blog="good at times\n", wiki=GOOD))
    assert failures == {}
    assert (_text(host, "shop"), _text(host, "wiki")) == ("new\n", GOOD)
    (warning,) = outcome.warnings
    assert warning.startswith(f"{_unit('blog')} was failing before this run and still is")
    assert f"words of {_unit('blog')} in the journal" in warning
    # Nor does it keep a failure of another one from being rolled back.
    _outcome, failures = apply(host, back_end(host, shop="DIES\n", blog="good at times\n", wiki="new\n"))
    assert list(failures) == ["shop"]
    assert "not active" not in failures["shop"]
    assert (_text(host, "shop"), _text(host, "wiki")) == ("new\n", "new\n")
    # Where the cause has gone, the next run starts it.
    host._systemctl = show
    outcome, failures = apply(host, back_end(host, shop="new\n", blog="good at times\n", wiki="new\n"))
    assert (failures, outcome.warnings, outcome.units) == ({}, [], {_unit("blog"): "start"})
    assert host.units()[_unit("blog")].active == "active"


def _socket(host: t.Any, component: str, name: str, port: str, kept: tuple[str, ...] = ()) -> Wish:
    unit = f"pyhost-{name}.socket"
    text = f"PORT of {port}\nListenStream=192.0.2.1:{port}\n"
    files = {f"etc/systemd/system/{unit}": {"content": text, "unit": unit, "verb": "restart"}}
    wanted: Wish = host.wish(files, (unit,), component, test=None, take=True, keep_units=frozenset(kept))
    return wanted


@pytest.mark.parametrize("fails", [False, True])
def test_a_port_that_moves_to_an_application_of_another_back_end(host: t.Any, fails: bool) -> None:
    """Who has it lets it go before the other one takes it, and has it again if that one fails."""
    shop, blog = "pyhost-shop.socket", "pyhost-blog.socket"
    apply(host, _socket(host, "backend_flup", "shop", "1000"))
    wanted = _socket(host, "backend_uwsgi", "blog", "1000", (shop, blog))
    if fails:
        entries = [replace(entry, content=f"DIES\n{entry.content}") for entry in wanted.entries]
        with pytest.raises(PyhostError, match=f"systemctl start {blog} failed"):
            apply(host, replace(wanted, entries=tuple(entries)))
        assert host.units()[shop].active == "active"
        return
    apply(host, wanted)
    assert [host.units()[unit].active for unit in (blog, shop)] == ["active", "inactive"]
    # The fake's port is one for all.
    moved = _socket(host, "backend_flup", "shop", "1001", (shop, blog))
    moved = replace(moved, entries=tuple(replace(entry, content=entry.content[8:]) for entry in moved.entries))
    apply(host, moved)
    assert [host.units()[unit].active for unit in (blog, shop)] == ["active", "active"]
    assert not apply(host, moved)[0].changed


def test_a_port_of_somebody_who_stays_is_not_taken(host: t.Any) -> None:
    apply(host, _socket(host, "backend_flup", "shop", "1000"))
    with pytest.raises(PyhostError, match=r"systemctl start pyhost-blog\.socket failed"):
        apply(host, _socket(host, "backend_uwsgi", "blog", "1000"))
    assert host.units()["pyhost-shop.socket"].active == "active"
