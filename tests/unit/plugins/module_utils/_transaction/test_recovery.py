# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every way in which a transaction can end early: it fails, it is interrupted, or the disk is full."""

from __future__ import annotations

import shutil
import typing as t
from pathlib import Path

import pytest

from tests.unit.plugins.module_utils._transaction.wishes import (
    BLOG,
    DEFAULT,
    MAIN,
    NEXT,
    RIVAL,
    SERVER,
    SHOP,
    SITES,
    holder,
    in_order,
    new,
    old,
    rival,
    unit,
    with_users,
)

# Failures: what the user reads, and that all is as it was

FAILURES: dict[str, tuple[dict[str, t.Any], str]] = {
    "test": (
        {"etc/server/more/blog.conf": "# application blog\n\nSYNTAX\n"},
        "application blog: servertest rejects the configuration: bad word in ETC/more/blog.conf:3",
    ),
    "test output": ({MAIN: "WARNS\n"}, "servertest rejects the configuration: warning: unknown key"),
    "command": (
        {"etc/users/pyhost.conf": {"content": "NONSENSE\n", "command": ("adopt", "USERS")}},
        "adopt HOST/etc/users/pyhost.conf failed: HOST/etc/users/pyhost.conf:1: nonsense",
    ),
    "start": (
        unit(BLOG, "DIES\n"),
        f"application blog: systemctl start {BLOG} failed: Job for {BLOG} failed.\nwords of {BLOG} in the journal",
    ),
    "reload": (
        {MAIN: "DIES\n"},
        f"systemctl reload {SERVER} failed: Job for {SERVER} failed.\nwords of {SERVER} in the journal",
    ),
    "crash loop": (
        unit(BLOG, "CRASHES\n"),
        f"application blog: starting {BLOG} failed: the unit is active (fake)\nwords of {BLOG} in the journal",
    ),
    "no end of the start": (
        unit(BLOG, "HANGS\n"),
        f"application blog: starting {BLOG} failed: the unit is activating (fake)\nwords of {BLOG} in the journal",
    ),
    "probe": (
        {MAIN: "DEAF\n"},
        "probe: http://127.0.0.1/ (Host: generation.invalid) did not serve the new "
        "configuration within 3 s (expected generation 2). Check that the front end listens there. Last answer: 1",
    ),
    "death after the reload": (
        {MAIN: "FALLS\n"},
        f"starting {SERVER} failed: the unit is failed (fake)\nwords of {SERVER} in the journal",
    ),
    "unit without file": (
        {f"etc/systemd/system/{BLOG}": {"content": None}},
        f"systemctl enable {BLOG} failed: Unit {BLOG} not found.",
    ),
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
        "file": str(host.etc / "all.conf"),
        "line": 5,
        "application": "blog",
    }


@pytest.mark.parametrize("was_up", [True, False])
def test_old_files_that_do_not_start_either_are_told(host: t.Any, was_up: bool) -> None:
    host.apply(old(host))
    host.change_unit(SHOP, active="active" if was_up else "inactive")
    (host.system / SHOP).write_text("DIES\n", encoding="utf-8")
    files = with_users(host, {**SITES, MAIN: "DIES\n", **unit(SHOP, "fine\n")})
    error = str(host.refuse(host.wish(files, (SERVER, SHOP))))
    assert "systemctl reload server.service failed" in error
    told = (
        "The old files are restored, but activating them failed (the next run tries again):"
        f" application shop: systemctl restart {SHOP} failed"
    )
    # Of what was not up before nobody expects it.
    assert (told in error) == was_up
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
    assert "this is a folder, but must be a file or a symbolic link" in str(host.refuse(new(host)))


def test_a_damaged_manifest_is_told(host: t.Any) -> None:
    host.apply(old(host))
    (host.state / "server.json").write_text("{", encoding="utf-8")
    assert f"{host.state}/server.json: this file is damaged" in str(host.refuse(new(host)))


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


@pytest.mark.parametrize("following", [old, new, holder, rival])
def test_a_dry_run_after_an_interruption_tells_what_the_next_run_does(
    host: t.Any, reset_to: t.Callable[[t.Any], t.Callable[[], None]], following: t.Callable[[t.Any], t.Any]
) -> None:
    first, second = (holder, rival) if following in (holder, rival) else (old, new)
    for _ in steps(host, second(host), "kill", reset_to(first(host))):
        foretold = host.apply(following(host), check=True)
        done = host.apply(following(host))
        assert (foretold.changed, foretold.changes) == (done.changed, done.changes)


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
    host: t.Any, reset_to: t.Callable[[t.Any], t.Callable[[], None]], next_run: str
) -> None:
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
    host: t.Any, reset_to: t.Callable[[t.Any], t.Callable[[], None]], how: str
) -> None:
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
