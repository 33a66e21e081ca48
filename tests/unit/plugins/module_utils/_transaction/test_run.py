# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every step of a transaction, and every way in which one can end."""

from __future__ import annotations

import fcntl
import shutil
import typing as t
from pathlib import Path

import pytest
from ansible_collections.pyhost.web.plugins.module_utils._errors import PyhostError
from ansible_collections.pyhost.web.plugins.module_utils._transaction import service
from ansible_collections.pyhost.web.plugins.module_utils._transaction.wish import Probe

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


def test_check_mode_knows_that_users_are_yet_to_come(host: t.Any) -> None:
    files = {MAIN: {"content": "x\n", "owner": "nobody-has-this-name"}}
    assert host.apply(host.wish(files), check=True).changed
    assert str(host.refuse(host.wish(files))) == (
        "files[0].owner: 'nobody-has-this-name' does not exist on this host; make it in an earlier task")


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


@pytest.mark.parametrize(("changes", "calls"), [
    ({}, []),
    ({"quiet.conf": "2"}, []),
    ({"reload.conf": "2"}, [f"systemctl reload {SHOP}"]),
    ({"reload.conf": {"mode": "0640"}}, [f"systemctl reload {SHOP}"]),
    ({"reload.conf": None}, [f"systemctl reload {SHOP}"]),
    ({"restart.conf": "2"}, [f"systemctl restart {SHOP}"]),
    ({"restart.conf": "2", "reload.conf": "2"}, [f"systemctl restart {SHOP}"]),
    (unit(SHOP, "other\n"), ["systemctl daemon-reload", f"systemctl restart {SHOP}"]),
    (unit(SHOP, "other\n", "reload"), ["systemctl daemon-reload", f"systemctl restart {SHOP}"]),
])
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
        "systemctl daemon-reload", f"systemctl stop {SHOP} {SOCKET}", f"systemctl start {SOCKET}",
        f"systemctl start {SHOP}"]


@pytest.mark.parametrize(("state", "calls"), [
    ({"active": "inactive"}, ["start"]),
    ({"active": "failed"}, ["reset-failed", "start"]),
    ({"enabled": False}, ["enable"]),
    ({"active": "inactive", "masked": True, "enabled": False}, ["unmask", "enable", "start"]),
])
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
        f"files[0]: {host.system / SHOP} belongs to one; leave it to that component, or move it here with `take: true`",
        f"files[1]: {host.root}/etc/pyhost/shop.env belongs to one; "
        "leave it to that component, or move it here with `take: true`",
        f"units: {SHOP} belongs to one; leave it to that component, or move it here with `take: true`",
    ]
    assert host.tree() == before


@pytest.mark.parametrize("order", ["giver first", "taker first"])
def test_a_unit_moves_to_another_part_without_a_stop(host: t.Any, order: str) -> None:
    host.apply(host.wish({**MOVING, "etc/pyhost/one": "1", MAIN: "one\n"}, (SHOP,), "one"))
    gives = host.wish({"etc/pyhost/one": "1"}, (), "one", keep_units=frozenset({SHOP}),
                      keep=frozenset(str(host.root / name) for name in (*MOVING, MAIN)))
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

RIVAL = "rival.service"
HOLDS = {
    **SITES, MAIN: "PORT\n", "etc/shared.conf": "server's\n", f"etc/systemd/system/{SERVER}.d/own.conf": "limits\n"}
RIVALS = {"etc/rival/main.conf": "PORT\n", "etc/rival/generation": "3", "etc/shared.conf": "rival's\n"}


def holder(host: t.Any) -> t.Any:
    """Return the wish of the server that holds the port."""
    return host.wish(with_users(host, HOLDS), (SERVER, SHOP), replaces=frozenset({"rival"}))


