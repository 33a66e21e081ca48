"""Every key that some server does not use, with every server: rejected in the description, ignored in the defaults."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.pyhost.web.plugins.module_utils._catalog import BACK_ENDS, FRONT_ENDS, protocols
from ansible_collections.pyhost.web.plugins.plugin_utils._items.sites import sites
from ansible_collections.pyhost.web.plugins.plugin_utils._model.inventory import Fleet, Host, Invalid
from ansible_collections.pyhost.web.plugins.plugin_utils._model.resolve import resolve

Keys = dict[str, t.Any]

APP: Keys = {"wsgi": "m:a", "requirements": ["x"], "domains": ["a.example"], "static": {"/s/": "s"}}

# Keys with the ability that a front end needs for them.
ABILITIES: list[tuple[str, Keys, str]] = [
    ("htaccess", {"htaccess": True}, "htaccess"),
    ("limits.requests", {"limits": {"requests": "10/s"}}, "limits_visitors"),
    ("limits.connections", {"limits": {"connections": 5}}, "limits_visitors"),
]
# Without these, more would be public than was meant: the defaults are no place to lose them silently.
KEPT: list[tuple[str, Keys, str]] = [("tls", {"tls": "self_signed"}, "tls")]

INSIDE: list[tuple[str, Keys]] = [
    ("limits.cpu", {"limits": {"cpu": "50%"}}),
    ("limits.tasks", {"limits": {"tasks": 64}}),
    ("network", {"network": False}),
    ("jit", {"jit": False}),
    ("proc", {"proc": False}),
]


def _resolve(own: Keys, *, defaults: Keys | None = None, front_end: str = "nginx") -> tuple[Keys | None, list[str]]:
    """Return the host's model, and the paths of the problems."""
    variables = {"pyhost_frontend": front_end, "pyhost_apps": {"shop": {**APP, **own}}}
    if defaults:
        variables["pyhost_app_defaults"] = defaults
    fleet = Fleet({"one": Host("one", variables)}, None, None, match=lambda _pattern: ["one"])
    try:
        return resolve(fleet)["one"], []
    except Invalid as error:
        return None, [problem.path for problem in error.problems]


@pytest.mark.parametrize("front_end", FRONT_ENDS)
@pytest.mark.parametrize(("key", "given", "ability"), [*ABILITIES, *KEPT])
def test_a_front_end_rejects_what_it_does_not_have(front_end: str, key: str, given: Keys, ability: str) -> None:
    _model, problems = _resolve(given, front_end=front_end)
    assert problems == ([] if getattr(FRONT_ENDS[front_end], ability) else [f"pyhost_apps.shop.{key}"])


@pytest.mark.parametrize("front_end", FRONT_ENDS)
@pytest.mark.parametrize(("key", "given", "ability"), ABILITIES)
def test_defaults_are_for_those_that_have_it(front_end: str, key: str, given: Keys, ability: str) -> None:
    model, problems = _resolve({}, defaults=given, front_end=front_end)
    assert problems == []
    assert model
    # What the role gets, it takes.
    (mount,) = sites(f"frontend_{front_end}_sites", model["sites"])[0]["mounts"]
    name, _dot, below = key.partition(".")
    found = mount["limits"].get(below) if below else mount.get(name)
    assert bool(found) == getattr(FRONT_ENDS[front_end], ability)


@pytest.mark.parametrize("front_end", FRONT_ENDS)
@pytest.mark.parametrize(("key", "given", "ability"), KEPT)
def test_defaults_lose_nothing_that_protects(front_end: str, key: str, given: Keys, ability: str) -> None:
    _model, problems = _resolve({}, defaults=given, front_end=front_end)
    assert problems == ([] if getattr(FRONT_ENDS[front_end], ability) else [f"pyhost_apps.shop.{key}"])


@pytest.mark.parametrize(
    ("front_end", "back_end", "protocol"),
    [(front, back, protocol) for front in FRONT_ENDS for back in BACK_ENDS for protocol in protocols(front, back)],
)
@pytest.mark.parametrize(("key", "given"), INSIDE)
def test_a_front_end_holds_its_own_processes_to_nothing(
    front_end: str, back_end: str, protocol: str, key: str, given: Keys
) -> None:
    chosen = {"backend": back_end, "protocol": protocol}
    _model, problems = _resolve({**chosen, **given}, front_end=front_end)
    assert problems == ([f"pyhost_apps.shop.{key}"] if protocol == "wsgi" else [])
    assert _resolve(chosen, defaults=given, front_end=front_end)[1] == []


@pytest.mark.parametrize(
    ("key", "given", "needs"),
    [
        ("hsts", {"hsts": "max-age=1"}, {"tls": "self_signed"}),
        ("static_max_age", {"static_max_age": 5, "static": {}}, {"static": {"/s/": "s"}}),
        ("purge", {"purge": True}, {"state": "absent"}),
    ],
)
def test_what_needs_another_key(key: str, given: Keys, needs: Keys) -> None:
    assert _resolve(given)[1] == [f"pyhost_apps.shop.{key}"]
    assert _resolve({**given, **needs})[1] == []
    below = {name: value for name, value in given.items() if name == key}
    assert _resolve({"static": {}}, defaults=below)[1] == []
