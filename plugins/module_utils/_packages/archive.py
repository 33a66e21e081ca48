# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module C(server_archive) does on a host.

Private to the collection. The folders are plain paths and the commands go through `Run`, so that a test can stand in.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import typing as t
from dataclasses import dataclass
from pathlib import Path

from .._contents import CHECKSUM, wrong_checksum
from .._errors import PyhostError
from .._fs import Node, replace
from .._mask import addresses
from .._release.unpack import unpack
from .._text import last_lines
from .apt import Packages, read

MARK = ".pyhost-archive"
"""File in a tree that came from an archive; it holds the archive's digest."""

VERSION = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})+")

Run = t.Callable[[list[str]], "tuple[int, str, str]"]


def error(text: str) -> PyhostError:
    """Return a sentence for the user, in which no address has a user or query."""
    return PyhostError(addresses(text))


@dataclass(frozen=True)
class Wish:
    """Which server is wanted and where it may come from; see the module's options."""

    program: str
    version_command: list[str]
    minimum: str
    advice: str
    prefix: Path
    packages: list[str]
    places: list[str]
    needs: dict[str, str]
    deb: str | None = None
    archive: str | None = None
    checksum: str | None = None
    digest: str | None = None

    @property
    def origin(self) -> str | None:
        """Return the archive or .deb that is wanted."""
        return self.archive or self.deb

    @property
    def is_fetched(self) -> bool:
        """Whether the host gets it from a URL, not from the controller."""
        return bool(self.origin and "://" in self.origin)

    def problems(self) -> list[str]:
        """Return what is wrong with the wish itself."""
        found = []
        if self.archive and self.deb:
            found.append("archive and deb are both given. Remove one of them.")
        if self.checksum and not CHECKSUM.fullmatch(self.checksum):
            found.append(f"checksum: {self.checksum!r} is not a digest. Write sha256: and 64 hexadecimal digits.")
        if self.is_fetched and not self.checksum:
            found.append(
                f"checksum: a value is required, as {self.origin} will run as root. Write sha256: and its digest."
            )
        return found


class Installation:
    """The installation of a server; `packages` works with apt, `marks` is the folder that remembers .deb files."""

    def __init__(self, wish: Wish, run: Run, packages: t.Callable[[list[str]], Packages], marks: Path) -> None:
        self.wish = wish
        self.run = run
        self.packages = packages
        self.mark = wish.prefix / MARK if wish.archive else marks / f"{wish.program}.deb"
        self.digest = (wish.checksum or "").removeprefix("sha256:") or wish.digest or ""

    def program(self) -> Path | None:
        """Return the server's program, None where there is none yet."""
        places = [self.wish.prefix / "sbin", *([] if self.wish.archive else map(Path, self.wish.places))]
        programs = (place / self.wish.program for place in places)
        return next((program for program in programs if os.access(program, os.X_OK)), None)

    def expected(self) -> Path:
        """Return where the program will be."""
        return Path(self.wish.prefix if self.wish.archive else "/usr") / "sbin" / self.wish.program

    def missing_packages(self) -> list[str]:
        """Return the packages to install."""
        return self.packages(self.wish.packages).missing()

    def needs_origin(self) -> bool:
        """Whether the archive or .deb has to be installed."""
        return bool(self.wish.origin) and (self.program() is None or read(self.mark).strip() != self.digest)

    def reject(self) -> None:
        """Raise PyhostError, before anything is changed, where there is neither a server nor a source of one."""
        wish = self.wish
        if not wish.origin and not wish.packages and self.program() is None:
            raise error(wish.advice)
        for program, why in wish.needs.items():
            if not shutil.which(program):
                raise error(why)
        if wish.archive and wish.prefix.exists() and not self.mark.exists():
            raise error(
                f"{wish.prefix} exists, and this role did not install it from an archive. Remove the archive from"
                " the variables to use that folder, or move the folder away."
            )

    def install(self, packages: list[str], file: Path | None) -> None:
        """Install packages, then the archive or .deb that is at ``file``."""
        wish = self.wish
        self.packages(wish.packages).install(packages)
        if file and wish.deb:
            self.packages([]).install([str(file)])
        if file and wish.archive:
            self._unpack(file)
        elif file:
            replace(self.mark, Node(f"{self.digest}\n".encode(), 0o644))

    def verify(self, file: Path) -> None:
        """Raise PyhostError where a file is not the one that is wanted."""
        with file.open("rb") as content:
            found = hashlib.file_digest(content, "sha256").hexdigest()
        if found != self.digest:
            raise error(f"checksum: {wrong_checksum(self.wish.origin, f'sha256:{found}', f'sha256:{self.digest}')}")

    def version(self) -> str:
        """Return the version of the installed server; raise PyhostError where it is none that will do."""
        program = self.program()
        if program is None:
            raise error(
                f"{self.wish.origin or ', '.join(self.wish.packages)} did not install {self.expected()}."
                f" {self.wish.advice}"
            )
        name, *arguments = self.wish.version_command
        command = [str(program.with_name(name)), *arguments]
        status, out, err = self.run(command)
        found = VERSION.search(out)
        # The status says nothing: a server that was only asked may call that an odd end.
        if not found:
            raise error(f"{command[0]} does not run on this host: {last_lines(err or out) or f'status {status}'}")
        if _numbers(found[0]) < _numbers(self.wish.minimum):
            raise error(f"{program} has version {found[0]}, but must have {self.wish.minimum} or newer")
        return found[0]

    # A tree is unpacked beside the old one and changes places with it, so there is never half a server.

    def recover(self) -> None:
        """Clear up what an interrupted run left."""
        new, old = self._beside()
        if old.exists() and not self.wish.prefix.exists():
            old.rename(self.wish.prefix)
        for path in (new, old):
            shutil.rmtree(path, ignore_errors=True)

    def _beside(self) -> tuple[Path, Path]:
        prefix = self.wish.prefix
        return prefix.with_name(f"{prefix.name}.pyhost-new"), prefix.with_name(f"{prefix.name}.pyhost-old")

    def _unpack(self, file: Path) -> None:
        prefix = self.wish.prefix
        new, old = self._beside()
        prefix.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="pyhost-", dir=prefix.parent) as work:
            try:
                unpack(file, Path(work), strip=False)
            # Parsers of archives raise what they like where one is damaged.
            except Exception as problem:
                raise error(f"{self.wish.archive} cannot be unpacked: {problem}") from problem
            tree = Path(work, *prefix.parts[1:])
            if not (tree / "sbin" / self.wish.program).is_file():
                raise error(
                    f"{self.wish.archive} has no {str(prefix)[1:]}/sbin/{self.wish.program}. Use an archive of a tree"
                    f" that was built for {prefix}, or set the prefix for which it was built."
                )
            _open_to_all(tree)
            (tree / MARK).write_text(f"{self.digest}\n", encoding="utf-8")
            tree.rename(new)
        if prefix.exists():
            prefix.rename(old)
        try:
            new.rename(prefix)
            self.version()
        # Whatever it is: there was a server before.
        except Exception:
            shutil.rmtree(prefix, ignore_errors=True)
            if old.exists():
                old.rename(prefix)
            raise
        shutil.rmtree(old, ignore_errors=True)


def _open_to_all(tree: Path) -> None:
    """Give the tree to root, and let everybody read it; what its owner may run, everybody may."""
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]
