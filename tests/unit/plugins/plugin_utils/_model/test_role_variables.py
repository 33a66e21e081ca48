"""Variables of the roles are checked with the inventory; what the run reads on the controller is known then."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.pyhost.web.plugins.plugin_utils._keys.key import Invalid
from ansible_collections.pyhost.web.plugins.plugin_utils._model.inventory import Fleet, Host
from ansible_collections.pyhost.web.plugins.plugin_utils._model.resolve import resolve

Variables = dict[str, t.Any]

DIGEST = f"sha256:{'0' * 64}"
ARCHIVE = {"frontend_cherokee_archive": "cherokee.tgz"}


def _fleet(roles: Variables, variables: Variables, run: str = "site") -> Fleet:
    host = Host("one", {"pyhost_apps": {}, **variables}, roles=roles, roles_unread=False)
    return Fleet({"one": host}, None, None, match=lambda _pattern: ["one"], run=run)


def _problems(roles: Variables, front_end: str = "nginx") -> list[str]:
    try:
        resolve(_fleet(roles, {"pyhost_frontend": front_end}))
    except Invalid as error:
        return list(map(str, error.problems))
    return []


@pytest.mark.parametrize(
    ("roles", "front_end", "told"),
    [
        (
            {"frontend_nginx_worker_conections": 5},
            "nginx",
            "frontend_nginx_worker_conections: unknown variable of",
        ),
        ({"frontend_nginx_worker_connections": "many"}, "nginx", "frontend_nginx_worker_connections: 'many' is not a"),
        ({"frontend_nginx_worker_connections": 0}, "nginx", "frontend_nginx_worker_connections: 0 is not"),
        ({"frontend_nginx_listen": [80]}, "nginx", "frontend_nginx_listen[0]: 80 is a number"),
        ({"frontend_nginx_listen": ["http"]}, "nginx", "frontend_nginx_listen[0]: 'http' is not"),
        (
            {"backend_flup_other_apps": ["x"]},
            "nginx",
            "backend_flup_other_apps: this variable has no effect, because the playbooks set it",
        ),
        ({"backend_flup_web_group": True}, "nginx", "backend_flup_web_group: true is a boolean: YAML reads"),
        ({}, "cherokee", "frontend_cherokee_archive: one has no source for its server. Debian does not"),
        ({"frontend_cherokee_archive": ""}, "cherokee", "frontend_cherokee_archive: one has no source for its server"),
        (
            {**ARCHIVE, "frontend_cherokee_deb": "x.deb"},
            "cherokee",
            "frontend_cherokee_deb: frontend_cherokee_archive",
        ),
        (
            {"frontend_cherokee_archive": "https://example.org/cherokee.tgz"},
            "cherokee",
            "frontend_cherokee_archive: the file of a URL runs as root, so its digest is required. Add"
            " `frontend_cherokee_checksum: sha256:…`",
        ),
        (
            {**ARCHIVE, "frontend_cherokee_checksum": "0" * 64},
            "cherokee",
            "frontend_cherokee_checksum: '0000",
        ),
        (
            {"frontend_cherokee_prefix": "/srv/cherokee", "frontend_cherokee_checksum": DIGEST},
            "cherokee",
            "frontend_cherokee_checksum: a checksum needs a file",
        ),
    ],
)
def test_what_is_wrong_is_told_with_the_inventory(roles: Variables, front_end: str, told: str) -> None:
    (problem,) = _problems(roles, front_end)
    assert problem.startswith(told), problem


@pytest.mark.parametrize(
    ("roles", "front_end"),
    [
        ({}, "nginx"),
        ({"frontend_lighttpd_typo": 1}, "nginx"),
        ({"frontend_nginx_listen": ["80", "[::]:80", "127.0.0.1:8080"]}, "nginx"),
        ({**ARCHIVE, "frontend_cherokee_checksum": DIGEST}, "cherokee"),
        ({"frontend_cherokee_packages": ["cherokee"]}, "cherokee"),
    ],
)
def test_what_is_right_is_none_of_them(roles: Variables, front_end: str) -> None:
    assert _problems(roles, front_end) == []


def test_a_host_without_a_front_end_needs_none() -> None:
    fleet = _fleet({"frontend_nginx_typo": 1}, {"pyhost_frontend": "cherokee"})
    fleet.frontends = []
    assert resolve(fleet)["one"]["frontend"] == ""


@pytest.mark.parametrize(
    ("run", "chosen", "needed"),
    [
        ("site", {}, ["frontend_cherokee_archive", "pyhost_apps.blog.source.archive", "pyhost_apps.shop.source.path"]),
        ("deploy", {"pyhost_only": "shop"}, ["pyhost_apps.shop.source.path"]),
        ("rollback", {"pyhost_only": "shop"}, []),
        ("status", {}, []),
    ],
)
def test_a_run_needs_what_it_reads(run: str, chosen: Variables, needed: list[str]) -> None:
    app = {"wsgi": "m:a", "requirements": ["x"]}
    apps = {
        "shop": {**app, "domains": ["a.example"], "source": {"path": "./shop"}},
        "blog": {**app, "domains": ["b.example"], "source": {"archive": "blog.tgz", "checksum": DIGEST}},
        "wiki": {**app, "domains": ["c.example"], "source": {"archive": "https://example.org/wiki.tgz"}},
        "gone": {**app, "domains": ["d.example"], "source": {"path": "./gone"}, "state": "absent"},
    }
    fleet = _fleet(ARCHIVE, {"pyhost_frontend": "cherokee", "pyhost_apps": apps, **chosen}, run)
    resolve(fleet)
    assert sorted(one.path for one in fleet.needed) == needed
    assert {one.checksum for one in fleet.needed if one.path.endswith("source.archive")} <= {DIGEST}
