# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is told of hosts: the comparison's cases are data; table and page are held against what may be in a name."""

from __future__ import annotations

import datetime
import fnmatch
import html.parser
import json
import typing as t
from pathlib import Path

import ansible_collections.pyhost.web.plugins.plugin_utils as plugin_utils
import pytest
import yaml
from ansible_collections.pyhost.web.plugins.plugin_utils._model.inventory import Fleet, Host
from ansible_collections.pyhost.web.plugins.plugin_utils._model.resolve import resolve
from ansible_collections.pyhost.web.plugins.plugin_utils._report import table as text
from ansible_collections.pyhost.web.plugins.plugin_utils._report.page import page, picture, shorten
from ansible_collections.pyhost.web.plugins.plugin_utils._report.report import report, wanted
from ansible_collections.pyhost.web.plugins.plugin_utils._report.summary import registered, summary

Case = dict[str, t.Any]
DATA = Path(__file__).parent / "data"
TEMPLATES = Path(next(iter(plugin_utils.__path__))).parents[1] / "playbooks" / "templates"
NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
SHOP = {"wsgi": "s:a", "requirements": ["s"], "domains": ["a.example"], "env": {"KEY": "hunter2"}}
WELL = {
    "release": "aaaa",
    "since": "2026-01-01T00:00:00Z",
    "next": "aaaa",
    "releases": 2,
    "state": "running",
    "processes": 3,
    "memory": 44040192,
    "restarts": 0,
}
HOSTILE = "\"><script>alert(1)</script>\x1b[2J'&amp;"


def _cases(file: str) -> list[t.Any]:
    return [pytest.param(case, id=case["name"]) for case in yaml.safe_load((DATA / file).read_text())]


def _models(case: Case) -> dict[str, Case]:
    shared = {"pyhost_apps": case.get("apps", {"shop": SHOP}), **case.get("vars", {})}
    hosts = {name: Host(name, {**shared, **own}) for name, own in case.get("hosts", {"one": {}}).items()}
    return resolve(
        Fleet(hosts, case.get("frontends"), case.get("backends"), match=lambda pattern: fnmatch.filter(hosts, pattern))
    )


def _well(model: Case) -> Case:
    """Return what the module finds on a host on which all is as the model says."""
    applications = {
        item["name"]: {**WELL, "backend": name, "protocol": item["protocol"], "unit": f"pyhost-{item['name']}.service"}
        for name, items in model["backends"].items()
        for item in items
    }
    published = [mount["app"] for site in model["sites"] for mount in site["mounts"]]
    name = model["frontend"]
    return {
        "applications": applications,
        "front_ends": {name: {"unit": f"{name}.service", "state": "running", "version": "1.0-1"}} if name else {},
        "health": {app: {"status": 200, "seconds": 0.0123, "error": ""} for app in published},
        "orphans": [],
        "interrupted": [],
    }


def _lay(below: t.Any, above: t.Any) -> t.Any:
    if not isinstance(above, dict) or not isinstance(below, dict):
        return above
    merged = {**below, **{key: _lay(below.get(key), value) for key, value in above.items()}}
    return {key: value for key, value in merged.items() if value is not None or key in ("status", "unit")}


def _results(case: Case, models: dict[str, Case]) -> Case:
    found = {host: _lay(_well(model), case.get("found", {}).get(host, {})) for host, model in models.items()}
    return case.get("results", found)


def _report(case: Case) -> Case:
    models = _models(case)
    return report(models, _results(case, models), NOW)


@pytest.mark.parametrize("case", _cases("summary.yml"))
def test_what_is_summed_up(case: Case) -> None:
    models = _models(case)
    failed = case.get("failed", [])
    results = {host: result for host, result in _results(case, models).items() if host not in failed}
    for host, done in case.get("done", {}).items():
        results[host]["done"] = registered(done)
    found = report(models, results, NOW)
    assert summary(models, results, failed, found, check=case.get("check", False)) == case["told"]


@pytest.mark.parametrize("case", _cases("status.yml"))
def test_what_is_wrong(case: Case) -> None:
    told = _report(case)
    assert told["problems"] == case["problems"]
    assert told["healthy"] is not bool(case["problems"])
    assert told["orphans"] == case.get("orphans", [])
    states = {box.title: box.state for box in picture(told)["boxes"]}
    assert {**states, **case.get("states", {})} == states
    for host, healths in case.get("healths", {}).items():
        (app,) = told["hosts"][host]["applications"]
        assert [answer["status"] for answer in app["answers"]] == healths
    assert json.loads(json.dumps(told)) == told
    # All are told in each way.
    for rendered in (text.table(told), page(told, TEMPLATES)):
        for problem in (*case["problems"], *case.get("certificates", ())):
            assert problem in rendered


def test_what_a_host_is_told_has_no_secret() -> None:
    told = wanted(_models({}), "one")
    assert told["apps"] == {"shop": "shop"}
    question = {
        "app": "shop", "host": "a.example", "path": "/", "timeout": 30, "endpoint": "", "mount": "", "https": False,
    }  # fmt: skip
    assert told["questions"] == [question]
    assert "hunter2" not in json.dumps(told)