def rival(host: t.Any, **files: t.Any) -> t.Any:
    """Return the wish of another one that takes over from it."""
    changed = {f"etc/rival/{name}.conf": content for name, content in files.items()}
    return host.wish({**RIVALS, **changed}, (RIVAL,), "rival", replaces=frozenset({"server", "nobody"}))


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
        f"systemctl enable {RIVAL}", f"systemctl stop {both}", f"systemctl start {RIVAL}",
        f"systemctl disable --now {both}", "systemctl daemon-reload"]
    own = {"etc/rival/main.conf", "etc/rival/generation", "etc/shared.conf", "var/lib/pyhost", "etc/adopted"}
    assert {name: found for name, found in host.tree().items() if name not in own} == {
        name: found for name, found in stock.items() if name not in own}
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
    assert f"systemctl start failed of {RIVAL}" in str(host.refuse(rival(host)))
    assert (host.tree(), host.units()[SERVER]) == before


@pytest.mark.parametrize("files", [
    {"main": "SYNTAX\n"}, {"main": "PORT DIES\n"}, {"main": "PORT CRASHES\n"}, {"main": "PORT HANGS\n"},
])
@pytest.mark.parametrize("namespaces", [True, False], ids=["staged", "live"])
@pytest.mark.parametrize("enabled", [True, False])
def test_a_server_that_does_not_come_up_replaces_nobody(
        host: t.Any, files: dict[str, str], namespaces: bool, enabled: bool) -> None:
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
    deaf = host.wish({**RIVALS, "etc/rival/generation": "3"}, (RIVAL,), "rival", replaces=frozenset({"server"}),
                     probe=Probe("http://127.0.0.1/", "4", "generation.invalid", 3))
    assert "did not answer the new generation 4 within 3 s; its last answer: 3" in str(host.refuse(deaf))
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
    files = {**unit(SHOP), "srv/shop/current": {"follow": str(app / "next"), "unit": SHOP, "verb": "reload"},
             "etc/release": {"follow": str(app / "next")}}
    assert str(host.refuse(host.wish(files, (SHOP,)))).startswith(f"files[1].follow: {app}/next is no symbolic link")
    assert host.apply(host.wish(files, (SHOP,)), check=True).changed
    (app / "next").symlink_to("releases/1")
    host.apply(host.wish(files, (SHOP,)))
    (app / "next").unlink()
    (app / "next").symlink_to("releases/2")
    assert host.apply(host.wish(files, (SHOP,))).units == {SHOP: "reload"}
    assert host.tree()["srv/shop/current"] == "-> releases/2"
    assert host.tree()["etc/release"] == f"-> {app}/releases/2"


# Failures: what the user reads, and that all is as it was

FAILURES: dict[str, tuple[dict[str, t.Any], str]] = {
    "test": ({"etc/server/more/blog.conf": "# application blog\n\nSYNTAX\n"},
             "application blog: servertest rejects the configuration: bad word in ETC/more/blog.conf:3"),
    "test output": ({MAIN: "WARNS\n"}, "servertest rejects the configuration: warning: unknown key"),
    "command": ({"etc/users/pyhost.conf": {"content": "NONSENSE\n", "command": ("adopt", "USERS")}},
                "adopt HOST/etc/users/pyhost.conf failed: HOST/etc/users/pyhost.conf:1: nonsense"),
    "start": (unit(BLOG, "DIES\n"),
              f"application blog: systemctl start failed of {BLOG}: Job for {BLOG} failed.\n"
              f"words of {BLOG} in the journal"),
    "reload": ({MAIN: "DIES\n"}, f"systemctl reload failed of {SERVER}: Job for {SERVER} failed.\n"
               f"words of {SERVER} in the journal"),
    "crash loop": (unit(BLOG, "CRASHES\n"), f"application blog: the start of {BLOG}: active (fake)\n"
                   f"words of {BLOG} in the journal"),
    "no end of the start": (unit(BLOG, "HANGS\n"), f"application blog: the start of {BLOG}: activating (fake)\n"
                            f"words of {BLOG} in the journal"),
    "probe": ({MAIN: "DEAF\n"}, "probe: http://127.0.0.1/ (Host: generation.invalid) did not answer the new "
              "generation 2 within 3 s; its last answer: 1"),
    "death after the reload": ({MAIN: "FALLS\n"},
                               f"the start of {SERVER}: failed (fake)\nwords of {SERVER} in the journal"),
    "unit without file": ({f"etc/systemd/system/{BLOG}": {"content": None}},
                          f"systemctl enable failed of {BLOG}: Unit {BLOG} not found."),
}


