# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes in and out of the module."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.pyhost.web.plugins.module_utils._files import Node
from ansible_collections.pyhost.web.plugins.module_utils._staged import Change
from ansible_collections.pyhost.web.plugins.module_utils._transaction import Request
from ansible_collections.pyhost.web.plugins.modules.config_set import (
    ARGUMENTS,
    DOCUMENTATION,
    EXAMPLES,
    diff_of,
    secrets_of,
    wish_of,
)
from ansible_collections.pyhost.web.plugins.plugin_utils._render import render

OLD, NEW = Node(b"old\n", 0o644, 0, 0), Node(b"new\n", 0o644, 0, 0)
SECRET = Node(b"KEY=hush\n", 0o600, 0, 0)
ATTRIBUTES = "mode 0644, owner 0, group 0\n"


@pytest.mark.parametrize(("change", "before", "after"), [
    (Change(Path("/x"), None, NEW), "", "new\n"),
    (Change(Path("/x"), OLD, NEW), "old\n", "new\n"),
    (Change(Path("/x"), OLD, None), "old\n", ""),
    (Change(Path("/x"), Node(b"y"), NEW), "-> y\n", "new\n"),
    (Change(Path("/x"), OLD, Node(b"old\n", 0o600, 0, 33)), ATTRIBUTES + "old\n",
     "mode 0600, owner 0, group 33\nold\n"),
    (Change(Path("/x"), None, SECRET, secret=True), "", "(secret, changed)\n"),
    (Change(Path("/x"), SECRET, None, secret=True), "(secret)\n", ""),
    (Change(Path("/x"), OLD, SECRET, secret=True), ATTRIBUTES + "(secret)\n",
     "mode 0600, owner 0, group 0\n(secret, changed)\n"),
])
def test_diff(change: Change, before: str, after: str) -> None:
    assert diff_of(change) == {"before_header": "/x", "after_header": "/x", "before": before, "after": after}


def finished(options: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return the parameters that the module gets from the action."""
    rendered = render({"name": "web", **options}, [])
    assert rendered.problems == []
    checked = ArgumentSpecValidator(ARGUMENTS).validate(rendered.options)
    assert checked.error_messages == []
    return dict(checked.validated_parameters)


def test_what_the_action_sends_is_what_the_module_wants() -> None:
    wish = wish_of(finished({
        "files": [{"path": "/a", "content": "x", "mode": "0600", "secret": True, "command": ["adopt", "/a"]},
                  {"path": "/b", "link": "a", "unit": "a.service", "verb": "reload"}],
        "absent": ["/c", {"path": "/d", "unit": "a.service", "verb": "reload"}],
        "units": ["a.service", {"name": "{item}.service", "each": ["a", "b"]}],
        "keep": ["/e"], "keep_units": ["c.service"], "take": True,
        "replaces": ["other"],
        "retire": ["/etc/other.conf"],
        "partial": True,
        "requests": [{"file": "/a", "url": "http://127.0.0.1:80/", "path": "/up", "status": [200], "unit": "a.service"},
                     {"file": "/b", "url": ""}],
        "test": {"folder": "/etc/x", "command": ["x", "-t"]}, "probe": {"url": "http://127.0.0.1/"}}))
    assert [(entry.path, entry.where) for entry in wish.entries] == [
        ("/a", "files[0]"), ("/b", "files[1]"), ("/c", "absent: /c"), ("/d", "absent: /d")]
    assert wish.entries[0].command == ("adopt", "/a")
    assert (wish.entries[1].link, wish.entries[1].verb) == ("a", "reload")
    assert (wish.entries[3].content, wish.entries[3].unit) == (None, "a.service")
    assert (wish.units, wish.keep, wish.keep_units) == (
        ("a.service", "b.service"), frozenset({"/e"}), frozenset({"c.service"}))
    assert wish.take
    assert wish.replaces == {"other"}
    assert wish.retire == {"/etc/other.conf"}
    assert wish.partial
    # Whoever has no front end gives no address.
    assert wish.requests == (Request("/a", "http://127.0.0.1:80/up", None, (200,), 30, "a.service"),)
    assert wish.test and wish.test.folder == Path("/etc/x")
    assert wish.probe and wish.probe.timeout == 10


def test_secrets_are_the_contents_and_their_longer_lines() -> None:
    params = finished({"files": [
        {"path": "/a", "content": "A=1\nKEY=hushhush\n", "secret": True}, {"path": "/b", "content": "open to all"}]})
    assert secrets_of(params) == {"A=1\nKEY=hushhush", "KEY=hushhush"}


def test_the_documentation_says_what_the_arguments_are() -> None:
    def compare(documented: dict[str, t.Any], arguments: dict[str, t.Any]) -> None:
        assert documented.keys() == arguments.keys()
        for name, argument in arguments.items():
            for key in ("type", "default", "elements", "choices", "required"):
                assert documented[name].get(key) == argument.get(key), (name, key)
            compare(documented[name].get("suboptions", {}), argument.get("options", {}))

    compare(yaml.safe_load(DOCUMENTATION)["options"], ARGUMENTS)


def test_the_examples_have_no_key_of_their_own() -> None:
    for task in yaml.safe_load(EXAMPLES):
        assert task["pyhost.web.config_set"].keys() <= ARGUMENTS.keys()
