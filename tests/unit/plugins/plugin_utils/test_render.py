# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Entries to finished files, and every problem of the input in one sentence each."""

from __future__ import annotations

import typing as t
from pathlib import Path

import jinja2
import pytest
from ansible_collections.pyhost.web.plugins.plugin_utils._render import Rendered, render

TEMPLATES = {
    "site.conf.j2": "# {{ managed }}\n# application {{ site.name }}\n"
    "{% if site.name %}\n  {% set x = 1 %}\nx {{ port }}\n{% endif %}\n",
    "generation.j2": "{{ generation }}",
    "page.j2": "<&\"'{{ text }}>\n",
    "syntax.j2": "\n{% if %}\n",
    "undefined.j2": "\n\n{{ nothing }}\n",
    "attribute.j2": "{{ item.nothing }}",
    "includes.j2": "{% include 'undefined.j2' %}",
    "missing.j2": "{% include 'nowhere.j2' %}",
    "divides.j2": "{{ 1 / 0 }}",
}
SITES = [{"name": "shop", "user": {"uid": 7}}, {"name": "blog", "user": {"uid": 8}}]


@pytest.fixture
def roles(tmp_path: Path) -> Path:
    """A folder of templates."""
    for name, text in TEMPLATES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def good(roles: Path, **options: t.Any) -> dict[str, t.Any]:
    """Return the finished options of an input that has no problem."""
    rendered = render(options, [str(roles)])
    assert rendered.problems == []
    return rendered.options


def test_an_entry_is_one_file_an_item(roles: Path) -> None:
    options = good(
        roles,
        name="web",
        variables={"port": 80},
        files=[
            {
                "path": "/etc/x/{name}.conf",
                "template": "site.conf.j2",
                "each": SITES,
                "as": "site",
                "mode": "0640",
                "unit": "pyhost-{name}.service",
                "verb": "reload",
                "command": ["adopt", "{user.uid}", "{site.name}"],
            }
        ],
    )
    assert [file["path"] for file in options["files"]] == ["/etc/x/shop.conf", "/etc/x/blog.conf"]
    assert options["files"][0] == {
        "path": "/etc/x/shop.conf",
        "where": "files[0]",
        "mode": "0640",
        "unit": "pyhost-shop.service",
        "verb": "reload",
        "command": ["adopt", "7", "shop"],
        "content": "# Managed by Ansible (pyhost.web): changes here are lost\n# application shop\nx 80\n",
    }
    assert "variables" not in options


def test_a_list_of_the_item_becomes_the_words_of_a_command(roles: Path) -> None:
    items = [{"name": "shop", "check": ["sh", "-c", "echo {name} $$"]}]
    options = good(roles, files=[{"path": "/a", "content": "", "each": items, "command": ["{check}", "--", "{name}"]}])
    assert options["files"][0]["command"] == ["sh", "-c", "echo {name} $$", "--", "shop"]


def test_names_are_filled_in_everywhere(roles: Path) -> None:
    options = good(
        roles,
        files=[{"path": "/a/{item}", "content": "{item} {} { return; }", "each": ["one", 2]}],
        units=["a.service", {"name": "{name}.socket", "each": SITES}],
        absent=["/b", {"path": "/b/{name}", "each": SITES, "unit": "a.service", "verb": "reload"}],
        keep=["/c/{literal}", {"path": "/c/{name}", "each": SITES}],
        keep_units=[{"name": "{name}.service", "each": SITES}],
    )
    assert [file["content"] for file in options["files"]] == ["one {} { return; }", "2 {} { return; }"]
    assert options["units"] == [{"name": "a.service"}, {"name": "shop.socket"}, {"name": "blog.socket"}]
    assert options["absent"] == [
        {"path": "/b"},
        {"path": "/b/shop", "unit": "a.service", "verb": "reload"},
        {"path": "/b/blog", "unit": "a.service", "verb": "reload"},
    ]
    assert options["keep"] == ["/c/{literal}", "/c/shop", "/c/blog"]
    assert options["keep_units"] == ["shop.service", "blog.service"]


