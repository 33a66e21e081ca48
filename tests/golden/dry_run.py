"""Play a playbook through without a host: all that happens on the controller is real, each module gets a canned answer.

Inventory, variables, roles, conditions, filters, templates and actions are Ansible's and the collection's own. What an
action hands to a module ends here, which is what the golden cases are about.
"""

from __future__ import annotations

import functools
import hashlib
import typing as t
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from ansible import context
from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager
from ansible.module_utils.common.collections import ImmutableDict
from ansible.parsing.dataloader import DataLoader
from ansible.playbook import Playbook
from ansible.playbook.block import Block
from ansible.playbook.play_context import PlayContext
from ansible.playbook.role_include import IncludeRole
from ansible.plugins import loader as plugins
from ansible.plugins.action import ActionBase
from ansible.template import Templar
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

Data = dict[str, t.Any]

# They sum up what the modules answered, and nothing of a host is made from it.
REPORTS = ("pyhost.web.status", "pyhost.web.status_report")

# What an inventory says of the host itself: its release of Debian, whether the ACME server refuses, and what earlier
# runs have set up.
DEBIAN, ACME_REFUSES, COMPONENTS = "golden_debian", "golden_acme_refuses", "golden_components"
NEWEST = "13"


class Refused(Exception):
    """A task failed; the text says which, and why."""


@dataclass
class Host:
    """Its release of Debian, what its modules were given, in order, and the error that ended its run."""

    debian: str
    calls: list[tuple[str, Data]] = field(default_factory=list)
    error: str = ""


def play(playbook: Path, inventory: Path) -> dict[str, Host]:
    """Return what each host of the inventory gets from the playbook."""
    context.CLIARGS = ImmutableDict(connection="local", forks=1, become=None, check=False, diff=False, verbosity=0)
    return _Run(playbook, inventory, _loader()).run()


@functools.cache
def _loader() -> t.Any:
    """Return what reads files, each of them once for all runs."""
    return DataLoader()


def plain(value: t.Any) -> t.Any:
    """Return data of Ansible, which knows where it comes from, as what it is."""
    if isinstance(value, dict):
        return {str(key): plain(value[key]) for key in value}
    if isinstance(value, (list, tuple)):
        return [plain(member) for member in value]
    return str(value) if isinstance(value, str) else value


def _certificates(args: Data, variables: Data) -> Data:
    """Return the answer of the module certificates: what an ACME server has to issue is there once it is asked for."""
    given = args["certificates"]
    issued = args.get("state") == "issued"
    if issued and variables.get(ACME_REFUSES):
        return {"failed": True, "msg": "the ACME server refuses"}
    ready = [one["name"] for one in given if issued or one["source"] != "acme"]
    return {
        "ready": ready,
        "digests": {
            one["name"]: hashlib.sha256(f"{one['name']} {one['name'] in ready}".encode()).hexdigest() for one in given
        },
        "pending": any(one["source"] == "acme" for one in given),
    }


def _answer(module: str, args: Data, variables: Data) -> Data:
    """Return what a host where all is well would say."""
    if module == "pyhost.web.components":
        return {"components": variables.get(COMPONENTS, [])}
    if module == "pyhost.web.packages":
        return {"debian": str(variables.get(DEBIAN, NEWEST)), "installed": []}
    if module == "pyhost.web.server_archive":
        version = f"{args['minimum']} {'0' * 64}"
        return {"program": f"{args['prefix']}/sbin/{args['program']}", "version": version, "installed": []}
    return _certificates(args, variables) if module == "pyhost.web.certificates" else {}


