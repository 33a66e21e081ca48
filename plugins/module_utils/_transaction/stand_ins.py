# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a server's own test needs besides the configuration, where a dry run has not made it.

Private to the collection. Without it the test of a dry run would reject what the real run puts in place.
"""

from __future__ import annotations

import grp
import pwd
import typing as t
from pathlib import Path

from .._errors import PyhostError
from .._layout import CHAIN, KEY, certificate
from .host import Host
from .wish import Test

ETC = Path("/etc")
# Nobody's: the lines are read by a test that ends at once.
NUMBER = 65533


def make(host: Host, test: Test, folder: Path) -> bool:
    """Make what is not there in a folder that is to lie over C(/etc); return whether anything had to be made."""
    missing = [name for name in test.certificates if not _has_pair(Path(certificate(name)))]
    for name in missing:
        _make_pair(host, folder / Path(certificate(name)).relative_to(ETC))
    for database, find, line in (
        ("passwd", pwd.getpwnam, f":x:{NUMBER}:{NUMBER}::/nonexistent:/usr/sbin/nologin\n"),
        ("group", grp.getgrnam, f":x:{NUMBER}:\n"),
    ):
        unknown = [name for name in test.accounts if not _knows(find, name)]
        if unknown:
            known = (ETC / database).read_text(encoding="utf-8", errors="surrogateescape")
            text = "".join(f"{name}{line}" for name in unknown)
            (folder / database).write_text(f"{known}{text}", encoding="utf-8", errors="surrogateescape")
            (folder / database).chmod(0o644)
    return any(folder.iterdir())


def _has_pair(folder: Path) -> bool:
    return (folder / CHAIN).is_file() and (folder / KEY).is_file()


def _make_pair(host: Host, folder: Path) -> None:
    folder.mkdir(parents=True)
    command = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-days", "1",
        "-subj", "/CN=pyhost.invalid", "-config", "/dev/null",
        "-keyout", str(folder / KEY), "-out", str(folder / CHAIN),
    ]  # fmt: skip
    status, output = host.run(command)
    if status:
        raise PyhostError(f"openssl created no certificate for the test: {output}")


def _knows(find: t.Callable[[str], object], name: str) -> bool:
    try:
        find(name)
    except KeyError:
        return False
    return True
