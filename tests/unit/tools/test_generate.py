"""What is generated for readers is written for readers."""

from __future__ import annotations

import pytest

from plugins.plugin_utils._items.roles import ROLES
from plugins.plugin_utils._keys.app import APP
from plugins.plugin_utils._keys.host import HOST
from tools import generate

# Types of Ansible's argument specs that mean something to programmers alone.
INTERNAL = {"raw", "str", "int", "bool", "dict", "float", "path"}


@pytest.mark.parametrize("keys", [APP, HOST, *(role.variables for role in ROLES.values())], ids=["app", "host", *ROLES])
def test_types_are_plain_words(keys: tuple[generate.Key, ...]) -> None:
    kinds = {row.split(" | ")[1] for row in generate._rows(keys)}
    assert kinds
    assert not {word for kind in kinds for word in kind.split()} & INTERNAL


def test_each_group_of_the_reference_begins_with_a_key() -> None:
    assert set(generate.GROUPS) <= {key.name for key in (*APP, *HOST)}
    assert {APP[0].name, HOST[0].name} <= set(generate.GROUPS)
