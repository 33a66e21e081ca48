# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes in and out of the module."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import ansible_collections.pyhost.web.plugins.plugin_utils as plugin_utils
import jinja2
import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.pyhost.web.plugins.module_utils._entry import NEEDED
from ansible_collections.pyhost.web.plugins.module_utils._fs import Node
from ansible_collections.pyhost.web.plugins.module_utils._mask import Mask
from ansible_collections.pyhost.web.plugins.module_utils._transaction.run import Outcome
from ansible_collections.pyhost.web.plugins.module_utils._transaction.secret_file import OPEN, values_of
from ansible_collections.pyhost.web.plugins.module_utils._transaction.stage import Change
from ansible_collections.pyhost.web.plugins.module_utils._transaction.wish import Entry, Request, Wish
from ansible_collections.pyhost.web.plugins.modules.config_set import (
    ARGUMENTS,
    DOCUMENTATION,
    EXAMPLES,
    diff_of,
    mask_of,
    secrets_of,
    told_of,
    wish_of,
)
from ansible_collections.pyhost.web.plugins.plugin_utils._items.processes import processes
from ansible_collections.pyhost.web.plugins.plugin_utils._render import render
from hypothesis import given, settings
from hypothesis import strategies as st

OLD, NEW = Node(b"old\n", 0o644, 0, 0), Node(b"new\n", 0o644, 0, 0)
SECRET = Node(b"KEY=hush\n", 0o600, 0, 0)
ATTRIBUTES = "mode 0644, owner 0, group 0\n"


@pytest.mark.parametrize(
    ("change", "before", "after"),
    [
        (Change(Path("/x"), None, NEW), "", "new\n"),
        (Change(Path("/x"), OLD, NEW), "old\n", "new\n"),
        (Change(Path("/x"), OLD, None), "old\n", ""),
        (Change(Path("/x"), Node(b"y"), NEW), "-> y\n", "new\n"),
        (
            Change(Path("/x"), OLD, Node(b"old\n", 0o600, 0, 33)),
            ATTRIBUTES + "old\n",
            "mode 0600, owner 0, group 33\nold\n",
        ),
        (Change(Path("/x"), None, SECRET, secret=True), "", "(secret, changed)\n"),
        (Change(Path("/x"), SECRET, None, secret=True), "(secret)\n", ""),
        (
            Change(Path("/x"), OLD, SECRET, secret=True),
            ATTRIBUTES + "(secret)\n",
            "mode 0600, owner 0, group 0\n(secret, changed)\n",
        ),
    ],
)
def test_diff(change: Change, before: str, after: str) -> None:
    assert diff_of(change) == {"before_header": "/x", "after_header": "/x", "before": before, "after": after}


SHARED = "head\n# application shop\na\n# application blog\nb\n"


@pytest.mark.parametrize(
    ("before", "after", "applications"),
    [
        (None, SHARED, ["blog", "shop"]),
        (SHARED, None, ["blog", "shop"]),
        (SHARED, SHARED.replace("head", "HEAD"), ["blog", "shop"]),
        (SHARED, SHARED.replace("\na\n", "\nA\n"), ["shop"]),
        (SHARED, SHARED.partition("# application blog")[0], ["blog"]),
        (SHARED + "    # application shop\nc\n", SHARED + "    # application shop\nd\n", ["shop"]),
        ("x\n", "y\n", []),
    ],
    ids=["new", "gone", "above all", "of one", "one went", "in two places", "nobody's"],
)
def test_a_change_is_told_with_its_applications(before: str | None, after: str | None, applications: list[str]) -> None:
    nodes = [Node(text.encode(), 0o644, 0, 0) if text else None for text in (before, after)]
    assert Change(Path("/x"), *nodes).applications == applications


def test_what_became_of_files_and_units() -> None:
    wish = Wish("web", (Entry("/new", "files[0]", content="new\n"), Entry("/none", "absent: /none")))
    link = Change(Path("/current"), Node(b"releases/1"), Node(b"releases/2"))
    gone = [Change(Path(path), OLD, None) for path in ("/none", "/gone")]
    outcome = Outcome(
        changes=[Change(Path("/new"), None, NEW), link, *gone], units={"a.service": "reload", "b.service": "stop"}
    )
    assert told_of(outcome, wish) == {
        "files": ["/new", "/current", "/none", "/gone"],
        "applications": {},
        "units": outcome.units,
        "links": {"/current": {"before": "releases/1", "after": "releases/2"}},
        # What shall not be at a path comes back when nobody says so any more.
        "removed": ["/gone", "b.service"],
    }


