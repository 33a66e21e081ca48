# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a release is: its parts, its folders, its ID, and which of them stay."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import posixpath
import re
import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .._layout import CACHE, ROOT, STATE
from .._mask import addresses
from . import tree

FORMAT = 1
"""Part of every ID: a change here rebuilds all releases."""

MARKER = ".complete"
COMMIT = re.compile(r"[0-9a-f]{40}")

_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_WSGI = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_ENV = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class App:
    """One application, as the module's option `apps` describes it."""

    name: str
    user: str
    source: Mapping[str, t.Any] | None = None
    requirements: list[str] | None = None
    server_requirements: list[str] = field(default_factory=list)
    python: str = "python3"
    setup: list[dict[str, t.Any]] = field(default_factory=list)
    build_timeout: int = 1800
    static: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    wsgi: str | None = None
    network: bool = False
    jit: bool = False
    proc: bool = False
    limits: Mapping[str, t.Any] = field(default_factory=dict)
    writable_paths: list[str] = field(default_factory=list)
    health: Mapping[str, t.Any] = field(default_factory=dict)
    keep: int = 5
    run_once_steps: bool = True

    def kind(self) -> str:
        """git, path or archive; empty where there is no source."""
        return next((kind for kind in ("git", "path", "archive") if (self.source or {}).get(kind)), "")

    def origin(self) -> str:
        """The URL, folder or file that the source names."""
        return str((self.source or {}).get(self.kind(), ""))

    def get(self, key: str) -> str:
        """A key of the source; empty where it is not given."""
        return str((self.source or {}).get(key) or "")

    def needs_upload(self) -> bool:
        """Whether the source is on the controller."""
        return self.kind() == "path" or (self.kind() == "archive" and "://" not in self.origin())

    def runs_once(self) -> bool:
        """Whether it has steps that this host alone runs."""
        return self.run_once_steps and any(step.get("once") for step in self.setup)

    def published(self) -> list[str]:
        """Static paths inside the release, normalized; absolute ones are no concern of it."""
        return sorted({posixpath.normpath(path) for path in self.static.values() if not path.startswith("/")})

    def problems(self) -> list[str]:
        """What is wrong with the description itself, each as `key: what it is and what would be right`."""
        found = []
        if self.wsgi and not _WSGI.fullmatch(self.wsgi):
            found.append(
                f"wsgi: '{self.wsgi}' is not a WSGI callable. Write module:callable, such as shop.wsgi:application."
            )
        for url, path in sorted(self.static.items()):
            normal = posixpath.normpath(path)
            if not path.startswith("/") and (normal == "." or normal.split("/")[0] == ".."):
                found.append(
                    f"static.{url}: '{path}' is not inside the release. Write a file or folder in it, such as static."
                )
        found += [
            f"env.{name}: this is not a valid name of an environment variable. Write letters, digits and '_'."
            for name in self.env
            if not _ENV.fullmatch(name)
        ]
        if len([kind for kind in ("git", "path", "archive") if self.get(kind)]) > 1:
            found.append("source: several origins given. Write exactly one of git, path and archive.")
        if self.kind() == "git" and self.origin().startswith("-"):
            found.append(f"source.git: '{self.origin()}' is not a URL")
        return found


@dataclass(frozen=True)
class Layout:
    """The folders below which applications have theirs."""

    root: Path = Path(ROOT)
    state: Path = Path(STATE)
    cache: Path = Path(CACHE)

    def app(self, name: str) -> Path:
        """All of an application but its data."""
        return self.root / name

    def releases(self, name: str) -> Path:
        """The folder with one folder a release."""
        return self.root / name / "releases"

    def data(self, name: str) -> Path:
        """What the application may write."""
        return self.state / name

    def scratch(self, name: str) -> Path:
        """What its builds keep for the next one."""
        return self.cache / name


