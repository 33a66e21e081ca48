# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From the user's descriptions of applications to the model of every host: pure, no facts, no input or output.

A front-end host knows its back ends from the inventory alone, so the whole fleet is resolved at once, whatever the
run is limited to.
"""

from __future__ import annotations

from .._keys.key import suggest
from . import needs
from .inventory import RUNS, Fleet, Inventory
from .model import Model, model, only
from .rules import problems, warnings
from .topology import Topology


def resolve(fleet: Fleet) -> dict[str, Model]:
    """Return the model of each host by name; raise Invalid with every problem of the whole input."""
    inventory = Inventory(fleet)
    topology = Topology(inventory)
    inventory.validator.problems.extend(problems(topology))
    fleet.warnings.extend(warnings(topology))
    chosen = _chosen(inventory, [name for name, on in topology.runs_on.items() if on])
    inventory.raise_problems()
    names = topology.runs_on if chosen is None else chosen
    fleet.needed.extend(needs.files(topology, fleet.run, names))
    fleet.pairs.extend(needs.pairs(topology, fleet.run))
    models = {host: {**model(topology, host), "warnings": fleet.warnings} for host in fleet.hosts}
    return models if chosen is None else {host: only(whole, chosen) for host, whole in models.items()}


def _chosen(inventory: Inventory, names: list[str]) -> set[str] | None:
    """Return the applications that the run is about; None where it is about all of them."""
    problem, settings, run = inventory.validator.problem, [*inventory.settings.values()], inventory.fleet.run
    for variable in sorted({name for takes in RUNS.values() for name in takes} - set(RUNS[run])):
        if any(each[variable] is not None for each in settings):
            takers = " or ".join(f"pyhost.web.{other}" for other, takes in RUNS.items() if variable in takes)
            problem(variable, f"the playbook pyhost.web.{run} does not use this variable. Remove it, or run {takers}.")
    if run in ("site", "status") or not settings:
        return None
    first, *others = (each["pyhost_only"] for each in settings)
    example = f"Pass it on the command line, such as `-e pyhost_only={min(names, default='shop')}`."
    if any(other != first for other in others):
        problem("pyhost_only", f"the value differs between hosts. {example}")
    elif first is None and run != "rollback":
        return None
    elif not first:
        problem("pyhost_only", f"no application is named. {example}")
    chosen = first or []
    for name in chosen:
        if name not in names:
            problem("pyhost_only", f"'{name}' is not an application. {suggest(str(name), names)}")
    if len(chosen) != 1 and any(each["pyhost_release"] for each in settings):
        problem("pyhost_release", "a release belongs to one application. Name that one with `-e pyhost_only=NAME`.")
    return set(chosen)
