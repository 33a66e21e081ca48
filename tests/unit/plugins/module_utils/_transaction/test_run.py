# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every step of a transaction that comes to its end."""

from __future__ import annotations

import dataclasses
import fcntl
import typing as t
from pathlib import Path

import pytest
from ansible_collections.pyhost.web.plugins.module_utils._errors import PyhostError
from ansible_collections.pyhost.web.plugins.module_utils._transaction import service
from ansible_collections.pyhost.web.plugins.module_utils._transaction.wish import Probe

from tests.unit.plugins.module_utils._transaction.wishes import (
    BLOG,
    DEFAULT,
    GENERATION,
    MAIN,
    RIVAL,
    RIVALS,
    SERVER,
    SHOP,
    SITES,
    STOCK,
    holder,
    in_order,
    new,
    old,
    rival,
    unit,
)

# Compare, and do nothing where there is nothing to do


def test_first_run_puts_all_in_service(host: t.Any) -> None:
    outcome = host.apply(old(host))
    assert outcome.changed and outcome.tested
    assert outcome.units == {SERVER: "reload", SHOP: "start"}
    assert host.tree()["etc/pyhost/shop.env"] == (0o600, "KEY=1\n")
    assert host.tree()["etc/server/link.conf"] == "-> main.conf"
    assert DEFAULT not in host.tree()
    assert host.running()[SHOP][0]
    in_order(host)


@pytest.mark.parametrize("check", [False, True])
def test_second_run_does_nothing(host: t.Any, check: bool) -> None:
    host.apply(old(host))
    before = host.tree(everything=True)
    outcome = host.apply(old(host), check)
    assert not outcome.changed
    assert (outcome.units, outcome.commands, outcome.changes, host.calls) == ({}, [], [], [])
    assert host.tree(everything=True) == before


@pytest.mark.parametrize("after", [None, old])
def test_check_mode_tells_all_and_writes_nothing(host: t.Any, after: t.Callable[[t.Any], t.Any] | None) -> None:
    if after:
        host.apply(after(host))
    before, units = host.tree(everything=True), host.units()
    foretold = host.apply(new(host), check=True)
    assert host.tree(everything=True) == before
    assert (host.units(), host.calls) == (units, [])
    done = host.apply(new(host))
    assert foretold == done


PAIR = {"pyhost/tls/shop.invalid/fullchain.pem", "pyhost/tls/shop.invalid/privkey.pem"}


@pytest.mark.parametrize(
    ("needs", "shown"),
    [
        ({"certificates": ("shop.invalid",)}, PAIR),
        ({"accounts": ("shop-of-nobody",)}, {"passwd", "group"}),
        ({"certificates": ("shop.invalid",), "accounts": ("shop-of-nobody", "root")}, {*PAIR, "passwd", "group"}),
        ({"accounts": ("root",)}, set()),
    ],
)
def test_in_check_mode_the_test_sees_a_stand_in_for_what_is_yet_to_come(
    host: t.Any, needs: dict[str, t.Any], shown: set[str]
) -> None:
    wanted = old(host)
    wanted = dataclasses.replace(wanted, test=dataclasses.replace(wanted.test, **needs))
    assert host.apply(wanted, check=True).tested
    assert host.shown == shown
    # By then it is there; what is not shall be an error.
    assert host.apply(wanted).tested
    assert host.shown == set()


def test_in_check_mode_nothing_is_tested_by_a_server_that_is_yet_to_come(host: t.Any) -> None:
    wanted = host.wish({MAIN: "SYNTAX\n"})
    wanted = dataclasses.replace(wanted, test=dataclasses.replace(wanted.test, awaits=("server-module",)))
    outcome = host.apply(wanted, check=True)
    assert (outcome.changed, outcome.tested) == (True, False)
    assert "bad word" in str(host.refuse(wanted))


def test_check_mode_knows_that_users_are_yet_to_come(host: t.Any) -> None:
    files = {MAIN: {"content": "x\n", "owner": "nobody-has-this-name"}}
    assert host.apply(host.wish(files), check=True).changed
    assert str(host.refuse(host.wish(files))) == (
        "files[0].owner: 'nobody-has-this-name' does not exist on this host. Create it in an earlier task."
    )


def test_check_mode_without_the_server(host: t.Any) -> None:
    host.commands.clear()
    outcome = host.apply(new(host), check=True)
    assert outcome.changed and not outcome.tested
    assert "this host has no servertest" in str(host.refuse(new(host)))