@dataclass(frozen=True)
class Interpreter:
    """A Python of the host: where it really is, its version (3.13), and whether it can make venvs with pip."""

    path: str
    version: str
    has_venv: bool


def is_name(name: str) -> bool:
    """Whether this can be an application: its name becomes part of paths that root removes."""
    return len(name) <= 64 and bool(_NAME.fullmatch(name))


def release_id(app: App, revision: str, interpreter: Interpreter, installer: str) -> str:
    """16 hexadecimal digits over all that makes a release what it is."""
    parts = {
        "format": FORMAT,
        "user": app.user,
        "revision": revision,
        "requirements": [app.requirements, app.server_requirements],
        "python": [interpreter.path, interpreter.version],
        "setup": [step["run"] for step in app.setup],
        "static": app.published(),
        "wsgi": app.wsgi,
        "installer": installer,
    }
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def shown_revision(revision: str) -> str:
    """A revision without the user, password and query that a URL may have."""
    return addresses(revision)


def marker(folder: Path) -> dict[str, t.Any] | None:
    """What was noted when this release became complete; None where it did not."""
    try:
        noted = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return noted if isinstance(noted, dict) and noted.get("release") == folder.name else None


def complete(folder: Path, notes: Mapping[str, t.Any]) -> None:
    """Declares a release complete, once all that it consists of is on the disk."""
    os.sync()
    number = next_number(folder.parent)
    _note(folder, {**notes, "release": folder.name, "created": _now(), "number": number})


def _note(folder: Path, notes: Mapping[str, t.Any]) -> None:
    tree.write(folder / MARKER, json.dumps(notes, indent=1, sort_keys=True) + "\n", 0o600)


def next_number(folder: Path) -> int:
    """The number of the next event among the releases in `folder`: a clock may be set back."""
    return 1 + max(map(_last, complete_releases(folder).values()), default=0)


def _last(noted: Mapping[str, t.Any]) -> int:
    """The number of what happened to a release last: it was completed, or was about to be replaced."""
    return int(max(noted.get("number", 0), noted.get("replaced", 0)))


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")


def note_change(folder: Path, current: str, upcoming: str) -> None:
    """Notes that the release `current`, which is in service, is about to be replaced by `upcoming`.

    Only what was in service is a way back: `upcoming` has yet to prove itself, even if it had been there before.
    """
    for name, number in ((current, next_number(folder)), (upcoming, None)):
        noted = marker(folder / name) if name else None
        if noted and (number or "replaced" in noted):
            others = {key: value for key, value in noted.items() if key != "replaced"}
            _note(folder / name, {**others, "replaced": number} if number else others)


def target(link: Path) -> str:
    """The release that `next` or `current` names; empty where there is no such link."""
    try:
        return link.readlink().name
    except OSError:
        return ""


def complete_releases(folder: Path) -> dict[str, dict[str, t.Any]]:
    """Complete releases in `folder` with what was noted of them, those first that were built or in service last."""
    try:
        names = [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        return {}
    noted = {name: found for name in names if (found := marker(folder / name))}
    return {name: noted[name] for name in sorted(noted, key=lambda name: _last(noted[name]), reverse=True)}


def before(folder: Path, release: str) -> str:
    """The release that was in service before `release`; empty where there is none.

    Of a release to which somebody went back it is the one before that, never the one that was given up.
    """
    replaced = {name: noted["replaced"] for name, noted in complete_releases(folder).items() if "replaced" in noted}
    until = replaced.pop(release, None)
    earlier = (name for name in replaced if until is None or replaced[name] < until)
    return max(earlier, key=replaced.__getitem__, default="")


def obsolete(folder: Path, keep: int, used: Iterable[str]) -> list[str]:
    """Releases in `folder` that go: what was never completed, and all but the newest `keep`; never those in use."""
    stay = {*list(complete_releases(folder))[:keep], *used}
    try:
        return sorted(path.name for path in folder.iterdir() if path.name not in stay)
    except FileNotFoundError:
        return []
