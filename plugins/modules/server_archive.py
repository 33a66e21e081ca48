#!/usr/bin/python
# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: server_archive
short_description: Install a server from an archive or package that you provide
version_added: 1.0.0
author:
  - pyhost.web contributors (@pyhost)
description:
  - Installs the server from an archive of an installed server, a C(.deb), or packages of a repository that the host
    uses. If none is given, uses the server that is installed already. Then checks its version.
  - An archive is unpacked beside the old tree and then replaces it. If the new server does not run, the old one is
    kept.
  - No service is started while packages are installed, as with M(pyhost.web.packages).
options:
  program:
    description: Name of the server's program.
    type: str
    required: true
  prefix:
    description:
      - Folder for which the server was built. Only files below it are unpacked from an archive, so configuration and
        data elsewhere in the archive are not used. The program is in its C(sbin).
    type: path
    required: true
  places:
    description: Other folders in which to search for the program.
    type: list
    elements: path
    default: [/usr/local/sbin, /usr/sbin]
  packages:
    description: Names of Debian packages, of the server itself or of what an archive or C(.deb) needs.
    type: list
    elements: str
    default: []
  archive:
    description: URL of a tar or zip archive that the host fetches, or a file on the controller.
    type: str
  deb:
    description: URL of a C(.deb) that the host fetches, or a file on the controller.
    type: str
  checksum:
    description: Digest of O(archive) or O(deb), C(sha256:) and 64 hexadecimal digits. Required for a URL.
    type: str
  version_command:
    description: Program in the folder of the server's program, and its arguments, that prints the version.
    type: list
    elements: str
    required: true
  minimum:
    description: Oldest version that is accepted.
    type: str
    required: true
  advice:
    description: Error message if the server is not installed and no source of it is given.
    type: str
    required: true
  needs:
    description: Other programs that the host must have, each with the error message if it is missing.
    type: dict
    default: {}
  digest:
    description: Set by the action. Digest of a file on the controller.
    type: str
  upload:
    description: Set by the action. Copy of that file on the host.
    type: path
extends_documentation_fragment: pyhost.web._attributes
attributes:
  check_mode:
    details: Reports what would be installed. Changes nothing.
    support: full
  diff_mode:
    details: The names of the packages and the archive that are installed.
    support: full
"""

EXAMPLES = r"""
- name: Install Cherokee
  pyhost.web.server_archive:
    program: cherokee
    prefix: /opt/cherokee
    archive: files/cherokee.tar.gz
    version_command: [cherokee-worker, -V]
    minimum: 1.2.104
    advice: Debian does not package Cherokee. Set archive to an archive of an installed Cherokee.
"""

RETURN = r"""
program:
  description: Path of the server's program.
  type: str
  returned: success
  sample: /opt/cherokee/sbin/cherokee
version:
  description: Version of the server, and the digest of its archive. In check mode empty if it is not installed yet.
  type: str
  returned: success
  sample: 1.2.104
installed:
  description: Packages and the archive that were (in check mode, would be) installed.
  type: list
  elements: str
  returned: success
  sample: [https://example.org/cherokee.tar.gz]
seconds:
  description: Duration in seconds, measured on the controller.
  type: float
  returned: success
  sample: 31.5
"""

import contextlib
import functools
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import open_url

from ..module_utils import _command, _entry
from ..module_utils._download import fetch_with
from ..module_utils._errors import PyhostError
from ..module_utils._layout import STATE
from ..module_utils._lock import alone
from ..module_utils._mask import addresses
from ..module_utils._packages.apt import Host, Packages, apt_run
from ..module_utils._packages.archive import Installation, Wish

MARKS = Path(STATE, ".installed")
LOCK = Path("/run/pyhost-server-archive.lock")

TEXT: dict[str, t.Any] = {"type": "str"}
NAMES: dict[str, t.Any] = {"type": "list", "elements": "str"}

SPEC = {
    "program": {**TEXT, "required": True},
    "prefix": {"type": "path", "required": True},
    "places": {"type": "list", "elements": "path", "default": ["/usr/local/sbin", "/usr/sbin"]},
    "packages": {**NAMES, "default": []},
    "archive": TEXT,
    "deb": TEXT,
    "checksum": TEXT,
    "version_command": {**NAMES, "required": True},
    "minimum": {**TEXT, "required": True},
    "advice": {**TEXT, "required": True},
    "needs": {"type": "dict", "default": {}},
    "digest": TEXT,
    "upload": {"type": "path"},
}


def _install(module: AnsibleModule) -> dict[str, t.Any]:
    given = dict(module.params)
    upload = given.pop("upload")
    wish = Wish(**{**given, "prefix": Path(given["prefix"])})
    if wish.problems():
        raise PyhostError("; ".join(wish.problems()))
    apt = functools.partial(Packages, Host(apt_run), lock_timeout=120)
    there = Installation(wish, _command.run, apt, MARKS)
    there.reject()
    packages, comes = there.missing_packages(), there.needs_origin()
    if comes and not module.check_mode and not wish.is_fetched and not upload:
        return {"changed": False, "needed": True}
    if not module.check_mode:
        there.recover()
        file = None
        if comes:
            # apt knows a file of packages by its name.
            file = Path(upload or f"{module.tmpdir}/download{'.deb' if wish.deb else ''}")
            if wish.is_fetched:
                fetch_with(open_url, None)(str(wish.origin), file)
            there.verify(file)
        there.install(packages, file)
    coming = [*packages, *([addresses(str(wish.origin))] if comes else [])]
    program = there.program()
    is_there = program and not (module.check_mode and coming)
    return {
        "changed": bool(coming),
        "program": str(program or there.expected()),
        "installed": coming,
        "version": f"{there.version()} {there.digest}".strip() if is_there else "",
        "diff": {"before": "", "after": "".join(f"{name}\n" for name in coming)},
    }


def _work(module: AnsibleModule) -> dict[str, t.Any]:
    # Without the lock, each run would take another's half-made tree for that of an interrupted run.
    with contextlib.nullcontext() if module.check_mode else alone(LOCK):
        return _install(module)


def main() -> None:
    """Entry point."""
    _entry.run("server_archive", SPEC, _work)


if __name__ == "__main__":
    main()
