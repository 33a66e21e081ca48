# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A new release of one application among others: what stays as it is, and what is asked before it stays."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.pyhost.web.plugins.module_utils._errors import PyhostError
from ansible_collections.pyhost.web.plugins.module_utils._systemd import Systemd
from ansible_collections.pyhost.web.plugins.module_utils._transaction.wish import Request, Wish

SHOP, BLOG = "pyhost-shop.service", "pyhost-blog.service"
UNITS = tuple(f"pyhost-{name}.{kind}" for name in ("shop", "blog") for kind in ("socket", "service"))
GOOD, BAD = "200 OK", "502 Bad Gateway"


def app(name: str) -> dict[str, t.Any]:
    """Return the short form of an application's files."""
    socket, service = f"pyhost-{name}.socket", f"pyhost-{name}.service"
    return {
        f"etc/systemd/system/{socket}": {"content": f"socket of {name}\n", "unit": socket, "verb": "restart"},
        f"etc/systemd/system/{service}": {"content": f"unit of {name}\n", "unit": service, "verb": "restart"},
        f"etc/pyhost/{name}.ini": {"content": "processes\n", "unit": service, "verb": "restart"},
        **release(name),
    }


def release(name: str) -> dict[str, t.Any]:
    """Return the short form of the link to an application's release."""
    return {f"srv/{name}/current": {"follow": f"srv/{name}/next", "unit": f"pyhost-{name}.service", "verb": "reload"}}


def point(host: t.Any, name: str, to: str) -> None:
    """Build a release."""
    link = host.root / "srv" / name / "next"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(f"releases/{to}")


def current(host: t.Any, name: str) -> str:
    """Return the release in service."""
    return str((host.root / "srv" / name / "current").readlink().name)


def wish(host: t.Any, files: dict[str, t.Any], units: tuple[str, ...], **options: t.Any) -> Wish:
    """Return a wish of the back end; links follow by their real paths."""
    real = {
        path: {**entry, "follow": str(host.root / entry["follow"])} if "follow" in entry else entry
        for path, entry in files.items()
    }
    wanted: Wish = host.wish(real, units, "backend", test=None, **options)
    return wanted


def everything(host: t.Any) -> Wish:
    """What the role wants of both applications."""
    return wish(host, {**app("shop"), **app("blog")}, UNITS)


def shop(host: t.Any, **request: t.Any) -> Wish:
    """What a deploy wants of one of them."""
    asked = Request(str(host.root / "srv/shop/current"), "http://127.0.0.1/up", host="a.example", unit=SHOP, **request)
    return wish(host, release("shop"), UNITS[:2], partial=True, requests=(asked,))


def _next(values: list[t.Any]) -> t.Any:
    """Return the next of several values; the last one stays."""
    return values.pop(0) if len(values) > 1 else values[0]


@pytest.fixture
def back_end(host: t.Any, monkeypatch: pytest.MonkeyPatch) -> t.Any:
    """A host with both applications, a new release of each beside those in service, and a front end that answers."""
    for name in ("shop", "blog"):
        point(host, name, "old")
    host.apply(everything(host))
    for name in ("shop", "blog"):
        point(host, name, "new")
    host.asked = []
    host.answers = [GOOD]
    host.workers = [set()]

    def ask(url: str, name: str | None, timeout: float, _mount: str) -> str:
        host.asked.append((url, name, timeout))
        return str(_next(host.answers))

    show = host._show
    monkeypatch.setattr(host, "ask", ask)
    monkeypatch.setattr(host, "_show", lambda name: f"{show(name)}\nMainPID=7")
    monkeypatch.setattr(host, "children", lambda mains: {main: _next(host.workers) for main in mains})
    return host


def test_the_others_stay_as_they_are(back_end: t.Any) -> None:
    host = back_end
    # Neither is put right here.
    (host.root / "etc/pyhost/blog.ini").write_text("somebody's\n", encoding="utf-8")
    host.change_unit(BLOG, active="failed", loaded={})
    outcome = host.apply(shop(host))
    assert (outcome.units, host.calls) == ({SHOP: "reload"}, [f"systemctl reload {SHOP}"])
    assert (current(host, "shop"), current(host, "blog")) == ("new", "old")
    assert (host.root / "etc/pyhost/blog.ini").read_text(encoding="utf-8") == "somebody's\n"
    assert host.units()[BLOG].active == "failed"
    assert not host.apply(shop(host)).changed


def test_the_whole_knows_of_the_part(back_end: t.Any) -> None:
    host = back_end
    host.apply(shop(host))
    assert host.apply(everything(host)).units == {BLOG: "reload"}
    assert not host.apply(everything(host)).changed
    # Still its own: what it does not want any more goes.
    host.apply(wish(host, app("blog"), UNITS[2:]))
    assert host.units()[SHOP].active == "inactive"
    assert not (host.root / "srv/shop/current").is_symlink()


