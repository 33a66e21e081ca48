# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to be done on a host: from a wish, manifests and dictionaries alone."""

from __future__ import annotations

import copy
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ansible_collections.pyhost.web.plugins.module_utils._errors import PyhostError
from ansible_collections.pyhost.web.plugins.module_utils._fs import MANAGED, Node
from ansible_collections.pyhost.web.plugins.module_utils._systemd import Unit
from ansible_collections.pyhost.web.plugins.module_utils._transaction.look import Look
from ansible_collections.pyhost.web.plugins.module_utils._transaction.manifest import File, Manifest, Was
from ansible_collections.pyhost.web.plugins.module_utils._transaction.plan import Plan, compare
from ansible_collections.pyhost.web.plugins.module_utils._transaction.wish import Entry, Wish

WEB, APP = "web.service", "pyhost-shop.service"
UP = Unit("loaded", "active", "running", "enabled")
DOWN = Unit("loaded", "inactive", "dead", "disabled")


def text(content: str, mode: int = 0o644) -> Node:
    """Return a file of root."""
    return Node(content.encode(), mode, 0, 0)


@dataclass
class Host(Look):
    """A host in dictionaries."""

    files: dict[str, Node] = field(default_factory=dict)
    originals: dict[tuple[str, str], Node] = field(default_factory=dict)
    states: dict[str, Unit] = field(default_factory=dict)
    folders: tuple[str, ...] = ("/", "/etc")

    def file(self, path: str) -> Node | None:
        return self.files.get(path)

    def original(self, component: str, path: str) -> Node | None:
        return self.originals.get((component, path))

    def is_folder(self, path: Path) -> bool:
        return str(path) in self.folders

    def link(self, path: str) -> str | None:
        node = self.files.get(path)
        return node.data.decode() if node and node.mode is None else None

    def user(self, name: str) -> int | None:
        return {"root": 0, "shop": 7}.get(name)

    group = user

    def units(self, names: t.Iterable[str]) -> dict[str, Unit]:
        return {name: self.states.get(name, Unit()) for name in names}

    def after(self, plan: Plan) -> Host:
        """Return the host on which the plan was carried out."""
        files = dict(self.files)
        for change in plan.all_changes:
            files.pop(str(change.path), None)
            if change.after:
                files[str(change.path)] = change.after
        states = {**self.states, **dict.fromkeys(plan.manifest.units, UP)}
        return Host(files, self.originals, states, (*self.folders, *plan.journal.folders))


def entry(path: str, content: str | None = "new\n", **values: t.Any) -> Entry:
    """Return the desired state of a path; its unit, where it has one, reloads."""
    if "unit" in values:
        values.setdefault("verb", "reload")
    return Entry(path, "files[0]", content, **values)


def compared(wish: Wish, manifests: dict[str, Manifest], host: Host, **options: t.Any) -> Plan:
    """Compare, and see that nothing that was handed over has changed."""
    given = copy.deepcopy((wish, manifests, host))
    plan = compare(wish, manifests, host, transaction="t2", **options)
    assert (wish, manifests, host) == given
    return plan


def swaps(plan: Plan) -> dict[str, str | None]:
    """Return the files that change, with their contents."""
    return {str(change.path): change.after.text if change.after else None for change in plan.all_changes}


def test_on_an_empty_host_all_is_made_and_then_nothing_is_left_to_do() -> None:
    wish = Wish("web", (entry("/etc/web/main.conf", unit=WEB), entry("/etc/web/off", None)), (WEB,))
    host = Host(states={WEB: DOWN})
    plan = compared(wish, {}, host)
    assert not plan.idle
    assert swaps(plan) == {"/etc/web/main.conf": "new\n"}
    assert plan.journal.swaps == [("/etc/web/main.conf", False)]
    assert plan.journal.folders == plan.manifest.folders == ["/etc/web"]
    assert plan.journal.brought == {WEB: Was()}
    assert (plan.start, plan.journal.touched) == ([WEB], {WEB: "reload"})
    assert plan.manifest.files == {"/etc/web/main.conf": File(WEB, "reload"), "/etc/web/off": File(absent=True)}
    assert plan.manifest.transaction == plan.journal.transaction == "t2"
    assert compared(wish, {"web": plan.manifest}, host.after(plan)).idle


@pytest.mark.parametrize(
    ("there", "is_kept"),
    [(text("stock\n"), True), (text(f"# {MANAGED}\nold\n"), False), (text("new\n"), False)],
    ids=["foreign", "ours", "the same"],
)
def test_only_somebody_elses_file_is_kept(there: Node, is_kept: bool) -> None:
    plan = compared(Wish("web", (entry("/etc/a"),)), {}, Host({"/etc/a": there}))
    assert plan.originals == ({"/etc/a": there} if is_kept else {})
    assert plan.manifest.files["/etc/a"].original is is_kept


