# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What nobody foresaw, at every step of a transaction: the change is rolled back, or finished by the next run."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.pyhost.web.plugins.module_utils._errors import PyhostError
from ansible_collections.pyhost.web.plugins.module_utils._transaction.wish import Request

FILES = {
    "etc/server/main.conf": "include\n",
    "etc/server/generation": "1",
    "etc/systemd/system/pyhost-shop.service": {"content": "x\n", "unit": "pyhost-shop.service", "verb": "restart"},
}
UNITS = ("server.service", "pyhost-shop.service")
ASKED = ("run", "fetch", "ask", "children", "now", "clock")


def _wish(host: t.Any, number: int) -> t.Any:
    files = {**FILES, "etc/server/generation": str(number), "etc/server/main.conf": f"include {number}\n"}
    files["etc/systemd/system/pyhost-shop.service"] = {
        "content": f"x {number}\n",
        "unit": "pyhost-shop.service",
        "verb": "restart",
    }
    asked = Request(str(host.root / "etc/server/main.conf"), "http://127.0.0.1/up", host="a.example")
    return host.wish(files, UNITS, requests=(asked,))


class Odd(Exception):
    """Nobody knows it."""


def test_it_is_rolled_back_at_every_step(host: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(host), "ask", lambda *_words: "200 OK")
    monkeypatch.setattr(type(host), "children", lambda _host, mains: {main: set() for main in mains})
    host.apply(_wish(host, 1))
    before, running = host.tree(), host.running()
    step, count, ended = 0, 0, []

    def watched(name: str) -> t.Any:
        method = getattr(type(host), name)

        def call(self: t.Any, *words: t.Any, **options: t.Any) -> t.Any:
            nonlocal count
            count += 1
            if count == step:
                raise Odd(f"{name} \x1b[31m\nfailed")
            return method(self, *words, **options)

        return call

    for name in ASKED:
        monkeypatch.setattr(type(host), name, watched(name))
    while True:
        step, count = step + 1, 0
        try:
            host.apply(_wish(host, 2))
        except PyhostError as error:
            ended.append("refused")
            # In one line, with the place and without control characters.
            assert str(error).startswith("unexpected Odd at test_unforeseen.py:")
            assert "\x1b" not in str(error) and "\nfailed" not in str(error)
        else:
            break
        step_before, step = step, 0
        assert (host.tree(), host.running(), host.litter()) == (before, running, [])
        step = step_before
    assert len(ended) > 20 and count < step
    assert host.running() == host.current() and host.litter() == []


def test_what_is_no_status_is_a_bad_answer(back_end_of_two: t.Any) -> None:
    """Digits of other scripts pass str.isdigit(), and int() refuses them."""
    host, wanted = back_end_of_two
    for answer in ("\u00b2\u00b3\u00b9 OK", "\u0662\u0660\u0660 OK", "2000 OK", "20", "", "no answer: 200"):
        host.answers = answer
        words = str(host.refuse(wanted))
        assert "gave no valid answer: " in words
        assert str((host.root / "srv/shop/current").readlink()) == "releases/old"
        assert host.litter() == []


@pytest.fixture
def back_end_of_two(host: t.Any, monkeypatch: pytest.MonkeyPatch) -> tuple[t.Any, t.Any]:
    """A host with an active application, and the wish for its new release."""
    service = "pyhost-shop.service"
    folder = host.root / "srv/shop"
    folder.mkdir(parents=True)
    (folder / "next").symlink_to("releases/old")
    files = {
        f"etc/systemd/system/{service}": {"content": "x\n", "unit": service, "verb": "restart"},
        "srv/shop/current": {"follow": str(folder / "next"), "unit": service, "verb": "reload"},
    }
    host.apply(host.wish(files, (service,), "backend", test=None))
    (folder / "next").unlink()
    (folder / "next").symlink_to("releases/new")
    host.answers = "200 OK"
    monkeypatch.setattr(host, "ask", lambda *_words: host.answers)
    monkeypatch.setattr(host, "children", lambda mains: {main: set() for main in mains})
    asked = Request(str(folder / "current"), "http://127.0.0.1/up", host="a.example", unit=service)
    only = {"srv/shop/current": files["srv/shop/current"]}
    return host, host.wish(only, (service,), "backend", test=None, partial=True, requests=(asked,))


@pytest.mark.parametrize("what", ["ask", "words"])
def test_an_answer_that_raises_rolls_the_release_back(
    back_end_of_two: tuple[t.Any, t.Any], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    host, wanted = back_end_of_two

    def raises(*_words: t.Any) -> t.NoReturn:
        raise ValueError("invalid literal for int() with base 10: '\u00b2'")

    if what == "ask":
        monkeypatch.setattr(host, "ask", raises)
    else:
        host.answers, run = "500 Bad", host.run
        monkeypatch.setattr(
            host, "run", lambda command, timeout=900: raises() if command[0] == "journalctl" else run(command, timeout)
        )
    with pytest.raises(PyhostError, match="unexpected ValueError at test_unforeseen"):
        host.apply(wanted)
    assert str((host.root / "srv/shop/current").readlink()) == "releases/old"
    assert host.litter() == []
