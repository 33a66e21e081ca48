#!/usr/bin/python
# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: releases
short_description: Build releases of Python applications
version_added: 1.0.0
author:
  - pyhost.web contributors (@pyhost)
description:
  - A release is a folder C(/srv/pyhost/NAME/releases/ID) with C(code), C(venv) and C(public) (the static files). The
    ID is a digest of all that makes it; where a complete release with that ID exists, nothing is done.
  - First everything is checked for all applications, and all problems are reported at once. Then what is missing is
    built, then the link C(/srv/pyhost/NAME/next) of every application is pointed to its release. When a build fails,
    the others are finished, but no link is changed, and nothing half-made stays.
  - Whatever comes from outside (git, package builds, setup steps, the import of the application) runs as the
    application's user in a systemd sandbox. A complete release belongs to root.
  - Values of O(apps[].env) and O(build_env) never appear in results or errors; where they are longer than 3 characters,
    they are masked in the output of commands, and so are their lines and the passwords of addresses in them.
  - A user and password in the address of a repository, a package index or a requirement are handed to git by a
    credential helper, and to pip and uv by a netrc file. They are in no argument of any process.
  - Needs root on a host with systemd and D-Bus.
options:
  apps:
    description: The applications whose releases there must be.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the application.
        type: str
        required: true
      user:
        description: Account that runs the application, and its builds. Must exist.
        type: str
        required: true
      source:
        description: Where the code comes from; left out, the code folder is empty and the application is a package.
        type: dict
        suboptions:
          git:
            description:
              - URL of a repository that the host clones as the application's user. For ssh its key is
                C(/var/lib/pyhost/NAME/.ssh/id_ed25519), and known hosts are in C(known_hosts) beside it or in
                C(/etc/ssh); git's environment variables can be set in O(build_env).
            type: str
          version:
            description: Branch, tag or commit. A commit of 40 digits that was fetched before needs no network.
            type: str
            default: HEAD
          path:
            description:
              - Folder on the controller. A relative one lies beside the inventory or, if there is none, beside the
                playbook.
              - Not sent are C(.git), C(.hg), C(.svn), C(.tox), C(.venv), C(__pycache__), C(node_modules), C(*.pyc).
              - Not sent either, and listed in a warning when the folder is sent, are files with names that people use
                for secrets and local databases (C(.env), C(*.pem), C(*.key), C(id_rsa*), C(*.sqlite3), C(secrets.*)
                and others, see docs/security.md), what the C(.gitignore) files of the folder and of the repository
                around it leave out, whether git has the file or not, and what C(.pyhostignore) files leave out.
              - A C(.pyhostignore) has git's syntax and the last word. With C(!/certs/ca.pem) it lets one file in.
            type: path
          archive:
            description:
              - URL of a tar or zip archive that the host fetches, or a file on the controller, looked for as
                O(apps[].source.path).
                A single folder at its top is left out.
              - Without O(apps[].source.checksum), another content behind the same URL is not noticed.
            type: str
          checksum:
            description: Digest of the archive, C(sha256:) and 64 hexadecimal digits.
            type: str
          digest:
            description: Digest of what is on the controller; filled in by the action.
            type: str
      requirements:
        description:
          - Lines as pip reads them, relative to the code folder.
          - Left out, C(-r requirements.txt) where the code has it, else C(.) where it has a C(pyproject.toml) or
            C(setup.py), else nothing.
          - An empty list installs nothing; where the server wants nothing either, the venv has no pip.
        type: list
        elements: str
      server_requirements:
        description: What the back end needs in the venv, installed beside the application's own requirements.
        type: list
        elements: str
        default: []
      python:
        description: Interpreter of the venv, a name or an absolute path.
        type: str
        default: python3
      setup:
        description:
          - Steps that run one after the other in the code folder before the release is sealed, with the venv first in
            E(PATH), O(apps[].env), and the data folder as E(STATE_DIRECTORY) and E(HOME).
        type: list
        elements: dict
        default: []
        suboptions:
          run:
            description: Text for C(/bin/sh -c).
            type: str
            required: true
          once:
            description: Run it only where O(apps[].run_once_steps) is true.
            type: bool
            default: false
      build_timeout:
        description: Seconds that one step of the build may take.
        type: int
        default: 1800
      static:
        description:
          - Static files by URL. Relative paths are taken from the code folder after the setup steps and published under
            C(public), readable for the front end; absolute ones are left alone.
        type: dict
        default: {}
      env:
        description: Environment of the application; for its setup steps and the import check.
        type: dict
        default: {}
      wsgi:
        description: >-
          The callable, C(module:callable), that must be importable and answer O(apps[].health); left out, nothing is
          tried.
        type: str
      network:
        description: Whether it may open network connections when it is tried, as it may when it runs.
        type: bool
        default: false
      jit:
        description: Whether it may make machine code and run it when it is tried, as it may when it runs.
        type: bool
        default: false
      proc:
        description: Whether it may read the files of C(/proc) about the host when it is tried, as it may when it runs.
        type: bool
        default: false
      writable_paths:
        description: Folders that setup steps may write, and the application when it is tried, beside its data folder.
        type: list
        elements: str
        default: []
      limits:
        description: What each step of a build, and the trial, may use.
        type: dict
        default: {}
        suboptions:
          memory:
            description: Maximum memory in bytes, 512 MiB by default.
            type: int
          tasks:
            description: Maximum number of processes and threads, 512 by default.
            type: int
          cpu:
            description: Share of one processor, such as C(150%); no limit by default.
            type: str
      health:
        description:
          - The request that a new release must answer before it is complete. Keys are C(path), C(mount), C(host) (the
            Host header), C(status) (a list of codes; left out, all below 500) and C(timeout) (seconds, also for the
            import).
        type: dict
        default: {}
      keep:
        description:
          - How many complete releases are kept; the live one and the next one always are, and so is the one that was
            live before.
        type: int
        default: 5
      run_once_steps:
        description: Whether this host runs the steps with O(apps[].setup[].once).
        type: bool
        default: true
  build_env:
    description:
      - Environment of all build commands, for example E(PIP_INDEX_URL), E(PIP_CERT), E(HTTPS_PROXY). What pip knows is
        handed to uv by its names for it. Archives are fetched with its proxies and certificates too.
    type: dict
    default: {}
  installer:
    description:
      - V(auto) takes uv where the host has it in its path, else pip. V(uv) installs it from the package index for the
        application alone where the host does not have it.
    type: str
    choices: [auto, uv, pip]
    default: auto
  hand_over:
    description:
      - Whether an application whose C(user) changes gets its data handed over. It is stopped before that, and is down
        until the new release is live. If no release can be built, the data is given back and it starts again.
      - If V(false), a changed C(user) is a problem.
    type: bool
    default: true
  absent:
    description: Names of applications of which all but the data is removed.
    type: list
    elements: str
    default: []
  purge:
    description:
      - Those of O(absent) whose data goes too. What still runs as their account is killed. The account is locked, but
        stays, so that no other one ever gets its numbers; one that the role C(app) did not make, or that other
        applications have, is left alone.
    type: list
    elements: str
    default: []
  rollback:
    description:
      - Applications to roll back, each with the ID of an earlier release, or with nothing for the one that was live
        before. Nothing is built and nothing is tried; C(next) is pointed to it.
      - A later task with the application in O(apps) points C(next) to the release that it describes.
    type: dict
    default: {}
  web_group:
    description: Group of the front end, which alone may read C(public).
    type: str
    default: www-data
  uploads:
    description: Files on the host by the digest of the source that they bring; filled in by the action.
    type: dict
    default: {}
  problems:
    description: What the action found on the controller; reported with all the others.
    type: list
    elements: str
    default: []
