# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters that check and complete a role's list of items."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ..plugin_utils._items.complete import BadItems
from ..plugin_utils._items.processes import processes
from ..plugin_utils._items.releases import releases
from ..plugin_utils._items.sites import sites, virtual_hosts


def _filter(complete: t.Callable[[str, t.Any], list[dict[str, t.Any]]]) -> t.Callable[..., t.Any]:
    def apply(value: t.Any, variable: str) -> list[dict[str, t.Any]]:
        try:
            return complete(variable, value)
        except BadItems as error:
            raise AnsibleFilterError(str(error)) from None

    return apply


class FilterModule:
    """The collection's filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters by name."""
        return {
            "releases": _filter(releases),
            "processes": _filter(processes),
            "sites": _filter(sites),
            "virtual_hosts": virtual_hosts,
        }