class _Run:
    def __init__(self, playbook: Path, inventory: Path, loader: t.Any) -> None:
        self.loader = loader
        self.inventory = InventoryManager(loader=self.loader, sources=[str(inventory)])
        self.variables = VariableManager(loader=self.loader, inventory=self.inventory, version_info={})
        HostVars(inventory=self.inventory, variable_manager=self.variables, loader=self.loader)
        self.loader.set_basedir(str(playbook.parent))
        self.playbook = Playbook.load(str(playbook), variable_manager=self.variables, loader=self.loader)
        self.hosts = {
            host.name: Host(str(self.variables.get_vars(host=host).get(DEBIAN, NEWEST)))
            for host in self.inventory.get_hosts()
        }
        # By its ID: what a task that runs once has answered.
        self.once: dict[str, Data] = {}

    def run(self) -> dict[str, Host]:
        for one in self.playbook.get_plays():
            everywhere = Templar(self.loader, self.variables.get_vars(play=one)).template(one.hosts)
            for host in self.inventory.get_hosts(everywhere):
                if not self.hosts[host.name].error:
                    self._host(one, host)
        return self.hosts

    def _host(self, one: t.Any, host: t.Any) -> None:
        try:
            for block in one.compile():
                self._block(one, host, block)
        except Refused as error:
            self.hosts[host.name].error = str(error)

    def _block(self, one: t.Any, host: t.Any, block: t.Any) -> None:
        try:
            self._tasks(one, host, block.block)
        finally:
            self._tasks(one, host, block.always)

    def _tasks(self, one: t.Any, host: t.Any, tasks: list[t.Any]) -> None:
        for task in tasks:
            if isinstance(task, Block):
                self._block(one, host, task)
            elif isinstance(task, IncludeRole):
                self._include(one, host, task)
            elif task.action != "meta" and task.action not in REPORTS:
                result = self.once.get(task._uuid) or self._task(one, host, task)
                if task.run_once:
                    self.once[task._uuid] = result
                if task.register:
                    self.variables.set_nonpersistent_facts(host.name, {task.register: result})
                if "add_group" in result:
                    self.inventory.add_group(group := result["add_group"])
                    self.inventory.add_host(host.name, group=group)
                if result.get("failed"):
                    raise Refused(f"{task.get_name()}: {result['msg']}")

    def _include(self, one: t.Any, host: t.Any, task: t.Any) -> None:
        """Run the role once for each item, as Ansible's strategies do; without a loop, once."""
        variables = self.variables.get_vars(play=one, host=host, task=task)
        templar = Templar(self.loader, variables)
        name = task.loop_control.loop_var if task.loop_control else "item"
        items = [{name: item} for item in templar.template(task.loop)] if task.loop is not None else [{}]
        for item in items:
            templar = Templar(self.loader, {**variables, **item})
            if not all(templar.evaluate_conditional(condition) for condition in task.when):
                continue
            copy = task.copy(exclude_parent=True)
            copy._parent = task._parent
            copy.vars = {**copy.vars, **item}
            copy._role_name = plain(templar.template(task._role_name))
            blocks, _handlers = copy.get_block_list(play=one, variable_manager=self.variables, loader=self.loader)
            for block in blocks:
                self._block(one, host, block)

    def _task(self, one: t.Any, host: t.Any, task: t.Any) -> Data:
        variables = self.variables.get_vars(play=one, host=host, task=task)
        templar = Templar(self.loader, variables)
        if not all(templar.evaluate_conditional(condition) for condition in task.when):
            return {"changed": False, "skipped": True}
        final = task.copy()
        final.args = templar.template(task.args)
        with self._stub(host, variables):
            return self._act(final, templar, variables)

    def _act(self, task: t.Any, templar: t.Any, variables: Data) -> Data:
        """Return what the task's action returns; a module without one is what the action normal runs."""
        play_context = PlayContext()
        connection = plugins.connection_loader.get("local", play_context)
        has_action = plugins.action_loader.has_plugin(task.action)
        action = plugins.action_loader.get(
            task.action if has_action else "ansible.builtin.normal",
            task=task,
            connection=connection,
            play_context=play_context,
            loader=self.loader,
            templar=templar,
            shared_loader_obj=plugins,
        )
        try:
            result: Data = action.run(task_vars=variables)
        except AnsibleError as error:
            return {"failed": True, "msg": str(error)}
        return result

    def _stub(self, host: t.Any, variables: Data) -> t.Any:
        """Return a context in which modules are noted and answered, and nothing is run anywhere."""

        def execute(
            action: t.Any, module_name: str | None = None, module_args: Data | None = None, **_rest: t.Any
        ) -> Data:
            module = str(module_name or action._task.action)
            args = plain(action._task.args if module_args is None else module_args)
            self.hosts[host.name].calls.append((module, args))
            return {"changed": False, **_answer(module, args, variables)}

        return mock.patch.multiple(
            ActionBase,
            _execute_module=execute,
            _make_tmp_path=lambda *_args, **_rest: "/nonexistent",
            _remove_tmp_path=lambda *_args, **_rest: None,
        )