# What each change asks of a unit

BASE = {
    "reload.conf": {"content": "1", "unit": SHOP, "verb": "reload"},
    "restart.conf": {"content": "1", "unit": SHOP, "verb": "restart"},
    "quiet.conf": "1",
    **unit(SHOP),
}
SOCKET = "pyhost-shop.socket"


@pytest.mark.parametrize(
    ("changes", "calls"),
    [
        ({}, []),
        ({"quiet.conf": "2"}, []),
        ({"reload.conf": "2"}, [f"systemctl reload {SHOP}"]),
        ({"reload.conf": {"mode": "0640"}}, [f"systemctl reload {SHOP}"]),
        ({"reload.conf": None}, [f"systemctl reload {SHOP}"]),
        ({"restart.conf": "2"}, [f"systemctl restart {SHOP}"]),
        ({"restart.conf": "2", "reload.conf": "2"}, [f"systemctl restart {SHOP}"]),
        (unit(SHOP, "other\n"), ["systemctl daemon-reload", f"systemctl restart {SHOP}"]),
        (unit(SHOP, "other\n", "reload"), ["systemctl daemon-reload", f"systemctl restart {SHOP}"]),
    ],
)
def test_a_unit_does_just_what_its_files_ask(host: t.Any, changes: dict[str, t.Any], calls: list[str]) -> None:
    host.apply(host.wish(BASE, (SHOP,)))
    files: dict[str, t.Any] = {}
    for name, given in {**BASE, **changes}.items():
        base = BASE[name] if isinstance(BASE[name], dict) else {}
        values = given if isinstance(given, dict) else {"content": given}
        if name not in changes or given is not None:
            files[name] = {**base, **values}
    outcome = host.apply(host.wish(files, (SHOP,)))
    assert outcome.changed == bool(changes)
    assert host.calls == calls


def test_a_socket_is_restarted_around_its_service(host: t.Any) -> None:
    files = {**unit(SHOP), **unit(SOCKET)}
    host.apply(host.wish(files, (SHOP, SOCKET)))
    assert host.calls[-2:] == [f"systemctl start {SOCKET}", f"systemctl start {SHOP}"]
    host.apply(host.wish({**files, **unit(SOCKET, "other\n")}, (SHOP, SOCKET)))
    assert host.calls == [
        "systemctl daemon-reload",
        f"systemctl stop {SHOP} {SOCKET}",
        f"systemctl start {SOCKET}",
        f"systemctl start {SHOP}",
    ]


@pytest.mark.parametrize(
    ("state", "calls"),
    [
        ({"active": "inactive"}, ["start --no-block"]),
        ({"active": "failed"}, ["reset-failed", "start --no-block"]),
        ({"enabled": False}, ["enable"]),
        ({"active": "inactive", "masked": True, "enabled": False}, ["unmask", "enable", "start --no-block"]),
    ],
)
def test_a_wanted_unit_is_enabled_and_up(host: t.Any, state: dict[str, t.Any], calls: list[str]) -> None:
    host.apply(old(host))
    host.change_unit(SHOP, **state)
    outcome = host.apply(old(host))
    assert outcome.changed and outcome.units == {SHOP: "start"}
    assert host.calls == [f"systemctl {verb} {SHOP}" for verb in calls]
    in_order(host)


def test_somebody_elses_unit_that_is_down_stays_down(host: t.Any) -> None:
    host.change_unit(SERVER, active="inactive")
    assert host.apply(host.wish({MAIN: "x"}, ())).units == {}
    assert host.calls == []


def test_many_units_need_one_call(host: t.Any) -> None:
    names = [f"pyhost-{number:03}.service" for number in range(100)]
    files: dict[str, t.Any] = {}
    for name in names:
        files |= unit(name)
    host.apply(host.wish(files, tuple(names)))
    assert host.calls == [f"systemctl enable {' '.join(names)}", f"systemctl start {' '.join(names)}"]


def test_a_command_runs_before_units_and_only_when_its_file_changed(host: t.Any) -> None:
    host.apply(old(host))
    first = [call.split()[0] for call in host.calls]
    assert first.index("adopt") < first.index("systemctl", 1)
    assert host.apply(new(host)).commands == [["adopt", str(host.root / "etc/users/pyhost.conf")]]
    assert host.apply(new(host)).commands == []