def finished(options: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return the parameters that the module gets from the action."""
    rendered = render({"name": "web", **options}, [])
    assert rendered.problems == []
    checked = ArgumentSpecValidator(ARGUMENTS).validate(rendered.options)
    assert checked.error_messages == []
    return dict(checked.validated_parameters)


def test_what_the_action_sends_is_what_the_module_wants() -> None:
    wish = wish_of(
        finished(
            {
                "files": [
                    {"path": "/a", "content": "x", "mode": "0600", "secret": True, "command": ["adopt", "/a"]},
                    {"path": "/b", "link": "a", "unit": "a.service", "verb": "reload"},
                ],
                "absent": ["/c", {"path": "/d", "unit": "a.service", "verb": "reload"}],
                "units": ["a.service", {"name": "{item}.service", "each": ["a", "b"]}],
                "keep": ["/e"],
                "keep_units": ["c.service"],
                "take": True,
                "replaces": ["other"],
                "retire": ["/etc/other.conf"],
                "partial": True,
                "health_urls": ["endpoint", "http://127.0.0.1:80/"],
                "requests": [
                    {"file": "/a", "mount": "/sub", "path": "/up", "status": [200], "unit": "a.service"},
                    {"file": "/b", "endpoint": "scgi+unix://%2Frun%2Fb", "https": True},
                ],
                "test": {"folder": "/etc/x", "command": ["x", "-t"]},
                "probe": {"url": "http://127.0.0.1/"},
            }
        )
    )
    assert [(entry.path, entry.where) for entry in wish.entries] == [
        ("/a", "files[0]"),
        ("/b", "files[1]"),
        ("/c", "absent: /c"),
        ("/d", "absent: /d"),
    ]
    assert wish.entries[0].command == ("adopt", "/a")
    assert (wish.entries[1].link, wish.entries[1].verb) == ("a", "reload")
    assert (wish.entries[3].content, wish.entries[3].unit) == (None, "a.service")
    assert (wish.units, wish.keep, wish.keep_units) == (
        ("a.service", "b.service"),
        frozenset({"/e"}),
        frozenset({"c.service"}),
    )
    assert wish.take
    assert wish.replaces == {"other"}
    assert wish.retire == {"/etc/other.conf"}
    assert wish.partial
    assert wish.requests == (
        # It has no endpoint of its own.
        Request("/a", "http://127.0.0.1:80/sub/up", "/sub", None, (200,), 30, "a.service"),
        Request("/b", "scgi+unix+https://%2Frun%2Fb/", "", None, (), 30, None),
        Request("/b", "https://127.0.0.1:443/", "", None, (), 30, None),
    )
    assert wish.test and wish.test.folder == Path("/etc/x")
    assert wish.probe and wish.probe.timeout == 10


def test_secrets_are_the_contents() -> None:
    params = finished(
        {
            "files": [
                {"path": "/a", "content": "A=1\nKEY=hushhush\n", "secret": True},
                {"path": "/b", "content": "open to all"},
            ]
        }
    )
    assert secrets_of(params) == {"A=1\nKEY=hushhush"}


ENVIRONMENT = {
    "DATABASE_URL": "postgres://shop:hunter2-very-secret@db/shop",
    "TOKEN": "abcdef0123456789",
    "DEBUG": "1",
    "NAME": "shop",
    "QUOTES": 'with "quotes", $dollars and \\ back',
    "KEY": "-----BEGIN\nfirst-line\nlast line\nEND",
}
NAMES = {"path": "/etc/pyhost/shop.env", "mode": "0600", "secret": True}
SCRIPT = """\
import importlib
os.environ['HOME'] = '/var/lib/pyhost/shop'
os.environ['TOKEN'] = 'abcdef0123456789'
os.environ['KEY'] = "it's\\nsecond line"
code = os.path.realpath("/srv/pyhost/shop/current/code")
"""


def _rendered(role: str, name: str, protocol: str) -> str:
    """Return what a role's template makes of the environment."""
    item = {
        "name": "shop",
        "release": "/srv/pyhost/shop",
        "wsgi": "shop:app",
        "user": "shop",
        "env": ENVIRONMENT,
        "protocol": protocol,
    }
    (app,) = processes(f"backend_{role}_apps", [item])
    folder = Path(next(iter(plugin_utils.__path__))).parents[1]
    places = [folder / "playbooks/templates", folder / f"roles/backend_{role}/templates"]
    source = next(place / name for place in places if (place / name).exists()).read_text(encoding="utf-8")
    # Only what Ansible itself would fill in is left out.
    return jinja2.Environment(trim_blocks=True, autoescape=False).from_string(source).render(app=app, managed="managed")


@pytest.mark.parametrize(
    "rendered",
    [
        ("uwsgi", "app.env.j2", "uwsgi"),
        ("flup", "app.env.j2", "scgi"),
        ("mod_wsgi", "app.wsgi.j2", "http"),
    ],
    ids=["uwsgi", "flup", "mod_wsgi"],
)
def test_an_application_that_prints_its_environment_tells_no_secret(
    rendered: tuple[str, str, str], tmp_path: Path
) -> None:
    params = finished({"files": [{**NAMES, "content": _rendered(*rendered)}]})
    said = "\n".join(
        [
            "starting pyhost-shop.service failed: ModuleNotFoundError: No module named 'shop_db'",
            "import importlib",
            '  File "/srv/pyhost/shop/current/code/shop.py", line 1',
            "could not connect to postgres://shop:hunter2-very-secret@db/shop, token abcdef0123456789",
            repr(ENVIRONMENT),
            *(f"{name}={value}" for name, value in ENVIRONMENT.items()),
        ]
    )
    told = mask_of(params, tmp_path)(said)
    for secret in ("hunter2-very-secret", "abcdef0123456789", "first-line", "last line", "dollars and"):
        assert secret not in told
    assert told.startswith("\n".join(said.splitlines()[:3]))


SECRETS = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="*"), min_size=4, max_size=12), max_size=3)