extends_documentation_fragment: [pyhost.web._attributes, pyhost.web._attributes.needed]
attributes:
  check_mode:
    details:
      - Reports which releases would be built; asks git repositories for their branches, and changes nothing. What a run
        may bring before it comes here (accounts, git, interpreters) is a warning.
    support: full
  diff_mode:
    details: The releases that C(next) points to.
    support: full
"""

EXAMPLES = r"""
- name: Build the releases of two applications
  pyhost.web.releases:
    apps:
      - name: shop
        user: shop
        source: {path: ./shop}
        requirements: [Django==5.2.8]
        wsgi: shop.wsgi:application
        env: {DJANGO_SETTINGS_MODULE: shop.settings}
        setup:
          - run: python manage.py migrate --noinput
            once: true
          - run: python manage.py collectstatic --noinput
        static: {/static/: static}
      - name: httpbin
        user: httpbin
        requirements: [httpbin]
        wsgi: httpbin:app

- name: Roll back to the releases that were live before
  pyhost.web.releases:
    rollback: {shop: "", blog: 0a1b2c3d4e5f6789}

- name: Remove an application and its data
  pyhost.web.releases:
    absent: [shop]
    purge: [shop]
"""

RETURN = r"""
releases:
  description: Each application's release by its name.
  type: dict
  returned: success
  contains:
    release:
      description: ID of the release; empty in check mode while it cannot be known.
      type: str
    built:
      description: Whether this run built it, or would do so.
      type: bool
    revision:
      description: Commit, digest or URL of the source.
      type: str
  sample:
    shop: {release: 0a1b2c3d4e5f6789, built: true, live: 9f86d081884c7d65, revision: "sha256:9f86d0…"}
