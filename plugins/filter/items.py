# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters that check what a role was given, and add all that it works with."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ..plugin_utils._items.front_end import front_end
from ..plugin_utils._items.processes import processes
from ..plugin_utils._items.releases import releases
from ..plugin_utils._keys.key import Invalid


def _items(complete: t.Callable[..., list[dict[str, t.Any]]]) -> t.Callable[..., t.Any]:
    def apply(value: t.Any, variable: str, *more: t.Any) -> list[dict[str, t.Any]]:
        try:
            return complete(variable, value, *more)
        except Invalid as error:
            raise AnsibleFilterError(str(error)) from None

    return apply


def _front_end(value: t.Mapping[str, t.Any], role: str, reported: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    try:
        return front_end(role, value, reported)
    except Invalid as error:
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    """The collection's filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters by name."""
        return {"releases": _items(releases), "processes": _items(processes), "front_end": _front_end}