def test_a_lost_reload_is_made_up_for(host: t.Any) -> None:
    host.apply(old(host))
    manifest = host.state / "server.json"
    text = manifest.read_text(encoding="utf-8")
    digest = text.split('"reload": {')[1].split('"')[3]
    manifest.write_text(text.replace(digest, "another"), encoding="utf-8")
    outcome = host.apply(old(host))
    assert (outcome.changes, outcome.units) == ([], {SERVER: "reload"})


def test_what_somebody_changed_is_put_right(host: t.Any) -> None:
    host.apply(old(host))
    wanted = host.tree()
    (host.root / MAIN).write_text("tampered\n", encoding="utf-8")
    (host.root / GENERATION).unlink()
    (host.root / "etc/server/sites/shop.conf").chmod(0o600)
    (host.root / DEFAULT).symlink_to("../stock-site")
    assert host.apply(old(host)).units == {SERVER: "reload"}
    assert host.tree() == wanted
    in_order(host)


# What is no longer wanted


def test_what_is_no_longer_wanted_goes(host: t.Any) -> None:
    host.apply(old(host))
    outcome = host.apply(new(host))
    assert outcome.units == {SERVER: "reload", BLOG: "start", SHOP: "stop"}
    for name in ("etc/server/sites/gone.conf", "etc/pyhost/shop.env", "etc/pyhost", f"etc/systemd/system/{SHOP}"):
        assert name not in host.tree()
    assert SHOP not in host.running()
    in_order(host)


def test_the_last_run_leaves_the_distributions_files(host: t.Any) -> None:
    before, units = host.tree(), host.running()
    host.apply(host.wish({name: given for name, given in SITES.items() if name != "etc/users/pyhost.conf"}, ()))
    assert host.tree()[MAIN] == (0o644, "include sites/*\n")
    host.apply(host.wish({}, ()))
    assert host.tree() == before
    assert host.running().keys() == units.keys()
    assert list(host.state.glob("*.original")) == []


def test_units_stop_before_their_files_go(host: t.Any) -> None:
    host.apply(host.wish({**unit(SHOP), **unit(SOCKET)}, (SOCKET,)))
    host.change_unit(SHOP, active="active")
    host.apply(host.wish({}, ()))
    assert host.calls[:2] == [f"systemctl disable --now {SOCKET}", f"systemctl stop {SHOP}"]
    assert host.running().keys() == {SERVER}


def test_our_own_file_is_no_original_although_the_manifest_is_lost(host: t.Any) -> None:
    text = "# Managed by Ansible (pyhost.web): changes here are lost\n"
    host.apply(host.wish({"etc/server/a.conf": text}))
    (host.state / "server.json").unlink()
    host.apply(host.wish({"etc/server/a.conf": text + "more\n"}))
    host.apply(host.wish({}))
    assert "etc/server/a.conf" not in host.tree()


# Two parts

MOVING = {**unit(SHOP), "etc/pyhost/shop.env": {"content": "KEY=1\n", "unit": SHOP, "verb": "restart"}}


def test_a_path_has_one_owner(host: t.Any) -> None:
    host.apply(host.wish(MOVING, (SHOP,), "one"))
    before = host.tree()
    assert str(host.refuse(host.wish(MOVING, (SHOP,), "two"))).splitlines() == [
        f"files[0]: {host.system / SHOP} belongs to one. Remove it here, or move it here with `take: true`.",
        f"files[1]: {host.root}/etc/pyhost/shop.env belongs to one. Remove it here, or move it here with `take: true`.",
        f"units: {SHOP} belongs to one. Remove it here, or move it here with `take: true`.",
    ]
    assert host.tree() == before


@pytest.mark.parametrize("order", ["giver first", "taker first"])
def test_a_unit_moves_to_another_part_without_a_stop(host: t.Any, order: str) -> None:
    host.apply(host.wish({**MOVING, "etc/pyhost/one": "1", MAIN: "one\n"}, (SHOP,), "one"))
    gives = host.wish(
        {"etc/pyhost/one": "1"},
        (),
        "one",
        keep_units=frozenset({SHOP}),
        keep=frozenset(str(host.root / name) for name in (*MOVING, MAIN)),
    )
    takes = host.wish({**MOVING, **unit(SHOP, "other\n"), MAIN: "two\n"}, (SHOP,), "two", take=True)
    calls = []
    for wanted in (gives, takes) if order == "giver first" else (takes, gives):
        host.apply(wanted)
        calls += host.calls
    assert calls == ["systemctl daemon-reload", f"systemctl restart {SHOP}", f"systemctl reload {SERVER}"]
    for wanted in (gives, takes):
        assert not host.apply(wanted).changed
    # What had been there before both is still known.
    host.apply(host.wish({}, (), "two"))
    assert host.tree()[MAIN] == (0o640, STOCK)
    assert "etc/pyhost/one" in host.tree()
    in_order(host)