def test_the_generation_is_the_digest_of_all_that_is_rendered(roles: Path) -> None:
    def generation(**change: t.Any) -> str:
        entry = {"path": "/a", "content": "1", **change}
        options = good(roles, files=[{"path": "/g", "template": "generation.j2"}, entry])
        assert options["files"][0]["content"] == options["generation"]
        return str(options["generation"])

    assert generation() == generation()
    changes: list[dict[str, t.Any]] = [{}, {"content": "2"}, {"path": "/b"}, {"mode": "0600"}, {"owner": "www-data"}]
    assert len({generation(**change) for change in changes}) == len(changes)


def test_configuration_is_no_web_page(roles: Path) -> None:
    options = good(roles, variables={"text": "<a>"}, files=[{"path": "/a", "template": "page.j2"}])
    assert options["files"][0]["content"] == "<&\"'<a>>\n"


def test_a_template_is_compiled_once(roles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = []
    compile_ = jinja2.Environment.compile

    def count(self: jinja2.Environment, *args: t.Any, **options: t.Any) -> t.Any:
        compiled.append(args[1])
        return compile_(self, *args, **options)

    monkeypatch.setattr(jinja2.Environment, "compile", count)
    sites = [{"name": f"s{number}"} for number in range(500)]
    files = [{"path": "/{name}", "template": "site.conf.j2", "each": sites, "as": "site"}]
    assert len(good(roles, variables={"port": 1}, files=files)["files"]) == 500
    assert compiled == ["site.conf.j2"]


def test_no_item_is_no_file(roles: Path) -> None:
    assert good(roles, files=[{"path": "/{name}", "content": "", "each": []}])["files"] == []


X = {"path": "/x", "content": ""}
PROBLEMS: list[tuple[dict[str, t.Any], list[str]]] = [
    ({"files": {}}, ["files: {} should be a list"]),
    ({"files": [7]}, ["files[0]: 7 should be a dictionary"]),
    ({"files": [{"content": ""}]}, ["files[0].path: a value is required"]),
    ({"files": [{**X, "path": "x"}]}, ['files[0].path: "x" should be an absolute path']),
    (
        {"files": [{**X, "path": "/a/../b"}]},
        ['files[0].path: "/a/../b" should be a plain path, without `..`, `//` and a slash at its end'],
    ),
    (
        {"files": [{**X, "path": "/a/"}]},
        ['files[0].path: "/a/" should be a plain path, without `..`, `//` and a slash at its end'],
    ),
    (
        {"files": [{**X, "mode": 420}]},
        ['files[0].mode: 420 should be a string of octal digits; quote it, such as "0644"'],
    ),
    ({"files": [{**X, "mode": "rw"}]}, ['files[0].mode: "rw" should be a string of octal digits, such as "0644"']),
    ({"files": [{**X, "secret": "yes"}]}, ['files[0].secret: "yes" should be true or false']),
    ({"files": [{**X, "owner": 0}]}, ["files[0].owner: 0 should be the name of a user or group"]),
    (
        {"files": [{**X, "unit": "nginx", "verb": "reload"}]},
        ['files[0].unit: "nginx" should be the full name of a unit, such as nginx.service'],
    ),
    (
        {"files": [{**X, "unit": "a.service", "verb": "stop"}]},
        ['files[0].verb: "stop" should be one of reload, restart'],
    ),
    ({"files": [{**X, "unit": "a.service"}]}, ["files[0]: unit and verb belong together. Write both or neither."]),
    ({"files": [{**X, "command": "ls"}]}, ['files[0].command: "ls" should be a list of strings, the program first']),
    ({"files": [{**X, "each": "x"}]}, ['files[0].each: "x" should be a list']),
    (
        {"files": [{"path": "/x"}]},
        ["files[0]: a file needs exactly one of template, content, link, follow, but has none of them"],
    ),
    (
        {"files": [{**X, "link": "y"}]},
        ["files[0]: a file needs exactly one of template, content, link, follow, but has content, link together"],
    ),
    (
        {"files": [{"path": "/x", "link": "y", "mode": "0644"}]},
        ["files[0].mode: a symbolic link has no owner, group, mode or secret"],
    ),
    (
        {"files": [{**X, "conten": ""}]},
        [
            "files[0].conten: unknown key. Did you mean 'content'? (as, command, content, each, follow, group, link, "
            "mode, owner, path, secret, template, unit, verb)"
        ],
    ),
    ({"files": [X, X]}, ["files[1]: /x is in files[0] already. Remove one of the two."]),
    ({"files": [X], "absent": ["/x"]}, ["absent: /x is in files[0] already. Remove one of the two."]),
    (
        {"files": [{"path": "/x/{nam}", "content": "", "each": SITES}]},
        ['files[0].path: "/x/{nam}" contains {nam}, but the item has no such key (each[0]) (and 1 more)'],
    ),
    (
        {"files": [{"path": "/x/{user}", "content": "", "each": SITES[:1]}]},
        ['files[0].path: "/x/{user}" contains {user}, which is neither a string nor a number in the item (each[0])'],
    ),
    ({"files": [{"path": "/x", "template": "no.j2"}]}, ["files[0].template: there is no template no.j2 in FOLDER"]),
    (
        {"files": [{"path": "/x", "template": "missing.j2"}]},
        ["files[0].template: there is no template nowhere.j2 in FOLDER"],
    ),
    (
        {"files": [{"path": "/x", "template": "syntax.j2"}]},
        ["files[0].template: syntax.j2 line 2: Expected an expression, got 'end of statement block'"],
    ),
    (
        {"files": [{"path": "/x", "template": "undefined.j2"}]},
        ["files[0].template: undefined.j2 line 3: 'nothing' is undefined"],
    ),
    (
        {"files": [{"path": "/x", "template": "includes.j2"}]},
        ["files[0].template: undefined.j2 line 3: 'nothing' is undefined"],
    ),
    ({"files": [{"path": "/x", "template": "divides.j2"}]}, ["files[0].template: divides.j2 line 1: division by zero"]),
    (
        {"files": [{"path": "/{name}", "template": "attribute.j2", "each": SITES}]},
        ["files[0].template: attribute.j2 line 1: 'dict object' has no attribute 'nothing' (each[0]) (and 1 more)"],
    ),
    ({"absent": ["x"]}, ['absent[0].path: "x" should be an absolute path']),
    ({"units": ["nginx"]}, ['units[0].name: "nginx" should be the full name of a unit, such as nginx.service']),
    (
        {"units": [{"nam": "a.service"}]},
        ["units[0].nam: unknown key. Did you mean 'name'? (each, name, proof)", "units[0].name: a value is required"],
    ),
    ({"keep": "/x"}, ['keep: "/x" should be a list']),
    ({"keep_units": [1]}, ["keep_units[0]: 1 should be a dictionary"]),
    ({"variables": []}, ["variables: [] should be a dictionary"]),
    ({"variables": {"managed": ""}}, ["variables.managed: config_set sets this variable. Choose another name."]),
    (
        {"files": [{"path": "x", "content": 1, "mode": 1}], "units": [7]},
        [
            'files[0].path: "x" should be an absolute path',
            "files[0].content: 1 should be a string",
            'files[0].mode: 1 should be a string of octal digits; quote it, such as "0644"',
            "units[0]: 7 should be a dictionary",
        ],
    ),
]


@pytest.mark.parametrize(("options", "problems"), PROBLEMS)
def test_problems_name_the_value_and_what_would_be_right(
    roles: Path, options: dict[str, t.Any], problems: list[str]
) -> None:
    rendered: Rendered = render(options, [str(roles)])
    assert rendered.problems == [problem.replace("FOLDER", str(roles)) for problem in problems]