def test_a_private_file_of_somebody_else_is_secret() -> None:
    plan = compared(Wish("web", (entry("/etc/a"),)), {}, Host({"/etc/a": text("stock\n", 0o640)}))
    assert [change.secret for change in plan.changes] == [True]


@pytest.mark.parametrize("original", [None, text("stock\n")])
def test_what_is_no_longer_wanted_goes_or_what_was_there_comes_back(original: Node | None) -> None:
    mine = Manifest(files={"/etc/a": File(WEB, "restart", original=original is not None)})
    host = Host({"/etc/a": text("new\n")}, {("web", "/etc/a"): original} if original else {}, {WEB: UP})
    plan = compared(Wish("web", units=(WEB,)), {"web": mine}, host)
    assert swaps(plan) == {"/etc/a": original.text if original else None}
    assert plan.journal.touched == {WEB: "restart"}
    assert plan.manifest.files == {}


@pytest.mark.parametrize("options", [{"partial": True}, {"keep": frozenset({"/etc/b"})}], ids=["partial", "keep"])
def test_what_is_kept_stays_as_it_is(options: dict[str, t.Any]) -> None:
    mine = Manifest(files={"/etc/a": File(), "/etc/b": File(secret=True)})
    host = Host({"/etc/a": text("old\n"), "/etc/b": text("b\n")})
    plan = compared(Wish("web", (entry("/etc/a"),), **options), {"web": mine}, host)
    assert swaps(plan) == {"/etc/a": "new\n"}
    assert plan.manifest.files == {"/etc/a": File(), "/etc/b": File(secret=True)}


def test_a_unit_restarts_where_one_of_its_files_asks_for_that() -> None:
    entries = (entry("/etc/a", unit=APP), entry("/etc/b", unit=APP, verb="restart"), entry("/etc/c", unit=WEB))
    plan = compared(Wish("web", entries, (APP, WEB)), {}, Host(states={APP: UP, WEB: UP}))
    assert plan.journal.touched == {APP: "restart", WEB: "reload"}
    assert plan.start == []


def test_a_unit_that_lost_its_reload_gets_it_though_no_file_changes() -> None:
    wish = Wish("web", (entry("/etc/a", unit=WEB),), (WEB,))
    host = Host({"/etc/a": text("new\n")}, states={WEB: UP})
    known = compared(wish, {}, host).manifest
    known.loaded = {}
    plan = compared(wish, {"web": known}, host)
    assert (plan.changes, plan.journal.touched, plan.idle) == ([], {WEB: "reload"}, False)


def test_a_unit_of_somebody_else_that_does_not_run_is_left_alone() -> None:
    wish = Wish("web", (entry("/etc/a", unit=APP),))
    assert compared(wish, {}, Host(states={APP: DOWN})).journal.touched == {}
    assert compared(wish, {}, Host(states={APP: UP})).journal.touched == {APP: "reload"}


def test_a_command_runs_where_its_file_changes_or_it_did_not_run() -> None:
    wish = Wish("web", (entry("/etc/a", command=("adopt", "it")),))
    plan = compared(wish, {}, Host())
    assert plan.journal.commands == [["adopt", "it"]]
    host = Host().after(plan)
    assert compared(wish, {"web": plan.manifest}, host).journal.commands == []
    host.files["/etc/a"] = text("somebody's\n")
    assert compared(wish, {"web": plan.manifest}, host).journal.commands == [["adopt", "it"]]
    host.files["/etc/a"] = text("new\n")
    plan.manifest.ran = {"adopt it": {}}
    assert compared(wish, {"web": plan.manifest}, host).journal.commands == [["adopt", "it"]]


OTHER = Manifest(
    files={"/etc/a": File(APP, "restart"), "/etc/b": File(APP, "reload"), "/etc/c": File()},
    units=[APP],
    loaded={APP: {"restart": {"/etc/a": "0a"}}},
)
OTHERS = {"/etc/a": text("new\n"), "/etc/b": text("b\n"), "/etc/c": text("c\n")}


def test_what_another_component_has_is_rejected() -> None:
    with pytest.raises(PyhostError) as caught:
        compared(Wish("web", (entry("/etc/a"),), (APP,)), {"other": OTHER}, Host(OTHERS))
    assert str(caught.value).splitlines() == [
        "files[0]: /etc/a belongs to other. Remove it here, or move it here with `take: true`.",
        f"units: {APP} belongs to other. Remove it here, or move it here with `take: true`.",
    ]


