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
  - A release is a folder C(/srv/pyhost/NAME/releases/ID) with C(code), C(venv) and C(public) (the static files). The ID
    is a digest of all that it is built from. If a complete release with that ID exists, nothing is done.
  - First all applications are checked, and all problems are reported at once. Then the missing releases are built. Then
    the link C(/srv/pyhost/NAME/next) of every application is set to its release. If a build fails, the others are
    finished, but no link is changed, and no incomplete release is kept.
  - All external code (git, package builds, setup steps, the import of the application) runs as the application's user
    in a systemd sandbox. A complete release belongs to root.
  - Values of O(apps[].env) and O(build_env) never appear in results or errors. If they are longer than 3 characters,
    they are masked in the output of commands, as are their lines and the passwords in URLs.
  - Users and passwords in URLs of repositories, package indexes and requirements are in no argument of any process. git
    gets them from a credential helper, pip and uv from a netrc file.
  - Needs root on a host with systemd and D-Bus.
options:
  apps:
    description: Applications whose releases the module builds.
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
        description: Origin of the code. By default the code folder is empty, and the application is one of its
          requirements.
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
              - Folder on the controller. A relative path is relative to the inventory or, if there is none, to the
                playbook.
              - Not sent are C(.git), C(.hg), C(.svn), C(.tox), C(.venv), C(__pycache__), C(node_modules), C(*.pyc).
              - Not sent either are files with names that people use for secrets and local databases, such as C(.env),
                C(*.pem), C(id_rsa*) and C(*.sqlite3) (see docs/security.md). Nor are files that C(.pyhostignore) files
                exclude, or the C(.gitignore) files of the folder and of the repository around it, whether git tracks
                them or not. A warning lists these files when the folder is sent.
              - A C(.pyhostignore) has git's syntax and overrides all other rules. C(!/certs/ca.pem) includes one file.
            type: path
          archive:
            description:
              - URL of a tar or zip archive that the host fetches, or a file on the controller. A relative path is
                relative to the same folder as O(apps[].source.path). If all files are in one top folder, its content is
                used.
              - Without O(apps[].source.checksum), new content at the same URL is not noticed.
            type: str
          checksum:
            description: Digest of the archive, C(sha256:) and 64 hexadecimal digits.
            type: str
          digest:
            description: Set by the action. Digest of the folder or file on the controller.
            type: str
      requirements:
        description:
          - Lines as pip reads them, relative to the code folder.
          - Default is C(-r requirements.txt) if the code has that file, else C(.) if it has a C(pyproject.toml) or
            C(setup.py), else nothing.
          - An empty list installs nothing. If the server needs nothing either, the venv has no pip.
        type: list
        elements: str
      server_requirements:
        description: Packages that the back end needs in the venv, in addition to those of the application.
        type: list
        elements: str
        default: []
      python:
        description: Interpreter of the venv, a name or an absolute path.
        type: str
        default: python3
      setup:
        description:
          - Steps that run in this order in the code folder before the release is complete. The venv is first in
            E(PATH), the data folder is E(STATE_DIRECTORY) and E(HOME), and O(apps[].env) is set.
        type: list
        elements: dict
        default: []
        suboptions:
          run:
            description: Text for C(/bin/sh -c).
            type: str
            required: true
          once:
            description: Whether to run it only if O(apps[].run_once_steps) is true.
            type: bool
            default: false
      build_timeout:
        description: Maximum time in seconds for one step of the build.
        type: int
        default: 1800
      static:
        description:
          - Static files by URL. Relative paths are taken from the code folder after the setup steps and published under
            C(public), readable for the front end. Files with absolute paths are not changed.
        type: dict
        default: {}
      env:
        description: Environment variables for the setup steps and for the test of the application.
        type: dict
        default: {}
      wsgi:
        description: >-
          WSGI callable, C(module:callable), that must be importable and answer O(apps[].health). Without it, the
          application is not tested.
        type: str
      network:
        description: Whether the application may open network connections in this test, as it may when it runs.
        type: bool
        default: false
      jit:
        description: Whether the application may create machine code and run it in this test, as it may when it runs.
        type: bool
        default: false
      proc:
        description: Whether the application may read the host's files in C(/proc) in this test, as it may when it runs.
        type: bool
        default: false
      writable_paths:
        description: Folders that setup steps and the test of the application may write to, in addition to its data
          folder.
        type: list
        elements: str
        default: []
      limits:
        description: Limits of each step of a build, and of the test of the application.
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
          - Request that a new release must answer before it is complete. Keys are C(path), C(mount), C(host) (the Host
            header), C(status) (a list of statuses, by default all below 500) and C(timeout) (in seconds, for import and
            answer together).
        type: dict
        default: {}
      keep:
        description:
          - Number of complete releases that are kept. The live one, the next one and the one that was live before are
            always kept.
        type: int
        default: 5
      run_once_steps:
        description: Whether this host runs the steps with O(apps[].setup[].once).
        type: bool
        default: true
  build_env:
    description:
      - Environment of all build commands, for example E(PIP_INDEX_URL), E(PIP_CERT), E(HTTPS_PROXY). Variables of pip
        are passed to uv under uv's names. Archives are fetched with the same proxies and certificates.
    type: dict
    default: {}
  installer:
    description:
      - V(auto) uses uv if the host has it in its path, else pip. V(uv) installs uv from the package index for the
        application alone if the host does not have it.
    type: str
    choices: [auto, uv, pip]
    default: auto
  hand_over:
    description:
      - Whether to give the data of an application to its new account if its C(user) changes. The application is stopped
        before that, and is down until the new release is live. If no release can be built, the old account gets the
        data again and the application starts again.
      - If V(false), a changed C(user) is a problem.
    type: bool
    default: true
  absent:
    description: Names of applications that are removed. Their data is kept.
    type: list
    elements: str
    default: []
  purge:
    description:
      - Names in O(absent) whose data is removed too. All processes of their accounts are killed. The accounts are
        locked but kept, so that no other account ever gets their IDs. An account that the role C(app) did not create,
        or that other applications use, is not changed.
    type: list
    elements: str
    default: []
  rollback:
    description:
      - Applications to roll back, each with the ID of an earlier release. An empty string selects the release that was
        live before. Nothing is built or tested. C(next) is set to that release.
      - A later task with the application in O(apps) sets C(next) to the release that it describes.
    type: dict
    default: {}
  web_group:
    description: Group of the front end. Only it may read C(public).
    type: str
    default: www-data
  uploads:
    description: Set by the action. Files on the host, by the digest of the source that they contain.
    type: dict
    default: {}
  problems:
    description: Set by the action. Problems on the controller, which are reported with all others.
    type: list
    elements: str
    default: []