def test_what_runs_elsewhere_is_asked_by_both() -> None:
    hosts = {name: {"pyhost_address": "192.0.2.1"} for name in ("f", "b")}
    models = _models({"hosts": hosts, "frontends": ["f"], "backends": ["b"]})
    assert (wanted(models, "f")["apps"], len(wanted(models, "f")["questions"])) == ({}, 1)
    (question,) = wanted(models, "b")["questions"]
    assert question["endpoint"] == "uwsgi+unix://%2Frun%2Fpyhost%2Fshop.sock"
    assert wanted(models, "b")["apps"] == {"shop": "shop"}


def test_table() -> None:
    head, front_end, shop, *rest = text.table(_report({})).splitlines()
    cells = [line[head.index("SERVER") :].split("  ") for line in (head, front_end, shop)]
    assert [list(filter(None, map(str.strip, row))) for row in cells] == [
        ["SERVER", "STATE", "PROCESSES", "MEMORY", "RESTARTS", "RELEASE", "SINCE (UTC)", "KEPT", "HEALTH"],
        ["nginx 1.0-1", "running"],
        ["uwsgi", "running", "3", "42.0 MiB", "0", "aaaa", "2026-01-01 00:00", "2", "200 in 12 ms"],
    ]
    assert (head[:20], front_end[:20], shop[:20]) == (
        "   HOST  WHAT       ",
        "   one   front end  ",
        "   one   shop       ",
    )
    assert rest == ["", "Everything in the inventory is healthy."]
    # Numbers end below each other, below the end of their column's name.
    assert shop[: head.index("MEMORY") + 6].endswith("MiB")


def test_tables_of_nothing() -> None:
    assert text.table(_report({"hosts": {}})) == "No hosts.\nEverything in the inventory is healthy.\n"
    bare = _report({"apps": {}, "hosts": {"one": {}}, "frontends": [], "backends": ["one"]})
    assert text.table(bare).splitlines()[1] == "   one   –     –       –"


@pytest.mark.parametrize(
    ("value", "columns"), [("shop", 4), ("日本", 4), ("é", 1), ("e\N{COMBINING ACUTE ACCENT}", 1), ("", 0)]
)
def test_columns_line_up_whatever_is_in_them(value: str, columns: int) -> None:
    assert text.width(value) == columns
    first, second = text.layout([["NAME", "STATE"], [value, "running"]]).splitlines()
    assert text.width(first.partition("STATE")[0]) == text.width(second.partition("running")[0])


@pytest.mark.parametrize(
    ("size", "shown"), [(None, "–"), (0, "0.0 MiB"), (2**20 * 3 // 2, "1.5 MiB"), (2**30, "1.0 GiB")]
)
def test_memory(size: int | None, shown: str) -> None:
    assert text.memory(size) == shown


class _Page(html.parser.HTMLParser):
    """Notes the elements, their attributes and whether each is closed."""

    VOID = ("meta", "path", "rect", "circle", "use")

    def __init__(self, source: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def _hostile() -> Case:
    told = _report({})
    (host,) = told["hosts"].values()
    (app,) = host["applications"]
    app |= dict.fromkeys(("name", "backend", "protocol", "state", "release", "since"), HOSTILE)
    app |= {"urls": [f"http://{HOSTILE}/"], "endpoints": [HOSTILE], "problems": [HOSTILE]}
    app["answers"] = [{**app["answers"][0], "status": None, "error": HOSTILE, "front_end": HOSTILE}]
    host["front_ends"] = [{"name": HOSTILE, "unit": HOSTILE, "state": HOSTILE, "version": HOSTILE}]
    return {**told, "problems": [HOSTILE], "orphans": [HOSTILE], "hosts": {HOSTILE: host}}


@pytest.mark.parametrize("told", [_report({}), _report({"hosts": {}}), _hostile()], ids=["well", "empty", "hostile"])
def test_the_page_is_whole_and_needs_nothing_else(told: Case) -> None:
    source = page(told, TEMPLATES)
    read = _Page(source)
    assert read.open == []
    assert not {"script", "link", "img", "iframe", "object", "embed", "base"} & {tag for tag, _attributes in read.seen}
    for tag, attributes in read.seen:
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "srcset")], tag
        goal = attributes.get("href")
        # Only the applications themselves are elsewhere.
        assert goal is None or (goal.startswith("#") if tag == "use" else tag == "a" and goal.startswith("http://"))
    assert "url(" not in source
    assert "@import" not in source
    assert "prefers-color-scheme: dark" in source


def test_a_terminal_is_not_steered() -> None:
    assert "\x1b" not in text.table(_hostile())


def test_boxes_stay_apart_and_in_the_picture() -> None:
    apps = {name: {**SHOP, "domains": [f"{name}.example"]} for name in ("a", "b", "c")}
    hosts = {name: {"pyhost_address": f"192.0.2.{index}"} for index, name in enumerate(("f1", "f2", "b1", "b2"))}
    drawn = picture(_report({"hosts": hosts, "apps": apps, "frontends": ["f1", "f2"], "backends": ["b1", "b2"]}))
    assert (len(drawn["boxes"]), len(drawn["lines"])) == (2 + 3 + 6, 2 * 3 + 6)
    tall = drawn["box_height"]
    for box in drawn["boxes"]:
        assert 0 <= box.x <= box.x + box.width <= drawn["width"]
        assert 0 <= box.y <= box.y + tall <= drawn["height"]
        others = [other for other in drawn["boxes"] if other is not box and other.x == box.x]
        assert all(abs(other.y - box.y) >= tall for other in others)


def test_long_texts_are_cut() -> None:
    assert (shorten("abcdef", 6), shorten("abcdefg", 6)) == ("abcdef", "abcde…")
