"""What a change can break, as tools/affected.py reads it from the files of this project."""

from __future__ import annotations

import pytest

from tools.affected import affected

ROLES = {
    "roles/frontend_lighttpd/templates/lighttpd.conf.j2": ("frontend_lighttpd", "frontend_nginx"),
    "roles/frontend_cherokee/tasks/main.yml": ("frontend_cherokee", "frontend_apache"),
    "roles/backend_flup/tasks/main.yml": ("backend_flup", "backend_uwsgi"),
}


@pytest.mark.parametrize("file", ROLES)
def test_a_role_is_seen_where_its_server_runs_and_in_every_combination(file: str) -> None:
    there, not_there = (f"molecule:{name}" for name in ROLES[file])
    parts = affected({file})
    assert {"lint", "unit", "sanity", there, "molecule:matrix"} <= {*parts}
    assert not_there not in parts


def test_a_role_that_every_site_has_by_default_is_seen_in_default() -> None:
    assert "molecule:default" in affected({"roles/frontend_nginx/tasks/main.yml"})


def test_what_every_role_imports_is_seen_in_every_scenario() -> None:
    parts = affected({"plugins/modules/config_set.py"})
    assert {f"molecule:{name}" for name in ("app", "backend_uwsgi", "frontend_apache", "transaction")} <= {*parts}


def test_a_page_needs_no_scenario() -> None:
    assert affected({"docs/deploy.md"}) == ["lint", "unit"]


def test_a_scenario_s_own_tests_are_seen_there_alone() -> None:
    assert affected({"molecule/tls/tests/test_tls.py"}) == ["lint", "molecule:tls"]
