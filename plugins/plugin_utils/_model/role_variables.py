# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Variables of the roles that an inventory sets: checked with everything else, as the roles would be late to do it."""

from __future__ import annotations

from collections.abc import Iterator

from ...module_utils._catalog import BACK_ENDS
from .._items.roles import ROLES
from .._keys.key import Problem, Validator, near
from .._servers import server
from .inventory import Host
from .topology import Topology

# What the playbooks pass to a back end's role, beside what follows from variables of the host.
_MADE = ("other_apps", "health_urls")


def role_variables(topology: Topology) -> Iterator[Problem]:
    """Yield what is wrong with the variables of each host for the roles that it gets."""
    for host in topology.inventory.fleet.hosts.values():
        if host.name in topology.frontends:
            front_end = topology.front_end(host.name)
            yield from _of_role(host, f"frontend_{front_end.name}")
            yield from _origin(host, server.front_end(front_end.name).origin)
        if host.name in topology.backends:
            for name in BACK_ENDS:
                yield from _of_role(host, f"backend_{name}")


def _of_role(host: Host, role: str) -> Iterator[Problem]:
    known = {key.name: key for key in ROLES[role].variables}
    check = Validator()
    for name, value in host.roles.items():
        if not name.startswith(f"{role}_"):
            continue
        if name not in known:
            check.problem(name, f"unknown variable of the role {role}. {near(name, known)}".rstrip())
        elif name.removeprefix(f"{role}_") in _MADE:
            check.problem(name, "this variable has no effect, because the playbooks set it. Remove it.")
        else:
            check.value(name, value, known[name])
    yield from check.problems


def _origin(host: Host, origin: server.Origin | None) -> Iterator[Problem]:
    """Yield what is wrong with the place that a server comes from."""
    if origin is None or host.roles_unread:
        return
    files = [name for name in origin.files if host.roles.get(name)]
    checksum = host.roles.get(origin.checksum)
    if len(files) > 1:
        yield Problem(files[1], f"{files[0]} is set too. Keep one of them.")
    elif not files and not any(host.roles.get(name) for name in origin.others):
        yield Problem(origin.files[0], f"{host.name} has no source for its server. {origin.advice}")
    if checksum and not files:
        yield Problem(origin.checksum, f"a checksum needs a file. Add {' or '.join(origin.files)}.")
    if files and "://" in str(host.roles[files[0]]) and not checksum:
        yield Problem(
            files[0],
            "the file of a URL runs as root, so its digest is required. Add"
            f" `{origin.checksum}: sha256:…` (the output of sha256sum).",
        )
