# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The entry of every module: who may run it, what must not be printed, and how it fails."""

from __future__ import annotations

import os
import typing as t
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ansible.module_utils.basic import AnsibleModule

from ._command import LANGUAGE
from ._errors import PyhostError
from ._mask import Mask
from ._system_errors import described
from ._text import LONGEST, clean, printable, unforeseen

Params = Mapping[str, t.Any]

NEEDED: dict[str, t.Any] = {"needed": {"type": "bool", "default": True}}
"""For the modules whose action uses it."""


@dataclass(frozen=True)
class Secrets:
    """What must not leave a module, where Ansible's own `no_log` would mask too much.

    `values`: texts that Ansible masks in everything. `mask`: what masks messages; made only when there is one.
    `shown`: the arguments that the result reports.
    """

    shown: Callable[[Params], dict[str, t.Any]]
    values: Callable[[Params], set[str]] = lambda _params: set()
    mask: Callable[[Params], Callable[[str], str]] = lambda _params: Mask([])


def run(
    name: str,
    spec: dict[str, t.Any],
    work: Callable[[AnsibleModule], dict[str, t.Any]],
    *,
    secrets: Secrets | None = None,
    action_sets: str = "",
) -> None:
    """Run a module: C(work) gets it with its parameters, and returns its result.

    `action_sets` is a parameter that only the action plugin sets.
    """
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    quiet: dict[str, t.Any] = {}
    if secrets:
        module.no_log_values = secrets.values(module.params)
        quiet = {"invocation": {"module_args": secrets.shown(module.params)}}
    if action_sets and module.params[action_sets] is None:
        told = f"{name} needs its action plugin. Call it as pyhost.web.{name} in a task."
        module.fail_json(msg=told, **quiet)
    if os.geteuid():
        module.fail_json(msg=f"{name} must run as root on the host. Set `become: true`.", **quiet)
    os.environ.update(LANGUAGE)
    os.umask(0o022)

    def masked(text: str) -> str:
        # To look for many secrets in megabytes of output would take minutes.
        return printable(secrets.mask(module.params)(printable(text, 10 * LONGEST)) if secrets else text)

    try:
        result = work(module)
    except Exception as problem:
        details = clean(getattr(problem, "details", {}))
        for text in details.pop("warnings", ()):
            module.warn(masked(text))
        module.fail_json(msg=masked(_told(problem)), **details, **quiet)
    else:
        for text in result.pop("warnings", ()):
            module.warn(masked(text))
        module.exit_json(**clean(result), **quiet)


def _told(problem: Exception) -> str:
    if isinstance(problem, PyhostError):
        return str(problem)
    return described(problem) if isinstance(problem, OSError) else unforeseen(problem)
