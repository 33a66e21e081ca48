# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Hand the inventory to the resolver; see plugins/modules/resolve.py for the documentation."""

from __future__ import annotations

import functools
import re
import typing as t

from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager
from ansible.module_utils.common.collections import is_sequence
from ansible.plugins.action import ActionBase

from ..module_utils._catalog import BACK_ENDS, DEFAULT_FRONT_END
from ..module_utils._text import counted, one_line
from ..plugin_utils._action import Failure, folders, plain
from ..plugin_utils._controller_files import file_problems, pair_problems
from ..plugin_utils._items.roles import WRITTEN_AS
from ..plugin_utils._keys.key import Invalid, Problem, lines
from ..plugin_utils._model.inventory import RUNS, Fleet, Host
from ..plugin_utils._model.resolve import resolve

# Connection variables are the inventory's; whatever else has such a name is a fact.
_FACT = re.compile(r"\bansible_(?!host\b|user\b|port\b|connection\b|check_mode\b|limit\b|play_)\w+")


def _facts(raw: t.Any) -> str:
    """Return what to do where a template without a value asks for a fact."""
    fact = _FACT.search(str(raw))
    if not fact:
        return ""
    return (
        f"{fact.group()} is a fact, and the playbooks of pyhost.web do not gather facts. Write the value itself, or"
        " gather facts in a play before the imported playbook, with `gather_facts: true`."
    )


def _templated(path: str, raw: t.Any, templar: t.Any, problems: list[Problem]) -> list[t.Any]:
    """Return a variable's value in a list, which is empty where its template says omit.

    Each part of it is templated by itself, so that one without a value is named.
    """
    if isinstance(raw, t.Mapping):
        members = {key: _templated(f"{path}.{key}", value, templar, problems) for key, value in raw.items()}
        return [{plain(key): value for key, found in members.items() for value in found}]
    if is_sequence(raw):
        parts = [_templated(f"{path}[{index}]", value, templar, problems) for index, value in enumerate(raw)]
        return [[value for found in parts for value in found]]
    try:
        # In a list, as a template that is a value of its own must have one.
        return t.cast("list[t.Any]", plain(templar.template([raw])))
    except AnsibleError as error:
        why = one_line(str(error)).rstrip(".")
        advice = _facts(raw) or "Define the variables that it uses in the inventory."
        problems.append(Problem(path, f"the template has no value: {why}. {advice}"))
        return [None]


class ActionModule(ActionBase):
    """Runs on the controller alone and connects to no host."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    _supports_diff = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return the model of every host below ``hosts``, or fail with every problem at once."""
        result = super().run(tmp, task_vars)
        _result, arguments = self.validate_argument_spec(
            {
                "preset": {"type": "dict", "default": {}},
                "run": {"type": "str", "choices": list(RUNS), "default": "site"},
            }
        )
        fleet = self._fleet(task_vars or {}, plain(arguments["preset"]), arguments["run"])
        try:
            models = resolve(fleet)
            self._look(fleet, (task_vars or {})["hostvars"])
        except Invalid as error:
            raise Failure(
                f"The inventory has {counted(len(error.problems), 'problem')}. No host was changed.\n"
                + "\n".join(f"- {line}" for line in lines(error.problems))
            ) from None
        for text in fleet.warnings:
            self._display.warning(text)
        # The model holds the applications' secrets: it is registered whole, but never printed.
        return {**result, "changed": False, "hosts": models, "_ansible_no_log": True}

    def _fleet(self, task_vars: dict[str, t.Any], preset: dict[str, t.Any], run: str) -> Fleet:
        groups: dict[str, list[str]] = task_vars["groups"]
        hostvars = task_vars["hostvars"]
        inventory = InventoryManager(loader=self._loader, parse=False)
        for group, members in groups.items():
            inventory.add_group(group)
            for member in members:
                inventory.add_host(member, group=group)

        def match(pattern: str) -> list[str]:
            return [host.name for host in inventory.get_hosts(pattern=pattern)]

        everywhere = task_vars.get("pyhost_hosts") or "all"
        hosts = {name: self._host(name, hostvars.raw_get(name), preset) for name in match(everywhere)}
        return Fleet(
            hosts=hosts,
            frontends=groups.get("pyhost_frontends"),
            backends=groups.get("pyhost_backends"),
            match=match,
            preset=preset,
            run=run,
        )

    def _look(self, fleet: Fleet, variables: t.Any) -> None:
        """Look at the files that the run will read here; raise Invalid with every problem."""
        found = [
            # All variables of a host take a moment to collect.
            *file_problems(fleet.needed, functools.cache(lambda host: folders(variables.raw_get(host)))),
            *pair_problems(fleet.pairs, fleet.warnings.append),
        ]
        if found:
            raise Invalid(list(dict.fromkeys(found)))

    def _host(self, name: str, variables: t.Mapping[str, t.Any], preset: t.Mapping[str, t.Any]) -> Host:
        templar = self._templar.copy_with_new_env(available_variables=variables)
        problems: list[Problem] = []

        def those(*prefixes: str) -> dict[str, t.Any]:
            return {
                key: value
                for key, raw in variables.items()
                if key.startswith(prefixes) and key not in WRITTEN_AS
                for value in _templated(key, raw, templar, problems)
            }

        ours = those("pyhost_")
        # It is enough that they are there.
        ours |= {key: None for key in variables if key in WRITTEN_AS}
        front_end = ours.get("pyhost_frontend") or preset.get("pyhost_frontend") or DEFAULT_FRONT_END
        roles = those(f"frontend_{front_end}_", *(f"backend_{back_end}_" for back_end in BACK_ENDS))
        address = _templated("ansible_host", variables.get("ansible_host", name), templar, problems)
        return Host(name, ours, problems, address=str(*address), roles=roles, roles_unread=False)
