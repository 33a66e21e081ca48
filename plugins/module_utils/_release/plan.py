# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What has to be done for each application."""

from __future__ import annotations

import pwd
import typing as t
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from .._errors import PyhostError
from .release import App, Interpreter, shown_revision


class Problems(PyhostError):
    """Everything that makes the task fail; one line each."""

    def __init__(self, problems: Iterable[str], **details: t.Any) -> None:
        self.problems = sorted(problems)
        super().__init__("\n".join(self.problems), **details)


@dataclass
class Plan:
    """What has to be done for one application. `revision` and `release` are empty while they cannot be known.

    C(lacking) is what this host does not have yet: packages and accounts come before releases are built.
    """

    app: App
    is_flawed: bool = False
    interpreter: Interpreter | None = None
    revision: str = ""
    release: str = ""
    is_complete: bool = False
    download: Path | None = None
    lacking: list[str] = field(default_factory=list)

    def shown(self) -> str:
        """The revision without the password that a URL may carry."""
        return shown_revision(self.revision)

    def missing_digest(self) -> str:
        """Digest of what the controller must send before this can be built; empty where nothing has to be sent."""
        return self.app.get("digest") if self.app.needs_upload() and not self.is_complete else ""


def account_named(name: str) -> pwd.struct_passwd | None:
    """Return the account of that name; None where this host has none."""
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None
