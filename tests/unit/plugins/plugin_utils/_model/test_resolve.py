"""The resolver's cases are data: wrong inventories with their problems, right ones with parts of their model."""

from __future__ import annotations

import fnmatch
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.pyhost.web.plugins.module_utils._catalog import BACK_ENDS, FRONT_ENDS, protocols
from ansible_collections.pyhost.web.plugins.plugin_utils._keys.key import Invalid
from ansible_collections.pyhost.web.plugins.plugin_utils._model.inventory import Fleet, Host
from ansible_collections.pyhost.web.plugins.plugin_utils._model.resolve import resolve
from ansible_collections.pyhost.web.plugins.plugin_utils._model.topology import stable_port

Case = dict[str, t.Any]
DATA = Path(__file__).parent / "data"


def _cases(name: str) -> list[t.Any]:
    cases: list[Case] = yaml.safe_load((DATA / name).read_text())
    return [pytest.param(case, id=case["name"]) for case in cases]


def _fleet(case: Case) -> Fleet:
    shared = {**({"pyhost_apps": case["apps"]} if "apps" in case else {}), **case.get("vars", {})}
    hosts = {
        name: Host(name, {**shared, **variables}, address=name)
        for name, variables in case.get("hosts", {"one": {}}).items()
    }
    return Fleet(
        hosts,
        case.get("frontends"),
        case.get("backends"),
        match=lambda pattern: fnmatch.filter(hosts, pattern),
        preset=case.get("preset", {}),
        run=case.get("run", "site"),
    )


def _contains(actual: t.Any, expected: t.Any, path: str) -> None:
    """Hold a part of the model against what is expected of it: dictionaries may have more, lists may not."""
    if isinstance(expected, dict) and expected:
        for key, value in expected.items():
            assert key in actual, f"{path}.{key} is missing"
            _contains(actual[key], value, f"{path}.{key}")
    elif isinstance(expected, list) and expected:
        assert len(actual) == len(expected), f"{path} has {len(actual)} members: {actual}"
        for index, value in enumerate(expected):
            _contains(actual[index], value, f"{path}[{index}]")
    else:
        assert actual == expected, path


@pytest.mark.parametrize("case", _cases("problems.yml"))
def test_every_problem_is_told(case: Case) -> None:
    with pytest.raises(Invalid) as caught:
        resolve(_fleet(case))
    told = sorted(map(str, caught.value.problems))
    expected = sorted(case["problems"])
    assert len(told) == len(expected), told
    for message, beginning in zip(told, expected, strict=True):
        assert message.startswith(beginning)
    assert "hunter" not in str(caught.value)


@pytest.mark.parametrize("case", _cases("models.yml"))
def test_model(case: Case) -> None:
    fleet = _fleet(case)
    models = resolve(fleet)
    for host, expected in case["model"].items():
        _contains(models[host], expected, host)
    warned = zip(fleet.warnings, case.get("warnings", []), strict=True)
    assert [text for text, beginning in warned if not text.startswith(beginning)] == []


def test_the_model_does_not_depend_on_the_order_of_the_inventory() -> None:
    apps = {name: {"wsgi": "m:a", "requirements": ["x"], "domains": [f"{name}.example"]} for name in "abc"}
    backwards = dict(reversed(apps.items()))
    assert resolve(_fleet({"apps": apps})) == resolve(_fleet({"apps": backwards}))


def test_a_port_is_stable() -> None:
    assert stable_port("shop") == 25107
    assert {20000 <= stable_port(f"app{number}") < 30000 for number in range(1000)} == {True}


def test_every_back_end_reaches_a_front_end() -> None:
    for back_end in BACK_ENDS:
        assert any(protocols(front_end, back_end) for front_end in FRONT_ENDS), back_end
