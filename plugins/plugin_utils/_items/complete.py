# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checking a role's list of items, and adding all that its templates print.

Templates print and do not compute, so whatever follows from an item's keys is added here.
"""

from __future__ import annotations

import typing as t

from .._keys.checks import check_user
from .._keys.key import Invalid, Key, Validator
from .._servers.server import Item


def complete(path: str, items: t.Any, keys: tuple[Key, ...], derive: t.Callable[[Item], Item]) -> list[Item]:
    """Return the items, checked and derived; raise Invalid naming every problem below ``path``."""
    validator = Validator()
    wanted = Key(path, "list", "", elements="dict", options=keys, default=[])
    checked = validator.value(path, items, wanted)
    if not validator.problems:
        for index, item in enumerate(checked):
            if "user" in item:
                # Only an account that is named may be on the host already.
                item["named"] = item["user"] is not None
            if "user" in item and item["user"] is None:
                try:
                    item["user"] = check_user(item["name"])
                except ValueError as error:
                    validator.problem(f"{path}[{index}].name", str(error))
        names = [item["name"] for item in checked if item["name"]]
        for name in sorted({name for name in names if names.count(name) > 1}):
            validator.problem(path, f"two entries have the name '{name}'. Give each one its own name.")
    if validator.problems:
        raise Invalid(validator.problems)
    return [derive(item) for item in checked]
