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
  - Compares all files that a part of a host wants with what is there; when nothing differs and nothing is pending, it
    does nothing.
  - Else it has the server test a copy of its configuration with the changes, swaps them in, reloads or restarts only
    what the changed files belong to, and looks whether all units stay up and the new generation is served.
    When any of this fails, the old files are put back and in service, and the task fails with the server's own words.
  - It remembers in C(/var/lib/pyhost/.manifest/) what a part owns. What is no longer wanted is removed, after its units
    were stopped; what had been at a path before (a distribution's own file) comes back.
  - The failure of an application is its own, where the files are marked as one application's (C(as=app)). That
    application stays as it was, and all others get their change. The task fails in the end, and C(failures) names those
    that failed.
  - A run that was killed is taken back by the next one, and a reload that was lost is made up for.
  - Templates are rendered on the controller by plain Jinja2, each compiled once. They see O(variables), the item of
    O(files[].each), C(generation) (the digest of all that this task renders) and C(managed) (a line for a comment at
    the top of the file), and nothing else; an undefined variable is an error.
  - A path and a unit have one owner. Where they move from one part to another in one play, the part that has them
    names them in O(keep) and O(keep_units), and the part that gets them sets O(take). In either order of the two tasks
    they are never removed in between. A unit takes its files along; those that the new part does not want are removed
    by that transaction, so they are back if it fails.
  - An error in a file is told with the application that it belongs to, where a line above it says
    C(# application NAME).
options:
  name:
    description: Name of the part of the host that owns all this, such as V(frontend_nginx).
    type: str
    required: true
  variables:
    description: What templates see.
    type: dict
    default: {}
  files:
    description:
      - Files and symbolic links that are wanted. Each has one of C(template), C(content), C(link) and C(follow).
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path. Missing folders above it are made, and removed again with the last file in them.
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
          - A symbolic link on the host; the link at C(path) takes over its target.
          - A target that had to be taken back because of O(requests), or in a run with O(partial), is tried again by a
            run with O(partial) alone; others warn and leave the link as it is.
        type: path
      each:
        description:
          - The entry stands for one file an item. C({key}) in any string of the entry is filled in from the item
            (C({key.key}) from a dictionary in it, C({item}) with the item itself).
        type: list
        elements: raw
      as:
        description:
          - Name under which the template sees the item. V(item) when it is left out.
          - An entry with V(app) belongs to the application with the C(name) of the item.
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
          - The content is not shown in any diff or message.
          - In what a failing service prints, each value that the file sets is replaced by asterisks, if it is not
            shorter than 4 characters.
        type: bool
        default: false
      unit:
        description: The unit that reads this file.
        type: str
      verb:
        description: What the unit has to do when the file changed. A unit that cannot reload is restarted.
        type: str
        choices: [reload, restart]
      command:
        description: A command that takes the file over when it changed. It runs after the swap, before all units.
        type: list
        elements: str
      where:
        description: Set by the action; how messages name the entry.
        type: str
      applications:
        description: Set by the action; the application that the entry is about.
        type: list
        elements: str
  absent:
    description:
      - Paths at which nothing shall be, such as a distribution's default site. What was there comes back when the path
        is left out again.
      - A path, or a dictionary with C(path), C(each), and C(unit) and C(verb) as in O(files).
    type: list
    elements: raw
    default: []
  units:
    description:
      - Units that shall be enabled and active. Units that this part had wanted before and does not any more are stopped
        and disabled.
      - A name, or a dictionary with C(name), C(each) and C(proof).
      - C(proof) is a command (a list of strings) that fails where what the unit has loaded is gone although the unit is
        active. The unit is reloaded then.
    type: list
    elements: raw
    default: []
  keep:
    description:
      - Paths that this part no longer wants but must not remove, because another part takes them over with O(take).
        They stay this part's until then.
      - A path, or a dictionary with C(path) and C(each). Paths that this part does not have are ignored.
    type: list
    elements: raw
    default: []
  keep_units:
    description: Like O(keep), for units and the files that belong to them; a name, or a dictionary with C(name) and
      C(each).
    type: list
    elements: raw
    default: []
  take:
    description: Take over wanted paths and units that belong to another part. Without it they are an error.
    type: bool
    default: false
  replaces:
    description:
      - Names of other parts from which this one takes over, such as another web server that holds the same port. Those
        that this host does not have are ignored.
      - Their units are stopped when all of this part is in place and tested, just before its own units start, and are
        disabled once these have proved themselves; what this part does not want of their files goes last. When anything
        fails, their server runs again with all that it had.
    type: list
    elements: str
    default: []
  retire:
    description:
      - Paths and units of other parts that have no use any more once this part is in service, such as the socket of an
        application that is now reached in another way. A unit takes its files along. They go last; those that no other
        part has are ignored.
    type: list
    elements: str
    default: []
  own_sites:
    description:
      - Sites of the host's operator that the server reads too. A warning names each file with a host name of O(files),
        because the server uses only one of the two.
    type: dict
    suboptions:
      files:
        description: Patterns of their paths, such as V(/etc/nginx/sites-enabled/*).
        type: list
        elements: str
        required: true
      pattern:
        description: Regular expression whose first group has the host names of a site.
        type: str
        required: true
      names:
        description: Host names of O(files).
        type: list
        elements: str
        required: true
  list:
    description:
      - Name of the list of applications that O(files) are made from. What a list of another name has set up can change,
        but a run that would remove an application of it fails. So does one that would remove what an earlier task of
        the same run has set up. Files name their applications in lines that begin with C(# application NAME).
      - Where it is left out, everything can be removed.
    type: str
    default: ""
  partial:
    description:
      - Only the files and units that are named are looked at, and all else that this part has stays as it is, such as
        the other applications of a back end when one gets a new release.
      - What this part does not have on the host yet is an error then.
    type: bool
    default: false
  health_urls:
    description:
      - Where O(requests) are made, addresses of web servers as seen from the host; C(endpoint) stands for
        O(requests[].endpoint) of each request that has one.
    type: list
    elements: str
    default: []
  requests:
    description:
      - What must be answered at each address of O(health_urls) once all this is active; otherwise everything is rolled
        back. A request is made only if its file changed, and again and again until the processes that had the old file
        have gone, for at most O(requests[].timeout).
      - Without O(partial) each application that is started or changed is asked at its endpoint. One that did not answer
        well before has to answer anything. Web servers are asked only where nothing else changes of what the unit
        reads, and where they answered well before, as they may have yet to be told of the rest.
    type: list
    elements: dict
    default: []
    suboptions:
      file:
        description: Path of one of O(files).
        type: path
        required: true
      endpoint:
        description: Where the application listens itself, C(PROTOCOL+unix://SOCKET) with the path of the socket
          percent-encoded, for one of the protocols uwsgi, fastcgi, scgi and http.
        type: str
        default: ""
      mount:
        description: Where the application is mounted, without a slash at the end.
        type: str
        default: ""
      path:
        description: Path below that.
        type: str
        default: /
      host:
        description: Value of the C(Host) header.
        type: str
      https:
        description:
          - Ask web servers over TLS, at port 443 of the addresses in O(health_urls), and the application itself as a
            front end asks it for visitors who use TLS.
        type: bool
        default: false
      status:
        description: Good answers. When left out, all below 500.
        type: list
        elements: int
      timeout:
        description: Seconds to wait for each answer, and for the old processes to go.
        type: int
        default: 30
      unit:
        description: Unit whose last words a failure quotes.
        type: str
  listen:
    description:
      - Where the units listen over TCP, C(port), C(address:port) or C([address]:port). When there is something to
        change and anybody else but O(units) and what gives way to them listens there already, the task fails before
        anything is changed, naming that process; a server's own test does not tell.
    type: list
    elements: str
    default: []
  closed:
    description:
      - Endpoints of the socket units, C(address:port) or C([address]:port), that this host itself must not be able to
        open, because the units deny its address (C(IPAddressDeny=)).
      - Before such a socket starts, a throw-away socket on the loopback proves that systemd filters addresses on this
        host. After the start, this host tries to connect to each of these endpoints. Where a connection succeeds, the
        change is rolled back.
    type: list
    elements: str
    default: []
  test:
    description: How the server tests its configuration before it is in service.
    type: dict
    suboptions:
      folder:
        description: Folder of the configuration. The changes below it are tested in a copy that a mount namespace shows
          in its place. Where the host does not allow that, the files are swapped, tested, and put back if that fails.
        type: path
        required: true
      command:
        description: The test.
        type: list
        elements: str
        required: true
      scratch:
        description: Folders that the test may write to; it sees throw-away copies of their folders, without files.
        type: list
        elements: path
        default: []
      reject:
        description: Regular expression for output that means failure although the command succeeds.
        type: str
      certificates:
        description:
          - Names of M(pyhost.web.certificates) that the configuration uses. In check mode the test sees a stand-in for
            each one that does not exist yet.
        type: list
        elements: str
        default: []
      accounts:
        description:
          - Users that the configuration names, each with a group of the same name. In check mode the test sees a
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
    description: Where the server answers its generation once it has loaded it.
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
        description: Seconds to wait for the new generation.
        type: int
        default: 10
      log:
        description: The server's log, whose new lines a failure quotes.
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
    details: Compares, and tests in a copy where the server is installed, with stand-ins for certificates and accounts
      that are yet to be made; changes nothing.
    support: full
  diff_mode:
    details: One diff for each file; of a secret one, only that it changed.
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

- name: Put a new release of one of them in service, if it answers
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
  description: Paths that changed, came or went.
  type: list
  elements: str
  returned: success
  sample: [/etc/nginx/nginx.conf]
applications:
  description: Of those paths the ones that name applications (as the messages about errors do), with those whose lines
    changed.
  type: dict
  returned: success
  sample: {/etc/nginx/pyhost/sites/shop.example.conf: [shop]}
links:
  description: Of those paths the symbolic links, with their targets C(before) and C(after); empty where there is none.
  type: dict
  returned: success
  sample: {/srv/pyhost/shop/current: {before: releases/0a1b2c3d4e5f6789, after: releases/9f86d081884c7d65}}
removed:
  description: Those of the paths and units that this host does not have any more.
  type: list
  elements: str
  returned: success
  sample: [/etc/systemd/system/pyhost-blog.service, pyhost-blog.service]
seconds:
  description: How long it took, as seen from the controller.
  type: float
  returned: success
  sample: 1.2
units:
  description: What was done with which unit.
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
  description: Digest of all that was rendered.
  type: str
  returned: success
  sample: 0b1d…
recovered:
  description: Whether an earlier run had been interrupted, and was rolled back or finished.
  type: bool
  returned: success
  sample: false
failures:
  description: Applications that stay as they were, because their change failed; all else is in place.
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
  returned: failure, when the server names it
  sample: /etc/nginx/pyhost.d/shop.conf
line:
  description: Line of that file.
  type: int
  returned: failure, when the server names it
  sample: 12
application:
  description: Application of that line or unit.
  type: str
  returned: failure, when it is known
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
