#!/usr/bin/python
# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: config_set
short_description: Activate all files of a server in one transaction
version_added: 1.0.0
author:
  - pyhost.web contributors (@pyhost)
description:
  - Compares the files, units and links that a component needs with those on the host. Changes nothing if they are the
    same and no change is pending.
  - Otherwise the server tests a copy of its configuration with the changes. Then the new files replace the old ones,
    and only the units whose files changed are reloaded or restarted. All units must stay up, and the new generation
    must be served. If any of this fails, the old files are restored and activated, and the task fails with the server's
    output.
  - C(/var/lib/pyhost/.manifest/) lists what each component owns. Files that are no longer needed are removed after
    their units were stopped. If a path had another file before, such as one of the distribution, that file is restored.
  - If the files of an application are marked as its own (C(as=app)), its failure does not affect other applications. It
    stays as it was, and all others get their change. The task fails in the end, and C(failures) lists the applications
    that failed.
  - The next run rolls back an interrupted run, or finishes it, and repeats a reload that was lost.
  - Templates are rendered on the controller by plain Jinja2. They can use only O(variables), the item of
    O(files[].each), C(generation) and C(managed). C(generation) is the digest of all that this task renders. C(managed)
    is a line for a comment at the top of the file. An undefined variable is an error.
  - Each path and each unit has one owner. To move them to another component in one play, list them in O(keep) and
    O(keep_units) of the component that has them. Set O(take) for the component that gets them. They are not removed in
    between, whichever task runs first. The files of a unit move with it. Files that the new component does not need are
    removed in its transaction, so they are restored if it fails.
  - If the server finds an error in a file, the message names the application of the nearest line C(# application NAME)
    above it.
options:
  name:
    description: Name of the component that owns these files and units, such as V(frontend_nginx).
    type: str
    required: true
  variables:
    description: Variables for the templates.
    type: dict
    default: {}
  files:
    description:
      - Files and symbolic links that must exist. Each has one of C(template), C(content), C(link) and C(follow).
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path. Missing folders above it are created, and removed with the last file in them.
        type: path
        required: true
      template:
        description:
          - Template in the C(templates) folder of the role, or in C(playbooks/templates) of this collection.
        type: str
      content:
        description: The content itself.
        type: str
      link:
        description: Target of a symbolic link.
        type: str
      follow:
        description:
          - A symbolic link on the host. The link at C(path) gets the same target.
          - If a target was rolled back because of O(requests), or in a run with O(partial), only a run with O(partial)
            tries it again. Other runs print a warning and do not change the link.
        type: path
      each:
        description:
          - Items. The entry describes one file for each. In every string of the entry, C({key}) is replaced with that
            key of the item, C({key.key}) with a key of a dictionary in it, and C({item}) with the item itself.
        type: list
        elements: raw
      as:
        description:
          - Name of the variable that has the item in the template. Default is V(item).
          - With V(app), the entry belongs to the application with the C(name) of the item.
        type: str
      owner:
        description: Name of a user.
        type: str
        default: root
      group:
        description: Name of a group.
        type: str
        default: root
      mode:
        description: Permissions in octal digits, quoted.
        type: str
        default: "0644"
      secret:
        description:
          - Whether the content is secret. It is not shown in any diff or message.
          - In the output of a failing service, asterisks replace each value that the file sets, if it has 4 characters
            or more.
        type: bool
        default: false
      unit:
        description: The unit that reads this file.
        type: str
      verb:
        description: Action on the unit when the file changed. A unit that cannot reload is restarted.
        type: str
        choices: [reload, restart]
      command:
        description: A command that applies the file when it changed. It runs after the new files are in place, before
          any unit is reloaded or started.
        type: list
        elements: str
      where:
        description: Set by the action. Name of the entry in messages.
        type: str
      applications:
        description: Set by the action. Application that the entry is about.
        type: list
        elements: str
  absent:
    description:
      - Paths that must not exist, such as a distribution's default site. The file is restored when the path is no
        longer listed.
      - A path, or a dictionary with C(path), C(each), and C(unit) and C(verb) as in O(files).
    type: list
    elements: raw
    default: []
  units:
    description:
      - Units that must be enabled and active. Units that an earlier run listed here and this one does not are stopped
        and disabled.
      - A name, or a dictionary with C(name), C(each) and C(proof).
      - C(proof) is a command (a list of strings). It fails if the unit is active but has lost what it loaded. The unit
        is then reloaded.
    type: list
    elements: raw
    default: []
  keep:
    description:
      - Paths that this component no longer needs but must not remove, because another component takes them over with
        O(take). This component owns them until then.
      - A path, or a dictionary with C(path) and C(each). Paths that this component does not own are ignored.
    type: list
    elements: raw
    default: []
  keep_units:
    description: Like O(keep), for units and the files that belong to them. A name, or a dictionary with C(name) and
      C(each).
    type: list
    elements: raw
    default: []
  take:
    description: Whether to take over listed paths and units that belong to another component. Otherwise they are an
      error.
    type: bool
    default: false
  replaces:
    description:
      - Names of components that this one replaces, such as another web server on the same port. Those that this host
        does not have are ignored.
      - Their units are stopped when the files of this component are in place and tested, just before its own units
        start. They are disabled when these units run well. Their files that this component does not need are removed
        last. If anything fails, all of this is restored and their server runs again.
    type: list
    elements: str
    default: []
  retire:
    description:
      - Paths and units of other components that are not needed any more when this component is active, such as the
        socket of an application that now has another endpoint. The files of a unit are removed with it. They are
        removed last. Those that no other component owns are ignored.
    type: list
    elements: str
    default: []
  own_sites:
    description:
      - Sites of the host's operator that the server reads too. A warning names each file with one of
        O(own_sites.names), because the server uses only one of the two sites.
    type: dict
    suboptions:
      files:
        description: Patterns of the paths of these files, such as V(/etc/nginx/sites-enabled/*).
        type: list
        elements: str
        required: true
      pattern:
        description: Regular expression. Its first group matches the host names of a site.
        type: str
        required: true
      names:
        description: Host names of O(files).
        type: list
        elements: str
        required: true
  list:
    description:
      - Name of the list of applications that O(files) describes. A run with another name can change an application that
        this list set up, but it fails if it would remove one. A run also fails if it would remove an application that
        an earlier task of the same run set up. Files name their applications in lines that begin with C(# application
        NAME).
      - If it is empty, everything can be removed.
    type: str
    default: ""
  partial:
    description:
      - Whether to check and change only the listed files and units. All others of this component stay as they are, such
        as the other applications of a back end when one gets a new release.
      - A file or unit that this component does not own on the host yet is then an error.
    type: bool
    default: false
  health_urls:
    description:
      - Addresses of web servers, as seen from the host, that O(requests) are sent to. C(endpoint) stands for the
        O(requests[].endpoint) of each request that has one.
    type: list
    elements: str
    default: []
  requests:
    description:
      - Requests that must be answered at each address of O(health_urls) when the change is active. Otherwise everything
        is rolled back. A request is sent only if its file changed. It is repeated until the processes that had the old
        file have ended, for at most O(requests[].timeout).
      - Without O(partial), a request is sent to the endpoint of each application that is started or changed. If an
        application was not healthy before, any answer is good. Web servers may not have the rest of the change yet. So
        requests are sent to them only if no other file of the unit changes and if the answer was good before.
    type: list
    elements: dict
    default: []
    suboptions:
      file:
        description: Path of one of O(files).
        type: path
        required: true
      endpoint:
        description: Endpoint of the application itself, C(PROTOCOL+unix://SOCKET) with the path of the socket
          percent-encoded. The protocol is uwsgi, fastcgi, scgi or http.
        type: str
        default: ""
      mount:
        description: Mount point of the application, without a slash at the end.
        type: str
        default: ""
      path:
        description: Path of the request, below the mount point.
        type: str
        default: /
      host:
        description: Value of the C(Host) header.
        type: str
      https:
        description:
          - Whether to send the request to web servers over TLS, at port 443 of the addresses in O(health_urls). The
            application itself gets the request as a front end sends it for visitors who use TLS.
        type: bool
        default: false
      status:
        description: Statuses that mean healthy. Default is all below 500.
        type: list
        elements: int
      timeout:
        description: Maximum time in seconds for each answer, and for the old processes to end.
        type: int
        default: 30
      unit:
        description: Unit whose last output is part of the message about a failure.
        type: str
  listen:
    description:
      - TCP addresses on which the units listen, C(port), C(address:port) or C([address]:port). If something is to
        change and another program than O(units) or the components in O(replaces) listens there already, the task fails
        before anything is changed, and names that program. A server's own test does not find this.
    type: list
    elements: str
    default: []
  closed:
    description:
      - Endpoints of the socket units, C(address:port) or C([address]:port), that must reject connections from this host
        itself, because the units deny its address (C(IPAddressDeny=)).
      - Before such a socket starts, a throw-away socket on the loopback proves that systemd filters addresses on this
        host. After the start, this host tries to connect to each of these endpoints. If a connection succeeds, the
        change is rolled back.
    type: list
    elements: str
    default: []
  test:
    description: How the server tests its configuration before it is active.
    type: dict
    suboptions:
      folder:
        description: Folder of the configuration. The changes below it are tested in a copy that a mount namespace shows
          in its place. If the host does not allow that, the test runs with the new files in place, and the old ones are
          restored if it fails.
        type: path
        required: true
      command:
        description: The test.
        type: list
        elements: str
        required: true
      scratch:
        description: Folders that the test may write to. It gets temporary copies of these folders, without files.
        type: list
        elements: path
        default: []
      reject:
        description: Regular expression for output that means failure although the command succeeds.
        type: str
      certificates:
        description:
          - Names of M(pyhost.web.certificates) that the configuration uses. In check mode the test uses a stand-in for
            each one that does not exist yet.
        type: list
        elements: str
        default: []
      accounts:
        description:
          - Users that the configuration names, each with a group of the same name. In check mode the test uses a
            stand-in for each one that does not exist yet.
        type: list
        elements: str
        default: []
      awaits:
        description:
          - Packages of the server that earlier tasks have installed in this run. In check mode the server is not tested
            if there are any, because they are not installed yet.
        type: list
        elements: str
        default: []
  probe:
    description: Request that the server answers with its generation when it has loaded the configuration.
    type: dict
    suboptions:
      url:
        description: Address, as seen from the host.
        type: str
        required: true
      host:
        description: Value of the C(Host) header.
        type: str
      timeout:
        description: Maximum time in seconds until the server answers with the new generation.
        type: int
        default: 10
      log:
        description: The server's log. Its new lines are part of the message about a failure.
        type: path
  generation:
    description: Set by the action.
    type: str
  run:
    description: Set by the action.
    type: str
    default: ""
extends_documentation_fragment: [pyhost.web._attributes, pyhost.web._attributes.needed]
attributes:
  check_mode:
    details: Compares, and tests in a copy if the server is installed. Certificates and accounts that do not exist yet
      are replaced by stand-ins. Changes nothing.
    support: full
  diff_mode:
    details: One diff for each file. For a secret one, only the fact that it changed.
    support: full
"""

EXAMPLES = r"""
- name: Publish sites
  pyhost.web.config_set:
    name: frontend_nginx
    variables:
      listen: [80]
    files:
      - {path: /etc/nginx/nginx.conf, template: nginx.conf.j2, unit: nginx.service, verb: reload}
      - path: "/etc/nginx/pyhost.d/{name}.conf"
        template: site.conf.j2
        each: "{{ sites }}"
        as: site
        unit: nginx.service
        verb: reload
    absent: [/etc/nginx/sites-enabled/default]
    units: [nginx.service]
    test:
      folder: /etc/nginx
      command: [nginx, -t, -q]
      scratch: [/run, /var/log/nginx]
    probe:
      url: http://127.0.0.1/
      host: generation.pyhost.invalid

- name: Configure and start applications
  pyhost.web.config_set:
    name: backend_uwsgi
    files:
      - path: "/etc/pyhost/{name}.env"
        template: app.env.j2
        each: "{{ apps }}"
        as: app
        mode: "0600"
        secret: true
        unit: "pyhost-{name}.service"
        verb: restart
      - path: "/srv/pyhost/{name}/current"
        follow: "/srv/pyhost/{name}/next"
        each: "{{ apps }}"
        unit: "pyhost-{name}.service"
        verb: reload
    units:
      - {name: "pyhost-{name}.service", each: "{{ apps }}"}

- name: Activate a new release of one application if it answers
  pyhost.web.config_set:
    name: backend_uwsgi
    partial: true
    files:
      - {path: /srv/pyhost/shop/current, follow: /srv/pyhost/shop/next, unit: pyhost-shop.service, verb: reload}
    health_urls: ["http://127.0.0.1"]
    requests:
      - {file: /srv/pyhost/shop/current, path: /health, host: shop.example.org}
"""

RETURN = r"""
files:
  description: Paths that were (in check mode, would be) created, changed or removed.
  type: list
  elements: str
  returned: success
  sample: [/etc/nginx/nginx.conf]
applications:
  description: Those of the paths that name applications in lines C(# application NAME), each with the applications
    whose lines changed.
  type: dict
  returned: success
  sample: {/etc/nginx/pyhost/sites/shop.example.conf: [shop]}
links:
  description: Those of the paths that are symbolic links, each with its targets C(before) and C(after). A target is
    empty if there is no link.
  type: dict
  returned: success
  sample: {/srv/pyhost/shop/current: {before: releases/0a1b2c3d4e5f6789, after: releases/9f86d081884c7d65}}
removed:
  description: Paths and units that were removed from this host.
  type: list
  elements: str
  returned: success
  sample: [/etc/systemd/system/pyhost-blog.service, pyhost-blog.service]
seconds:
  description: Duration in seconds, measured on the controller.
  type: float
  returned: success
  sample: 1.2
units:
  description: Action on each unit.
  type: dict
  returned: success
  sample: {nginx.service: reload}
commands:
  description: Commands that ran because their files changed.
  type: list
  elements: list
  returned: success
  sample: [[systemd-sysusers, /etc/sysusers.d/pyhost.conf]]
generation:
  description: Digest of all files that were rendered.
  type: str
  returned: success
  sample: 0b1d…
recovered:
  description: Whether an earlier run had been interrupted, and was rolled back or finished.
  type: bool
  returned: success
  sample: false
failures:
  description: Applications that stay as they were, because their change failed. All other changes are active.
  type: list
  elements: str
  returned: failure
  sample: [shop]
tested:
  description: Whether the server tested the change before it was in place.
  type: bool
  returned: success
  sample: true
file:
  description: File in which the server found an error.
  type: str
  returned: failure, if the server names it
  sample: /etc/nginx/pyhost.d/shop.conf
line:
  description: Line of that file.
  type: int
  returned: failure, if the server names it
  sample: 12
application:
  description: Application of that line or unit.
  type: str
  returned: failure, if it is known
  sample: shop
"""

import contextlib
import re
import resource
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import _command, _entry
from ..module_utils._errors import PyhostError
from ..module_utils._fs import Node
from ..module_utils._gateway import ENCRYPTED, SUFFIX
from ..module_utils._layout import MANIFESTS
from ..module_utils._mask import Mask
from ..module_utils._text import decode, escaped
from ..module_utils._transaction import apart
from ..module_utils._transaction.host import Host
from ..module_utils._transaction.manifest import Store
from ..module_utils._transaction.own_sites import OwnSites
from ..module_utils._transaction.run import Outcome
from ..module_utils._transaction.secret_file import values_of
from ..module_utils._transaction.stage import Change
from ..module_utils._transaction.wish import Entry, Probe, Request, Test, Wish
from ..module_utils._web import encrypted

STATE = Path(MANIFESTS)

ARGUMENTS: dict[str, t.Any] = {
    **_entry.NEEDED,
    "name": {"type": "str", "required": True},
    "variables": {"type": "dict", "default": {}},
    "files": {
        "type": "list",
        "elements": "dict",
        "default": [],
        # Secrets must not reach the host's log.
        "no_log": True,
        "options": {
            "path": {"type": "path", "required": True},
            "template": {"type": "str"},
            "content": {"type": "str"},
            "link": {"type": "str"},
            "follow": {"type": "path"},
            "each": {"type": "list", "elements": "raw"},
            "as": {"type": "str"},
            "owner": {"type": "str", "default": "root"},
            "group": {"type": "str", "default": "root"},
            "mode": {"type": "str", "default": "0644"},
            "secret": {"type": "bool", "default": False, "no_log": False},
            "unit": {"type": "str"},
            "verb": {"type": "str", "choices": ["reload", "restart"]},
            "command": {"type": "list", "elements": "str"},
            "where": {"type": "str"},
            "applications": {"type": "list", "elements": "str"},
        },
    },
    "absent": {"type": "list", "elements": "raw", "default": []},
    "units": {"type": "list", "elements": "raw", "default": []},
    "keep": {"type": "list", "elements": "raw", "default": []},
    "keep_units": {"type": "list", "elements": "raw", "default": []},
    "take": {"type": "bool", "default": False},
    "replaces": {"type": "list", "elements": "str", "default": []},
    "retire": {"type": "list", "elements": "str", "default": []},
    "own_sites": {
        "type": "dict",
        "options": {
            "files": {"type": "list", "elements": "str", "required": True},
            "pattern": {"type": "str", "required": True},
            "names": {"type": "list", "elements": "str", "required": True},
        },
    },
    "list": {"type": "str", "default": ""},
    "run": {"type": "str", "default": ""},
    "partial": {"type": "bool", "default": False},
    "listen": {"type": "list", "elements": "str", "default": []},
    "closed": {"type": "list", "elements": "str", "default": []},
    "health_urls": {"type": "list", "elements": "str", "default": []},
    "requests": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "file": {"type": "path", "required": True},
            "endpoint": {"type": "str", "default": ""},
            "mount": {"type": "str", "default": ""},
            "path": {"type": "str", "default": "/"},
            "host": {"type": "str"},
            "https": {"type": "bool", "default": False},
            "status": {"type": "list", "elements": "int"},
            "timeout": {"type": "int", "default": 30},
            "unit": {"type": "str"},
        },
    },
    "test": {
        "type": "dict",
        "options": {
            "folder": {"type": "path", "required": True},
            "command": {"type": "list", "elements": "str", "required": True},
            "scratch": {"type": "list", "elements": "path", "default": []},
            "reject": {"type": "str"},
            "certificates": {"type": "list", "elements": "str", "default": []},
            "accounts": {"type": "list", "elements": "str", "default": []},
            "awaits": {"type": "list", "elements": "str", "default": []},
        },
    },
    "probe": {
        "type": "dict",
        "options": {
            "url": {"type": "str", "required": True},
            "host": {"type": "str"},
            "timeout": {"type": "int", "default": 10},
            "log": {"type": "path"},
        },
    },
    "generation": {"type": "str"},
}


def wish_of(params: _entry.Params) -> Wish:
    """Return what the options, as the action finishes them, ask for."""
    left_out = ("template", "each", "as", "command", "applications")
    entries = [
        Entry(
            **{key: value for key, value in file.items() if key not in left_out},
            command=tuple(file["command"] or ()),
            applications=tuple(file["applications"] or ()),
        )
        for file in params["files"]
    ]
    entries += [Entry(where=f"absent: {gone['path']}", **gone) for gone in params["absent"]]
    test, probe, own = params["test"], params["probe"], params["own_sites"]
    return Wish(
        component=params["name"],
        entries=tuple(entries),
        units=tuple(dict.fromkeys(unit["name"] for unit in params["units"])),
        keep=frozenset(params["keep"]),
        keep_units=frozenset(params["keep_units"]),
        take=params["take"],
        replaces=frozenset(params["replaces"]),
        retire=frozenset(params["retire"]),
        listen=tuple(params["listen"]),
        closed=tuple(params["closed"]),
        proofs={unit["name"]: tuple(unit["proof"]) for unit in params["units"] if unit.get("proof")},
        own_sites=OwnSites(tuple(own["files"]), own["pattern"], tuple(own["names"])) if own else OwnSites(),
        origin=params["list"],
        run=params["run"],
        partial=params["partial"],
        requests=tuple(request for each in params["requests"] for request in _requests(each, params["health_urls"])),
        test=test and _test(test),
        probe=probe
        and Probe(
            probe["url"], params["generation"], probe["host"], probe["timeout"], probe["log"] and Path(probe["log"])
        ),
    )


def _test(test: dict[str, t.Any]) -> Test:
    lists = {key: tuple(test[key]) for key in ("command", "scratch", "certificates", "accounts", "awaits")}
    return Test(Path(test["folder"]), reject=test["reject"], **lists)


def _requests(request: dict[str, t.Any], health_urls: list[str]) -> t.Iterator[Request]:
    """Return a request for each address."""
    same = {key: request[key] for key in ("file", "mount", "host", "timeout", "unit")}
    for address in health_urls:
        server = encrypted(address) if request["https"] else address
        at = request["endpoint"] if address == "endpoint" else server.rstrip("/")
        if address == "endpoint" and request["https"]:
            at = at.replace(SUFFIX, f"{SUFFIX}{ENCRYPTED}", 1)
        if at:
            url = f"{at}{request['mount']}{request['path']}"
            yield Request(url=url, status=tuple(request["status"] or ()), **same)


def secrets_of(params: _entry.Params) -> set[str]:
    """Return the contents of secret files, which must not be printed."""
    return {text for file in params["files"] if file["secret"] and (text := (file["content"] or "").strip())}


def mask_of(params: _entry.Params, state: Path) -> t.Callable[[str], str]:
    """Return what masks the values of all secret files, those of the task and those on the host, in a message.

    A service that fails may print its environment, also where the task has no file of it, as in a deploy.
    """
    contents = secrets_of(params)
    # A record that cannot be read has its own message; this one is not to hide it.
    with contextlib.suppress(PyhostError, OSError):
        for manifest in Store(state).manifests().values():
            for path in (path for path, known in manifest.files.items() if known.secret):
                with contextlib.suppress(OSError):
                    contents.add(decode(Path(path).read_bytes()))
    # Everybody may read these: a message without them would be of no use.
    names = [*(file["path"] for file in params["files"]), *(unit["name"] for unit in params["units"]), params["name"]]
    public = {word for name in names for word in (name, *re.split(r"[/.@]", name), name.rpartition(".")[0])}
    public |= {word.removeprefix("pyhost-") for word in public}
    return Mask(value for content in contents for value in values_of(content) if value not in public)


def diff_of(change: Change) -> dict[str, t.Any]:
    """Return a change as `--diff` shows it."""

    def attributes(node: Node | None) -> str:
        if node is None or node.mode is None:
            return ""
        return f"mode {node.mode:04o}, owner {node.uid}, group {node.gid}\n"

    before, after = change.before, change.after
    if change.secret:
        shown = ["(secret)\n" if before else "", "(secret, changed)\n" if after else ""]
    else:
        shown = [escaped(node.text) if node else "" for node in (before, after)]
    if attributes(before) and attributes(after) and attributes(before) != attributes(after):
        shown = [attributes(before) + shown[0], attributes(after) + shown[1]]
    name = str(change.path)
    return {"before_header": name, "after_header": name, "before": shown[0], "after": shown[1]}


def told_of(outcome: Outcome, wish: Wish) -> dict[str, t.Any]:
    """Return what became of files and units, for people."""
    empty = {entry.path for entry in wish.entries}
    gone = [str(change.path) for change in outcome.changes if change.after is None and str(change.path) not in empty]
    return {
        "files": [str(change.path) for change in outcome.changes],
        "applications": {str(change.path): names for change in outcome.changes if (names := change.applications)},
        "links": {
            str(change.path): dict(zip(("before", "after"), targets, strict=True))
            for change in outcome.changes
            for targets in [[decode(node.data) if node else "" for node in (change.before, change.after)]]
            if all(node is None or node.mode is None for node in (change.before, change.after))
        },
        "units": outcome.units,
        "removed": [*gone, *(unit for unit, verb in outcome.units.items() if verb == "stop")],
    }


def _work(module: AnsibleModule) -> dict[str, t.Any]:
    # A server's own test may open the logs of all its sites, for which the limit of a login (1024) is too low.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    wish = wish_of(module.params)
    outcome, failures = apart.run(Host(_command.run), STATE, wish, check=module.check_mode)
    result = {
        "changed": outcome.changed,
        **told_of(outcome, wish),
        "commands": outcome.commands,
        "generation": module.params["generation"],
        "recovered": outcome.recovered,
        "tested": outcome.tested,
        "warnings": outcome.warnings,
        **({"diff": [diff_of(change) for change in outcome.changes]} if module._diff else {}),
    }
    if failures:
        # The change of all others is in place.
        raise PyhostError("\n".join(failures.values()), failures=sorted(failures), **result)
    return result


def main() -> None:
    """Entry point."""
    secrets = _entry.Secrets(
        # All of `files` would be starred out of diffs and messages; only secrets have to be.
        values=secrets_of,
        mask=lambda params: mask_of(params, STATE),
        shown=lambda params: {"name": params["name"]},
    )
    _entry.run("config_set", ARGUMENTS, _work, secrets=secrets, action_sets="generation")


if __name__ == "__main__":
    main()