extends_documentation_fragment: [pyhost.web._attributes, pyhost.web._attributes.needed]
attributes:
  check_mode:
    details:
      - Reports which releases would be built. Reads the branches of git repositories, and changes nothing. If an
        account, git or an interpreter is missing that an earlier task may install, it prints a warning.
    support: full
  diff_mode:
    details: The targets of C(next) before and after.
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
      description: ID of the release. Empty in check mode if it is not known yet.
      type: str
    built:
      description: Whether this run built it, or in check mode would build it.
      type: bool
    revision:
      description: Commit, digest or URL of the source.
      type: str
  sample:
    shop: {release: 0a1b2c3d4e5f6789, built: true, live: 9f86d081884c7d65, revision: "sha256:9f86d0…"}
removed:
  description: Folders that were removed and accounts that were locked, because of O(absent), O(purge) and
    O(apps[].keep).
  type: list
  elements: str
  returned: success
sizes:
  description: Sizes in bytes of the folders that were removed because of O(absent) and O(purge).
  type: dict
  returned: success
  sample: {/var/lib/pyhost/shop: 12582912}
seconds:
  description: Duration in seconds, measured on the controller.
  type: float
  returned: success
  sample: 12.3
msg:
  description: All problems, each with the application and the key or step.
  type: str
  returned: failure
  sample: "app shop: source.git: this host has no git. Install the package git in an earlier task."
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
            self.builder.reject()
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