def test_a_lost_reload_of_another_is_left_to_the_whole(back_end: t.Any) -> None:
    host = back_end
    manifest = host.state / "backend.json"
    records = json.loads(manifest.read_text(encoding="utf-8"))
    del records["loaded"][BLOG]
    manifest.write_text(json.dumps(records), encoding="utf-8")
    assert host.apply(shop(host)).units == {SHOP: "reload"}
    assert host.apply(everything(host)).units == {BLOG: "restart"}


def test_its_own_unit_is_started(back_end: t.Any) -> None:
    back_end.change_unit(SHOP, active="failed", loaded={})
    assert back_end.apply(shop(back_end)).units == {SHOP: "start"}
    assert back_end.units()[SHOP].active == "active"


@pytest.mark.parametrize("check", [False, True])
def test_what_is_not_here_yet_is_an_error(back_end: t.Any, check: bool) -> None:
    host = back_end
    point(host, "wiki", "new")
    before = host.tree(everything=True)
    wanted = wish(host, {**release("shop"), **release("wiki")}, (SHOP, "pyhost-wiki.service"), partial=True)
    with pytest.raises(PyhostError, match=r"does not have pyhost-wiki\.service on this host yet") as caught:
        host.apply(wanted, check)
    assert f"files[1]: backend does not have {host.root}/srv/wiki/current" in str(caught.value)
    assert "shop" not in str(caught.value).replace(str(host.root), "")
    assert host.tree(everything=True) == before


def test_a_good_answer(back_end: t.Any) -> None:
    back_end.apply(shop(back_end, status=(200, 204)))
    assert back_end.asked == [("http://127.0.0.1/up", "a.example", 30)]
    back_end.apply(shop(back_end))
    # Nothing changed, so nothing was asked.
    assert len(back_end.asked) == 1


@pytest.mark.parametrize(
    ("answer", "status", "complaint"),
    [
        (BAD, (), f"answered '{BAD}'. Expected a status below 500."),
        ("404 Not Found", (200, 301), "answered '404 Not Found'. Expected one of these statuses: 200, 301."),
        ("Connection refused", (), "gave no valid answer: Connection refused"),
    ],
)
def test_a_bad_answer_rolls_it_back(back_end: t.Any, answer: str, status: tuple[int, ...], complaint: str) -> None:
    host = back_end
    before, running = host.tree(), host.running()
    host.answers = [answer]
    error = host.refuse(shop(host, status=status))
    assert str(error).startswith(f"http://127.0.0.1/up (Host: a.example) {complaint}\n")
    assert f"words of {SHOP} in the journal" in str(error)
    assert error.details == {"application": "shop"}
    # The reload may not have come to its end.
    assert host.calls == [f"systemctl {verb} {SHOP}" for verb in ("reload", "restart")]
    assert (host.tree(), host.running(), host.litter()) == (before, running, [])
    host.answers = [GOOD]
    host.apply(shop(host))
    assert current(host, "shop") == "new"


def test_it_is_asked_until_the_old_processes_have_gone(back_end: t.Any) -> None:
    back_end.workers = [{1, 2}, {2, 3}, {2, 3}, {3, 4}]
    back_end.apply(shop(back_end))
    assert len(back_end.asked) == 3


def test_a_bad_answer_of_a_later_process(back_end: t.Any) -> None:
    back_end.workers = [{1, 2}, {1, 2}, {2, 3}]
    back_end.answers = [GOOD, BAD, BAD]
    back_end.refuse(shop(back_end))
    assert current(back_end, "shop") == "old"


def test_no_answer_is_waited_for_while_they_go(back_end: t.Any) -> None:
    back_end.workers = [{1}, {1}, {1}, {2}]
    back_end.answers = ["timed out", "Connection refused", GOOD]
    back_end.apply(shop(back_end, timeout=20))
    assert [timeout for _url, _name, timeout in back_end.asked] == [1, 1, 20]


def test_the_whole_waits_for_them_too(back_end: t.Any) -> None:
    point(back_end, "blog", "old")
    back_end.workers = [{1, 2}, {2, 3}, {3, 4}]
    back_end.apply(everything(back_end))
    assert back_end.workers == [{3, 4}]
    assert back_end.calls == [f"systemctl reload {SHOP}"]


def test_a_reload_that_was_not_heard_is_repeated(back_end: t.Any) -> None:
    # For six seconds an earlier one is under way, and nobody asks these processes to go.
    back_end.workers = [{1}] * 31 + [{2}]
    begin = back_end.time
    back_end.apply(shop(back_end))
    assert back_end.calls == [f"systemctl reload {SHOP}"] * 2
    assert back_end.time - begin < 10