removed:
  description: Folders that went and accounts that were locked, for O(absent), O(purge) and O(apps[].keep).
  type: list
  elements: str
  returned: success
sizes:
  description: What those folders that went for O(absent) and O(purge) held on the disk, in bytes.
  type: dict
  returned: success
  sample: {/var/lib/pyhost/shop: 12582912}
seconds:
  description: How long it took, as seen from the controller.
  type: float
  returned: success
  sample: 12.3
msg:
  description: On failure, every problem with the application and the key or step that it belongs to.
  type: str
  returned: failure
  sample: "app shop: python: 'python3.14' is no interpreter of this host; choose among (python3.13)"
"""

import asyncio
import contextlib
import os
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import open_url

from ..module_utils import _entry
from ..module_utils._download import fetch_with
from ..module_utils._errors import PyhostError
from ..module_utils._lock import alone
from ..module_utils._mask import Mask, addresses
from ..module_utils._release.accounts import Accounts
from ..module_utils._release.build import Builder
from ..module_utils._release.handover import Handover
from ..module_utils._release.plan import Problems
from ..module_utils._release.release import App, Layout, is_name, target
from ..module_utils._release.removal import Removal
from ..module_utils._release.rollback import Rollback
from ..module_utils._release.step import BUS, Systemd
from ..module_utils._release.tree import TreeError

LOCK = Path("/run/pyhost-releases.lock")

SOURCE = {
    "git": {"type": "str"},
    "version": {"type": "str", "default": "HEAD"},
    "path": {"type": "path"},
    "archive": {"type": "str"},
    "checksum": {"type": "str"},
    "digest": {"type": "str"},
}

APP = {
    "name": {"type": "str", "required": True},
    "user": {"type": "str", "required": True},
    "source": {"type": "dict", "options": SOURCE},
    "requirements": {"type": "list", "elements": "str"},
    "server_requirements": {"type": "list", "elements": "str", "default": []},
    "python": {"type": "str", "default": "python3"},
    "setup": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"run": {"type": "str", "required": True}, "once": {"type": "bool", "default": False}},
    },
    "build_timeout": {"type": "int", "default": 1800},
    "static": {"type": "dict", "default": {}},
    "env": {"type": "dict", "default": {}},
    "wsgi": {"type": "str"},
    "network": {"type": "bool", "default": False},
    "jit": {"type": "bool", "default": False},
    "proc": {"type": "bool", "default": False},
    "writable_paths": {"type": "list", "elements": "str", "default": []},
    "limits": {
        "type": "dict",
        "default": {},
        "options": {"memory": {"type": "int"}, "tasks": {"type": "int"}, "cpu": {"type": "str"}},
    },
    "health": {"type": "dict", "default": {}},
    "keep": {"type": "int", "default": 5},
    "run_once_steps": {"type": "bool", "default": True},
}

SPEC = {
    **_entry.NEEDED,
    # Secrets are masked here, value by value: Ansible would mask every "1" in every result.
    "apps": {"type": "list", "elements": "dict", "default": [], "options": APP, "no_log": True},
    "build_env": {"type": "dict", "default": {}, "no_log": True},
    "hand_over": {"type": "bool", "default": True},
    "installer": {"type": "str", "choices": ["auto", "uv", "pip"], "default": "auto"},
    "absent": {"type": "list", "elements": "str", "default": []},
    "purge": {"type": "list", "elements": "str", "default": []},
    "rollback": {"type": "dict", "default": {}},
    "web_group": {"type": "str", "default": "www-data"},
    "uploads": {"type": "dict", "default": {}},
    "problems": {"type": "list", "elements": "str", "default": []},
}


@contextlib.contextmanager
def _handing_over(handover: Handover) -> t.Iterator[None]:
    """Give data back to the accounts of the live releases if no release comes that could use it."""
    try:
        yield
    except BaseException as problem:
        try:
            handover.undo(handover.accounts)
        except (TreeError, OSError) as worse:
            raise Problems(
                [*str(problem).splitlines(), f"Returning the data to the old account failed too: {worse}"]
            ) from problem
        raise


def _text(values: t.Mapping[str, t.Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in values.items()}


def _app(given: t.Mapping[str, t.Any]) -> App:
    limits = {key: value for key, value in given["limits"].items() if value is not None}
    return App(**{**given, "static": _text(given["static"]), "env": _text(given["env"]), "limits": limits})


def _builder(module: AnsibleModule, apps: list[App]) -> Builder:
    params = module.params
    build_env = _text(params["build_env"])
    # open_url takes proxies from here, as everything does.
    os.environ.update({name: value for name, value in build_env.items() if name.lower().endswith("_proxy")})
    bundles = [build_env[key] for key in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT") if key in build_env]
    return Builder(
        apps,
        Layout(),
        Systemd(),
        temporary=Path(module.tmpdir),
        installer=params["installer"],
        build_env=build_env,
        uploads=params["uploads"],
        fetch=fetch_with(open_url, bundles[0] if bundles else None),
        web_group=params["web_group"],
        is_check=module.check_mode,
    )


class _Run:
    """One run of the module: new releases, releases to go back to, and applications to remove."""

    def __init__(self, module: AnsibleModule) -> None:
        params = module.params
        apps = [_app(app) for app in params["apps"]]
        layout = Layout()
        self.is_check = module.check_mode
        self.hands_over = params["hand_over"] and not self.is_check
        self.builder = _builder(module, apps)
        self.handover = Handover(layout, {app.name: app.user for app in apps if is_name(app.name)})
        self.removal = Removal(layout, params["absent"], params["purge"], {app.user for app in apps})
        self.rollback = Rollback(layout, {name: str(release or "") for name, release in params["rollback"].items()})
        names = {app.name for app in apps}
        self.problems = [
            *params["problems"],
            *self.removal.problems(names, is_check=self.is_check),
            *self.rollback.problems(names),
            *([] if params["hand_over"] else self.handover.problems()),
        ]

    async def result(self) -> dict[str, t.Any]:
        """Return the module's result; only C(needed) where the controller has to send sources first.

        Raises Problems if there are applications that get no release; those of all others are complete then.
        """
        with _handing_over(self.handover) if self.hands_over else contextlib.nullcontext():
            needed = await self._build()
        if needed:
            return {"changed": False, "needed": needed}
        # Nothing is switched before all is well.
        if self.builder.failures:
            raise Problems(self.builder.failures)
        return self._switch()

    async def _build(self) -> list[str]:
        """Build what is missing; return the digests of sources that have to be sent first."""
        # Before anything runs as the new account, whose home the data is.
        if self.hands_over and self.handover.accounts:
            self.builder.blame(self.handover.begin())
        await self.builder.plan(self.problems)
        if self.builder.problems:
            raise Problems(self.builder.problems)
        if self.is_check:
            return []
        if needed := self.builder.needed():
            return needed
        await self.builder.reach()
        await self.builder.build()
        failed = self.builder.failed()
        if self.hands_over:
            self.handover.undo(failed)
        built = ((plan.app.name, plan.release) for plan in self.builder.plans if plan.app.name not in failed)
        self.handover.fit([*built, *self.rollback.releases.items()])
        for account in self.handover.forsaken():
            Accounts().retire(account)
        return []

    def _switch(self) -> dict[str, t.Any]:
        builder, rollback = self.builder, self.rollback
        before = builder.in_line() + rollback.in_line()
        switched = builder.switch() + rollback.switch(self.is_check)
        removed = builder.prune() + self.removal.remove(self.is_check)
        return {
            "changed": bool(builder.missing() or switched or removed),
            "releases": self._releases(),
            "removed": removed,
            "sizes": self.removal.sizes,
            "diff": {"before": before, "after": builder.in_line(wanted=True) + rollback.in_line(wanted=True)},
            "warnings": [builder.mask(text) for text in builder.warnings],
        }

    def _releases(self) -> dict[str, dict[str, object]]:
        built = {
            plan.app.name: {
                "release": plan.release,
                "built": not plan.is_complete,
                "live": target(self.builder.layout.app(plan.app.name) / "current"),
                "revision": self.builder.mask(plan.shown()),
            }
            for plan in self.builder.plans
            if not plan.is_flawed
        }
        # A marker of an older version may have more in it.
        rolled_back = {
            name: {**result, "revision": addresses(str(result["revision"]))}
            for name, result in self.rollback.results().items()
        }
        return built | rolled_back


def _mask(params: _entry.Params) -> Mask:
    env = [_text(values) for values in (params["build_env"], *(app["env"] for app in params["apps"]))]
    return Mask(value for values in env for value in values.values())


def _work(module: AnsibleModule) -> dict[str, t.Any]:
    if module.check_mode:
        return asyncio.run(_Run(module).result())
    if not Path(BUS).exists():
        raise PyhostError(f"{BUS} is missing. Builds run as systemd units, so this host needs systemd and dbus.")
    with alone(LOCK):
        return asyncio.run(_Run(module).result())


def main() -> None:
    """Entry point."""
    secrets = _entry.Secrets(shown=lambda params: {"apps": [app["name"] for app in params["apps"]]}, mask=_mask)
    _entry.run("releases", SPEC, _work, secrets=secrets)


if __name__ == "__main__":
    main()