@pytest.mark.parametrize("namespaces", [True, False], ids=["staged", "live"])
@pytest.mark.parametrize("case", FAILURES)
def test_a_failure_leaves_all_as_it_was(host: t.Any, case: str, namespaces: bool) -> None:
    host.namespaces = namespaces
    host.apply(old(host))
    before, running = host.tree(), host.running()
    changes, words = FAILURES[case]
    error = host.refuse(host.wish(with_users(host, {**NEXT, **changes}), (SERVER, BLOG)))
    assert words.replace("ETC", str(host.etc)).replace("HOST", str(host.root)) in str(error)
    assert host.tree() == before
    assert host.running() == running
    in_order(host)
    assert not host.apply(old(host)).changed
    host.apply(new(host))
    in_order(host)


def test_a_refused_first_run_leaves_the_stock_server(host: t.Any) -> None:
    before, running = host.tree(), host.running()
    host.refuse(host.wish({**NEXT, MAIN: "DIES\n", DEFAULT: None}, (SERVER, BLOG)))
    assert host.tree() == before
    assert host.running().keys() == running.keys()
    assert list(host.state.glob("*.json")) == []
    assert host.litter() == []


def test_a_stock_server_that_was_masked_is_masked_again(host: t.Any) -> None:
    host.change_unit(SERVER, active="inactive", enabled=False, masked=True)
    before = host.units()[SERVER]
    host.refuse(host.wish({MAIN: "DIES\n"}))
    assert host.units()[SERVER] == before


def test_the_place_of_an_error_is_told(host: t.Any) -> None:
    sites = "# application shop\nx\n# application blog\nx\nSYNTAX\n# application other\n"
    assert host.refuse(host.wish({"etc/server/all.conf": sites})).details == {
        "file": str(host.etc / "all.conf"), "line": 5, "application": "blog"}


def test_old_files_that_do_not_start_either_are_told(host: t.Any) -> None:
    host.apply(old(host))
    host.change_unit(SHOP, active="inactive")
    (host.system / SHOP).write_text("DIES\n", encoding="utf-8")
    files = with_users(host, {**SITES, MAIN: "DIES\n", **unit(SHOP, "fine\n")})
    error = str(host.refuse(host.wish(files, (SERVER, SHOP))))
    assert "systemctl reload failed of server.service" in error
    assert f"The old files are restored, but not active: application shop: systemctl start failed of {SHOP}" in error
    assert host.litter() == []
    host.apply(old(host))
    in_order(host)