OWN = "etc/pyhost/uwsgi/shop.ini"
LISTENER = "pyhost-shop.socket"


@pytest.mark.parametrize("order", ["giver first", "taker first"])
def test_a_unit_takes_its_files_along(host: t.Any, order: str) -> None:
    ini = {OWN: {"content": "ini\n", "unit": SHOP, "verb": "restart"}}
    host.apply(host.wish({**MOVING, **unit(LISTENER), **ini}, (LISTENER, SHOP), "one"))
    gives = host.wish({}, (), "one", keep_units=frozenset({SHOP, LISTENER}))
    takes = host.wish({**MOVING, **unit(LISTENER), **unit(SHOP, "other\n")}, (LISTENER, SHOP), "two", take=True)
    if order == "giver first":
        host.apply(gives)
        # Until somebody takes it, it can start again.
        assert host.tree()[OWN] == (0o644, "ini\n")
    host.apply(takes)
    # The socket is the same as before, so nobody's connection is refused.
    assert host.calls == ["systemctl daemon-reload", f"systemctl restart {SHOP}"]
    assert "etc/pyhost/uwsgi" not in {str(Path(name).parent) for name in host.tree()}
    assert not (host.root / OWN).parent.exists()
    for wanted in (gives, takes):
        assert not host.apply(wanted).changed
    assert host.litter() == []


def test_a_unit_that_does_not_come_up_elsewhere_stays_where_it_was(host: t.Any) -> None:
    ini = {OWN: {"content": "ini\n", "unit": SHOP, "verb": "restart"}}
    host.apply(host.wish({**MOVING, **ini}, (SHOP,), "one"))
    before = host.tree()
    host.apply(host.wish({}, (), "one", keep_units=frozenset({SHOP})))
    host.refuse(host.wish({**MOVING, **unit(SHOP, "DIES\n")}, (SHOP,), "two", take=True))
    assert host.tree() == before
    assert host.running()[SHOP] == host.current()[SHOP]
    assert host.litter() == []


# What nobody needs once another component is active


def test_what_has_no_use_any_more_goes_last(host: t.Any) -> None:
    stock = host.tree()
    script = {"etc/script": {"content": "script\n"}}
    ini = {OWN: {"content": "ini\n", "unit": SHOP, "verb": "restart"}}
    host.apply(host.wish({**MOVING, **ini, **script}, (SHOP,), "one"))
    before, running = host.tree(), host.running()
    retire = frozenset({SHOP, str(host.root / "etc/script"), "nothing.service", "/nothing"})
    refused = host.wish({MAIN: "SYNTAX\n"}, (SERVER,), "two", retire=retire)
    host.refuse(refused)
    assert (host.tree(), host.running()) == (before, running)
    two = host.wish({MAIN: "1\n"}, (SERVER,), "two", retire=retire)
    assert host.apply(two).units == {SERVER: "reload", SHOP: "stop"}
    assert host.calls.index(f"systemctl reload {SERVER}") < host.calls.index(f"systemctl disable --now {SHOP}")
    assert host.running().keys() == {SERVER}
    assert not host.units()[SHOP].enabled
    assert host.tree().keys() - {MAIN} == stock.keys() - {MAIN}
    assert not host.apply(two).changed
    # The part that had it wants it again.
    host.apply(host.wish({**MOVING, **ini, **script}, (SHOP,), "one"))
    assert host.running().keys() == {SERVER, SHOP}


# One server for another


def test_a_server_gives_way_to_another_one(host: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "UNIT_FOLDERS", (f"{host.system}/",))
    stock = host.tree()
    host.apply(holder(host))
    before = host.tree()
    foretold = host.apply(rival(host), check=True)
    outcome = host.apply(rival(host))
    assert foretold == outcome
    assert outcome.units == {RIVAL: "start", SERVER: "stop", SHOP: "stop"}
    # Nothing that takes time lies between the stop and the start.
    both = f"{SHOP} {SERVER}"
    assert host.calls == [
        f"systemctl enable {RIVAL}",
        f"systemctl stop {both}",
        f"systemctl start {RIVAL}",
        f"systemctl disable --now {both}",
        "systemctl daemon-reload",
    ]
    own = {"etc/rival/main.conf", "etc/rival/generation", "etc/shared.conf", "var/lib/pyhost", "etc/adopted"}
    assert {name: found for name, found in host.tree().items() if name not in own} == {
        name: found for name, found in stock.items() if name not in own
    }
    assert host.running().keys() == {RIVAL}
    assert not host.units()[SERVER].enabled
    assert [path.name for path in host.state.iterdir() if path.suffix] == ["rival.json", "rival.original"]
    in_order(host)
    assert not host.apply(rival(host)).changed
    host.apply(holder(host))
    assert host.tree() == before
    assert host.running().keys() == {SERVER, SHOP}
    in_order(host)