@settings(derandomize=True, max_examples=150, deadline=None)
@given(SECRETS, st.text(max_size=20))
def test_no_secret_of_any_kind_is_left(secrets: list[str], between: str) -> None:
    told = Mask(secrets)(between.join(["said: ", *secrets, *secrets, ""]))
    assert not [secret for secret in secrets if secret in told]


def test_secrets_that_only_the_host_has_are_masked_too(tmp_path: Path) -> None:
    """A deploy has no file of the environment, and the message of a change may quote what was there before."""
    secret = tmp_path / "shop.env"
    secret.write_text('TOKEN="abcdef0123456789"\n', encoding="utf-8")
    files = {str(secret): {"secret": True}, str(tmp_path / "gone.env"): {"secret": True}, "/etc/hosts": {}}
    (tmp_path / "backend_uwsgi.json").write_text(json.dumps({"files": files}), encoding="utf-8")
    mask = mask_of(finished({"files": [{"path": "/srv/pyhost/shop/current", "link": "next"}]}), tmp_path)
    assert mask("token abcdef0123456789 of shop on localhost") == "token ******** of shop on localhost"
    (tmp_path / "backend_uwsgi.json").write_text("{", encoding="utf-8")
    assert mask_of(finished({}), tmp_path)("readable") == "readable"


@pytest.mark.parametrize(
    ("content", "values"),
    [
        ('A="x y"\nB="two\nlines"\n', {"x y", "two\nlines"}),
        (r'A="a\"b\\c\$d\`e"', {'a"b\\c$d`e'}),
        ("# Managed\nexport A=plain\nB='quoted'\n", {"plain", "quoted"}),
        (SCRIPT, {"abcdef0123456789", "it's\nsecond line"}),
        ("os.environ['HOME'] = '/x'\nimport importlib\n", set()),
        ("# of all\nthe-whole-line\nshort\n", {"the-whole-line"}),
        ("", set()),
    ],
)
def test_the_values_of_a_secret_file(content: str, values: set[str]) -> None:
    assert values_of(content) == values


@settings(derandomize=True, max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.from_regex(r"[A-Z_][A-Z0-9_]{0,5}", fullmatch=True),
        st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"]), max_size=20),
        max_size=4,
    )
)
def test_all_values_of_any_environment_are_found(env: dict[str, str]) -> None:
    shop = {"name": "shop", "release": "/srv/pyhost/shop", "wsgi": "shop:app", "user": "shop", "env": env}
    (app,) = processes("backend_uwsgi_apps", [shop])
    assert values_of("\n".join(["# managed", *app["environment"]])) >= {value for value in env.values() if value}
    (app,) = processes("backend_mod_wsgi_apps", [shop])
    script = "\n".join(["import os", *(f"os.environ[{name}] = {value}" for name, value in app["variables"])])
    assert values_of(script) == {value for name, value in env.items() if name not in OPEN}


def test_a_link_of_any_bytes_is_told() -> None:
    link = Change(Path("/current"), Node(b"releases/\xff"), Node(b"releases/2"))
    assert told_of(Outcome(changes=[link]), Wish("web"))["links"]["/current"]["before"] == "releases/\\xff"


def test_a_diff_does_not_steer_the_terminal() -> None:
    change = Change(Path("/x"), Node(b"a\r\n\x1b[31m\xff\n", 0o644, 0, 0), NEW)
    assert diff_of(change)["before"] == "a\\r\n\\x1b[31m\ufffd\n"


def test_the_documentation_says_what_the_arguments_are() -> None:
    def compare(documented: dict[str, t.Any], arguments: dict[str, t.Any]) -> None:
        assert documented.keys() == arguments.keys()
        for name, argument in arguments.items():
            for key in ("type", "default", "elements", "choices", "required"):
                assert documented[name].get(key) == argument.get(key), (name, key)
            compare(documented[name].get("suboptions", {}), argument.get("options", {}))

    # That one is documented once, for all modules that have it.
    compare(yaml.safe_load(DOCUMENTATION)["options"], {name: ARGUMENTS[name] for name in ARGUMENTS.keys() - NEEDED})


def test_the_examples_have_no_key_of_their_own() -> None:
    for task in yaml.safe_load(EXAMPLES):
        assert task["pyhost.web.config_set"].keys() <= ARGUMENTS.keys()