def test_a_long_request_is_not_waited_for_longer_than_that(back_end: t.Any) -> None:
    back_end.workers = [{1}]
    begin = back_end.time
    back_end.apply(shop(back_end, timeout=5))
    assert 5 < back_end.time - begin < 10
    # In case the first one came while another was under way.
    assert back_end.calls == [f"systemctl reload {SHOP}"] * 2
    assert current(back_end, "shop") == "new"


def test_new_processes_that_do_not_stay(back_end: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    host = back_end
    host.workers = [{1}]

    def dies(_url: str, _name: str | None, _timeout: float, _mount: str) -> str:
        host.change_unit(SHOP, restarts=1)
        return GOOD

    monkeypatch.setattr(host, "ask", dies)
    error = host.refuse(shop(host))
    assert "the new processes ended" in str(error)
    assert current(host, "shop") == "old"


def test_killed_at_any_point(back_end: t.Any) -> None:
    host = back_end
    step = 1
    while True:
        point(host, "shop", f"new{step}")
        if host.fail_at(shop(host), step, "kill") is None:
            break
        assert current(host, "shop") in (f"new{step - 1}", f"new{step}", "old")
        assert current(host, "blog") == "old"
        host.apply(shop(host))
        assert current(host, "shop") == f"new{step}"
        assert (host.litter(), current(host, "blog")) == ([], "old")
        step += 1
    assert step > 10
    # What it had loaded when it was killed is not known, so the next run of all makes sure.
    assert host.apply(everything(host)).units == {BLOG: "reload", SHOP: "restart"}
    assert not host.apply(everything(host)).changed


def test_what_was_rolled_back_is_tried_again_by_a_run_for_it_alone(back_end: t.Any) -> None:
    host = back_end
    host.answers = [BAD]
    host.refuse(shop(host))
    host.answers = [GOOD]
    outcome = host.apply(everything(host))
    assert (current(host, "shop"), current(host, "blog")) == ("old", "new")
    warning = outcome.warnings[0].replace(f"{host.root}/srv/shop/next/../", "")
    reason = "releases/new failed after it went live and was rolled back"
    assert f"keeping releases/old, because {reason}" in warning
    again = host.apply(everything(host))
    assert (again.changed, again.warnings) == (False, outcome.warnings)
    host.apply(shop(host))
    assert current(host, "shop") == "new"
    assert (host.apply(everything(host)).warnings, current(host, "shop")) == ([], "new")


def test_another_release_is_not_the_one_that_was_rolled_back(back_end: t.Any) -> None:
    host = back_end
    host.answers = [BAD]
    host.refuse(shop(host))
    point(host, "shop", "newer")
    assert (host.apply(everything(host)).warnings, current(host, "shop")) == ([], "newer")
    # It is still known when somebody describes it again.
    point(host, "shop", "new")
    assert len(host.apply(everything(host)).warnings) == 1
    assert current(host, "shop") == "newer"


def whole(host: t.Any, **files: t.Any) -> Wish:
    """What the role wants of both applications, and what the front end must answer of shop."""
    asked = Request(str(host.root / "srv/shop/current"), "http://127.0.0.1/up", "a.example", unit=SHOP)
    return wish(host, {**app("shop"), **app("blog"), **files}, UNITS, requests=(asked,))


def test_a_run_of_all_asks_too(back_end: t.Any) -> None:
    host = back_end
    host.answers = [GOOD, BAD]
    host.refuse(whole(host))
    assert (current(host, "shop"), current(host, "blog")) == ("old", "old")
    host.answers = [GOOD]
    # The other one is not to blame.
    assert len(host.apply(whole(host)).warnings) == 1
    assert (current(host, "shop"), current(host, "blog")) == ("old", "new")


def test_a_run_of_all_does_not_ask_what_nobody_answered_before(back_end: t.Any) -> None:
    host = back_end
    host.answers = [BAD]
    host.apply(whole(host))
    assert (current(host, "shop"), len(host.asked)) == ("new", 1)


def test_a_run_of_all_does_not_ask_in_a_way_that_the_web_server_may_not_know_yet(back_end: t.Any) -> None:
    host = back_end
    host.answers = [GOOD, BAD]
    changed = {"etc/pyhost/shop.ini": {"content": "another protocol\n", "unit": SHOP, "verb": "restart"}}
    host.apply(whole(host, **changed))
    assert (current(host, "shop"), host.asked) == ("new", [])


def test_who_has_the_address_is_to_be_found(back_end: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Systemd, "words", lambda *_: "Failed to listen on sockets: Address already in use")
    wanted = wish(back_end, {**app("shop"), f"etc/systemd/system/{SHOP}": {"content": "DIES\n"}}, UNITS[:2])
    back_end.change_unit(SHOP, active="failed", loaded={})
    assert str(back_end.refuse(wanted)).endswith(
        "Address already in use\nAnother process uses this address. On the host, `ss -lntxp` shows which one."
    )