def test_somebody_elses_server_is_not_replaced(host: t.Any) -> None:
    (host.root / MAIN).write_text("PORT\n", encoding="utf-8")
    host.change_unit(SERVER, loaded={MAIN: "PORT\n"})
    before = host.tree(), host.units()[SERVER]
    assert f"systemctl start {RIVAL} failed" in str(host.refuse(rival(host)))
    assert (host.tree(), host.units()[SERVER]) == before


@pytest.mark.parametrize(
    "files",
    [
        {"main": "SYNTAX\n"},
        {"main": "PORT DIES\n"},
        {"main": "PORT CRASHES\n"},
        {"main": "PORT HANGS\n"},
    ],
)
@pytest.mark.parametrize("namespaces", [True, False], ids=["staged", "live"])
@pytest.mark.parametrize("enabled", [True, False])
def test_a_server_that_does_not_come_up_replaces_nobody(
    host: t.Any, files: dict[str, str], namespaces: bool, enabled: bool
) -> None:
    host.namespaces = namespaces
    host.apply(holder(host))
    host.change_unit(SERVER, enabled=enabled)
    before, running = host.tree(), host.running()
    assert "rival" in str(host.refuse(rival(host, **files)))
    assert (host.tree(), host.running()) == (before, running)
    in_order(host)
    host.apply(rival(host))
    assert host.running().keys() == {RIVAL}
    in_order(host)


def test_a_server_that_answers_another_generation_replaces_nobody(host: t.Any) -> None:
    host.apply(holder(host))
    before, running = host.tree(), host.running()
    deaf = host.wish(
        {**RIVALS, "etc/rival/generation": "3"},
        (RIVAL,),
        "rival",
        replaces=frozenset({"server"}),
        probe=Probe("http://127.0.0.1/", "4", "generation.invalid", 3),
    )
    assert "(expected generation 4). Check that the front end listens there. Last answer: 3" in str(host.refuse(deaf))
    assert (host.tree(), host.running()) == (before, running)
    in_order(host)


def test_a_replaced_server_whose_package_is_gone(host: t.Any) -> None:
    host.apply(holder(host))
    host.change_unit(SERVER, active="inactive", enabled=False, loaded={})
    (host.system / SERVER).unlink()
    host.apply(rival(host))
    assert host.running().keys() == {RIVAL}
    assert [path.name for path in host.state.iterdir() if path.suffix] == ["rival.json", "rival.original"]


# Links that follow


def test_a_link_follows_another_one(host: t.Any) -> None:
    app = host.root / "srv/shop"
    (app / "releases").mkdir(parents=True)
    files = {
        **unit(SHOP),
        "srv/shop/current": {"follow": str(app / "next"), "unit": SHOP, "verb": "reload"},
        "etc/release": {"follow": str(app / "next")},
    }
    assert str(host.refuse(host.wish(files, (SHOP,)))).startswith(f"files[1].follow: {app}/next is not a symbolic link")
    assert host.apply(host.wish(files, (SHOP,)), check=True).changed
    (app / "next").symlink_to("releases/1")
    host.apply(host.wish(files, (SHOP,)))
    (app / "next").unlink()
    (app / "next").symlink_to("releases/2")
    assert host.apply(host.wish(files, (SHOP,))).units == {SHOP: "reload"}
    assert host.tree()["srv/shop/current"] == "-> releases/2"
    assert host.tree()["etc/release"] == f"-> {app}/releases/2"


@pytest.mark.parametrize("check", [False, True])
def test_runs_wait_for_each_other(host: t.Any, check: bool) -> None:
    host.apply(old(host))
    before = host.time
    with (host.state / ".lock").open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(PyhostError, match=r"another run has held \S+/\.lock for more than 120 seconds. Wait"):
            host.apply(new(host), check)
    assert 120 < host.time - before < 125
    host.apply(new(host))