def test_a_unit_moves_with_its_files_and_the_others_stay() -> None:
    wish = Wish("web", (entry("/etc/a", unit=APP, verb="restart"),), (APP,), take=True)
    plan = compared(wish, {"other": OTHER}, Host(OTHERS, states={APP: UP}))
    assert plan.journal.taken == {"other": ["/etc/a", APP, "/etc/b"]}
    assert (swaps(plan), plan.leaving) == ({"/etc/b": None}, [])
    assert plan.journal.brought == {APP: Was(up=True, enabled=True)}
    assert plan.journal.retired == []


@pytest.mark.parametrize(
    ("options", "taken"),
    [
        ({"replaces": frozenset({"other", "nobody"})}, ["/etc/a", "/etc/b", "/etc/c", APP]),
        ({"retire": frozenset({APP})}, ["/etc/a", "/etc/b", APP]),
    ],
    ids=["replaces", "retire"],
)
def test_what_is_replaced_goes_last(options: dict[str, t.Any], taken: list[str]) -> None:
    wish = Wish("web", (entry("/etc/web.conf"),), (WEB,), **options)
    plan = compared(wish, {"other": OTHER}, Host(OTHERS, states={APP: UP, WEB: DOWN}))
    assert plan.journal.taken == {"other": taken}
    assert [str(change.path) for change in plan.changes] == ["/etc/web.conf"]
    assert [str(change.path) for change in plan.leaving] == [name for name in taken if name != APP]
    assert (plan.journal.retired, plan.start) == ([APP], [WEB])
    assert plan.journal.brought[APP] == Was(up=True, enabled=True)


def test_an_original_of_another_component_moves_with_its_path() -> None:
    theirs = Manifest(files={"/etc/a": File(original=True)})
    host = Host({"/etc/a": text("old\n")}, {("other", "/etc/a"): text("stock\n")})
    plan = compared(Wish("web", (entry("/etc/a"),), take=True), {"other": theirs}, host)
    assert plan.originals == {"/etc/a": text("stock\n")}
    assert plan.manifest.files["/etc/a"].original


def follows(partial: bool = False) -> Wish:
    """Return the wish for a link that follows another one."""
    return Wish("app", (Entry("/srv/current", "files[0]", follow="/srv/next"),), partial=partial)


def test_a_link_follows_another_one() -> None:
    host = Host({"/srv/next": Node(b"releases/2"), "/srv/current": Node(b"releases/1")})
    assert swaps(compared(follows(), {}, host)) == {"/srv/current": "-> releases/2\n"}
    away = Wish("app", (Entry("/etc/current", "files[0]", follow="/srv/next"),))
    assert swaps(compared(away, {}, host)) == {"/etc/current": "-> /srv/releases/2\n"}


def test_a_release_that_was_rejected_is_tried_again_only_by_itself() -> None:
    mine = Manifest(files={"/srv/current": File()}, refused={"/srv/current": "releases/2"})
    host = Host({"/srv/next": Node(b"releases/2"), "/srv/current": Node(b"releases/1")})
    plan = compared(follows(), {"app": mine}, host)
    assert (plan.idle, len(plan.warnings)) == (True, 1)
    assert plan.manifest.refused == mine.refused
    again = compared(follows(partial=True), {"app": mine}, host)
    assert (swaps(again), again.warnings) == ({"/srv/current": "-> releases/2\n"}, [])
    assert again.manifest.refused == {}


def test_what_is_yet_to_come_is_a_problem_only_outside_check_mode() -> None:
    entries = (entry("/etc/a", owner="blog", group="blog"), entry("/etc/b", owner="7"), *follows().entries)
    wish = Wish("app", entries)
    assert len(compared(wish, {}, Host(), check=True).changes) == 3
    with pytest.raises(PyhostError) as caught:
        compared(wish, {}, Host())
    assert str(caught.value).splitlines() == [
        "files[0].owner: 'blog' does not exist on this host. Create it in an earlier task.",
        "files[0].group: 'blog' does not exist on this host. Create it in an earlier task.",
        "files[0].follow: /srv/next is not a symbolic link. Create it in an earlier task.",
    ]


def test_a_component_that_is_not_here_cannot_change_in_part() -> None:
    with pytest.raises(PyhostError, match=r"files\[0\]: web does not have /etc/a on this host yet") as caught:
        compared(Wish("web", (entry("/etc/a"),), (WEB,), partial=True), {}, Host())
    assert f"units: web does not have {WEB} on this host yet" in str(caught.value)