def test_a_path_through_a_link_out_of_the_folder_is_not_staged(host: t.Any, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (host.etc / "away").symlink_to(tmp_path / "elsewhere")
    host.refuse(host.wish({"etc/server/away/x.conf": "new\n", "etc/server/y.conf": "SYNTAX\n"}))
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_copies_of_an_interrupted_run_are_removed(host: t.Any, tmp_path: Path) -> None:
    left = tmp_path / "tmp/pyhost-staged-x/copy"
    left.mkdir(parents=True)
    host.apply(new(host))
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_folder_in_the_way_is_told(host: t.Any) -> None:
    (host.root / MAIN).unlink()
    (host.root / MAIN).mkdir()
    assert "is a folder, and should be a file or a symbolic link" in str(host.refuse(new(host)))


def test_a_damaged_manifest_is_told(host: t.Any) -> None:
    host.apply(old(host))
    (host.state / "server.json").write_text("{", encoding="utf-8")
    assert f"{host.state}/server.json: is damaged" in str(host.refuse(new(host)))


@pytest.mark.parametrize("check", [False, True])
def test_runs_wait_for_each_other(host: t.Any, check: bool) -> None:
    host.apply(old(host))
    before = host.time
    with (host.state / ".lock").open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(PyhostError, match=r"another run has held \S+/\.lock for more than 120 seconds; wait"):
            host.apply(new(host), check)
    assert 120 < host.time - before < 125
    host.apply(new(host))


# Killed, or out of space, at every point

def steps(host: t.Any, wanted: t.Any, how: str, reset: t.Callable[[], None]) -> t.Iterator[int]:
    """Yield the number of every step of a transaction, which has failed there; begin anew for each."""
    step = 1
    while True:
        reset()
        if host.fail_at(wanted, step, how) is None:
            break
        yield step
        step += 1
    assert step > 30, "the transaction has fewer steps than it can have"


@pytest.fixture
def reset_to(host: t.Any, tmp_path: Path) -> t.Callable[[t.Any], t.Callable[[], None]]:
    """Return what puts a wish in service and returns what brings the host back to there."""
    def begin(wanted: t.Any) -> t.Callable[[], None]:
        host.apply(wanted)
        saved = tmp_path / "saved"
        shutil.copytree(host.root, saved, symlinks=True)
        units = host.units()

        def bring_back() -> None:
            shutil.rmtree(host.root)
            shutil.copytree(saved, host.root, symlinks=True)
            host.save(units)

        return bring_back

    return begin


@pytest.fixture
def reset(host: t.Any, reset_to: t.Callable[[t.Any], t.Callable[[], None]]) -> t.Callable[[], None]:
    """Return what brings the host back to where it has the old files in service."""
    return reset_to(old(host))


def never_a_mix(host: t.Any, before: dict[str, t.Any], after: dict[str, t.Any]) -> None:
    """Check that whatever is at a path is the whole old or the whole new content."""
    for name, found in host.tree().items():
        if found != "folder" and not name.endswith((".pyhost-new", ".pyhost-old")) and name != "etc/adopted":
            assert found in (before.get(name), after.get(name)), name


@pytest.mark.parametrize("next_run", ["same", "same, live test", "back", "refused", "crashing"])
def test_killed_at_any_point(host: t.Any, reset: t.Callable[[], None], next_run: str) -> None:
    host.namespaces = "live" not in next_run
    before = host.tree()
    host.apply(new(host))
    after, running = host.tree(), host.running()
    for step in steps(host, new(host), "kill", reset):
        never_a_mix(host, before, after)
        if next_run in ("refused", "crashing"):
            text = "SYNTAX\n" if next_run == "refused" else "DIES\n"
            host.refuse(host.wish(with_users(host, {**NEXT, MAIN: text}), (SERVER, BLOG)))
            assert host.tree() in (before, after), step
            in_order(host)
        wanted = (old if next_run == "back" else new)(host)
        host.apply(wanted)
        assert host.tree() == (before if next_run == "back" else after), step
        if next_run != "back":
            assert host.running() == running, step
        in_order(host)
        assert not host.apply(wanted).changed, step


def test_killed_at_any_point_of_the_first_run(host: t.Any, tmp_path: Path) -> None:
    before, units = host.tree(), host.units()
    shutil.copytree(host.root, tmp_path / "saved", symlinks=True)

    def bring_back() -> None:
        shutil.rmtree(host.root)
        shutil.copytree(tmp_path / "saved", host.root, symlinks=True)
        host.save(units)

    host.apply(old(host))
    after = host.tree()
    for step in steps(host, old(host), "kill", bring_back):
        host.refuse(host.wish({MAIN: "SYNTAX\n"}))
        # What a command did is no file of ours; the folder of the manifests stays.
        left = {name: found for name, found in host.tree().items() if name not in ("etc/adopted", "var/lib/pyhost")}
        assert left == before or host.tree() == after, step
        assert host.litter() == []
        host.apply(old(host))
        assert host.tree() == after, step
        in_order(host)


def test_killed_again_while_it_recovers(host: t.Any, reset: t.Callable[[], None]) -> None:
    host.apply(new(host))
    after, running = host.tree(), host.running()
    for first in (15, 50):
        def begin(first: int = first) -> None:
            reset()
            assert host.fail_at(new(host), first, "kill") == "killed"

        for _ in steps(host, new(host), "kill", begin):
            host.apply(new(host))
            assert (host.tree(), host.running()) == (after, running)
            in_order(host)


def test_killed_while_it_rolls_back(host: t.Any, reset: t.Callable[[], None]) -> None:
    before = host.tree()
    crashing = host.wish(with_users(host, {**NEXT, MAIN: "DIES\n"}), (SERVER, BLOG))
    step = 1
    while True:
        reset()
        if host.fail_at(crashing, step, "kill") == "refused":
            break
        host.refuse(host.wish({MAIN: "SYNTAX\n"}))
        assert host.tree() == before, step
        in_order(host)
        step += 1
    assert step > 40


@pytest.mark.parametrize("next_run", ["same", "back", "refused", "another part"])
def test_killed_at_any_point_of_a_replacement(
        host: t.Any, reset_to: t.Callable[[t.Any], t.Callable[[], None]], next_run: str) -> None:
    reset = reset_to(holder(host))
    before = host.tree()
    host.apply(rival(host))
    after = host.tree()
    for step in steps(host, rival(host), "kill", reset):
        never_a_mix(host, before, after)
        if next_run == "refused":
            host.refuse(rival(host, main="SYNTAX\n"))
        elif next_run == "another part":
            host.apply(host.wish({"etc/other.conf": "1"}, (), "other"))
            host.apply(host.wish({}, (), "other"))
        if next_run in ("refused", "another part"):
            # Whoever comes next lets the one that was there answer again.
            assert host.tree() in (before, after), step
            assert host.running().keys() == ({SERVER, SHOP} if host.tree() == before else {RIVAL}), step
            in_order(host)
        wanted = (holder if next_run == "back" else rival)(host)
        host.apply(wanted)
        assert host.tree() == (before if next_run == "back" else after), step
        assert host.running().keys() == ({SERVER, SHOP} if next_run == "back" else {RIVAL}), step
        assert all(enabled for enabled, _loaded in host.running().values())
        in_order(host)
        assert not host.apply(wanted).changed, step


@pytest.mark.parametrize("how", ["full", "fuller"])
def test_disk_full_at_any_point_of_a_replacement(
        host: t.Any, reset_to: t.Callable[[t.Any], t.Callable[[], None]], how: str) -> None:
    reset = reset_to(holder(host))
    before = host.tree()
    host.apply(rival(host))
    after = host.tree()
    for step in steps(host, rival(host), how, reset):
        in_order(host)
        assert host.tree() in (before, after), step
        assert host.running().keys() == ({SERVER, SHOP} if host.tree() == before else {RIVAL}), step
        host.apply(rival(host))
        assert host.tree() == after, step


@pytest.mark.parametrize("how", ["full", "fuller"])
def test_disk_full_at_any_point(host: t.Any, reset: t.Callable[[], None], how: str) -> None:
    before, running = host.tree(), host.running()
    host.apply(new(host))
    after = host.tree()
    for step in steps(host, new(host), how, reset):
        in_order(host)
        assert host.tree() in (before, after), step
        if host.tree() == before:
            assert host.running() == running
        host.apply(new(host))
        assert host.tree() == after, step
        in_order(host)
