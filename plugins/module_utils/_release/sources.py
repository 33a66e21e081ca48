# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where the code of releases comes from: git, a folder of the controller, or an archive."""

from __future__ import annotations

import asyncio
import inspect
import os
import pwd
import shlex
import shutil
import tarfile
import typing as t
import urllib.error
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

from .._contents import file_digest, tar_digest, wrong_checksum
from . import credentials, unpack
from .advice import as_step, told
from .plan import Plan, account_named
from .release import COMMIT, Interpreter
from .step import PATH, StepError
from .steps import Steps, quoted

NO_GIT = "source.git: this host has no git. Install the package git in an earlier task."


class Sources:
    """Finds out what is meant, brings it to the caches of the host, and puts it into a release.

    `uploads` are files by digest; `fetch` brings a URL to a file and returns its SHA-256.
    """

    def __init__(
        self,
        steps: Steps,
        temporary: Path,
        uploads: Mapping[str, str],
        fetch: Callable[[str, Path], str] | None,
    ) -> None:
        self._steps = steps
        self.temporary = temporary
        self.uploads = uploads
        self.fetch = fetch

    async def revision(self, plan: Plan, found: list[str]) -> str:
        """Return what identifies the code; empty, with a problem, where that cannot be found out."""
        app = plan.app
        if app.kind() == "git":
            return await self._git_revision(plan, found)
        if app.kind() == "path":
            return f"sha256:{app.get('digest')}"
        if app.kind() == "archive":
            digest = app.get("checksum") or (app.get("digest") and f"sha256:{app.get('digest')}")
            return digest or f"url:{app.origin()}"
        return "none"

    async def _git_revision(self, plan: Plan, found: list[str]) -> str:
        """The commit that is meant. A full commit ID is one, and needs no look at the repository."""
        app = plan.app
        version = app.get("version") or "HEAD"
        if problem := _unusable(app.origin()):
            found.append(f"source.git: '{app.origin()}': {problem}")
            return ""
        if COMMIT.fullmatch(version):
            return version
        if not shutil.which("git", path=PATH):
            plan.lacking.append(NO_GIT)
            return ""
        names = [version, f"refs/tags/{version}", f"refs/tags/{version}^{{}}", f"refs/heads/{version}"]
        command = f'git ls-remote --quiet -- "$SOURCE_URL" {quoted(names)}'
        step = self._steps.step(plan, "source.git", _git(command), git=True)
        outcome = await self._steps.runner.run(step)
        if outcome.status:
            if self._steps.is_check and not account_named(app.user):
                plan.lacking.append(
                    "source.git: not checked, because the account of the application does not exist yet"
                )
            else:
                found.append(f"source.git: '{app.origin()}' cannot be read: {told(step, outcome)}")
            return ""
        refs = {ref: commit for commit, _tab, ref in (line.partition("\t") for line in outcome.out.splitlines())}
        # As git itself chooses; of an annotated tag, what it stands for.
        for name in (names[2], names[1], names[3], *([version] if version == "HEAD" else [])):
            if name in refs:
                return refs[name]
        found.append(
            f"source.version: '{app.origin()}' has no branch or tag '{version}'. Write one of its branches or tags, or"
            " the 40-digit ID of a commit."
        )
        return ""

    async def reach(self, plan: Plan, found: list[str]) -> None:
        """Bring what the release is made from to this host, or add a problem."""
        if plan.app.kind() == "git":
            if not shutil.which("git", path=PATH):
                found.append(NO_GIT)
                return
            step = self._steps.step(plan, "source.git", _git(_mirror(plan.revision)), git=True)
            outcome = await self._steps.runner.run(step)
            if outcome.status:
                found.append(f"source.git: '{plan.app.origin()}' cannot be fetched: {told(step, outcome)}")
        elif plan.app.kind() == "archive" and not plan.app.needs_upload() and self.fetch:
            plan.download = self.temporary / f"{plan.app.name}.archive"
            try:
                digest = await asyncio.to_thread(self.fetch, plan.app.origin(), plan.download)
            except (OSError, ValueError, urllib.error.URLError) as problem:
                found.append(f"source.archive: '{plan.app.origin()}' cannot be fetched: {problem}")
                return
            wanted = plan.app.get("checksum")
            if wanted and wanted != f"sha256:{digest}":
                found.append(f"source.checksum: {wrong_checksum(plan.app.origin(), f'sha256:{digest}', wanted)}")

    async def place(self, plan: Plan, account: pwd.struct_passwd) -> None:
        """Put the code into the release."""
        folder = self._steps.folder(plan)
        if plan.app.kind() == "git":
            checkout = _checkout(self._steps.layout.scratch(plan.app.name), plan.revision)
            await self._steps.do(plan, "source.git", _git(checkout), git=True)
        elif plan.app.kind():
            given = plan.download or Path(self.uploads[plan.missing_digest()])
            archive = folder / "source"
            with as_step(f"source.{plan.app.kind()}", archive):
                await asyncio.to_thread(shutil.copyfile, given, archive)
                await asyncio.to_thread(_check_upload, plan, archive)
            os.chown(archive, 0, account.pw_gid)
            archive.chmod(0o640)
            python = t.cast(Interpreter, plan.interpreter).path
            command = [python, "-I", "-c", inspect.getsource(unpack), str(archive), "."]
            strip = ["--strip"] if plan.app.kind() == "archive" else []
            await self._steps.do(plan, f"source.{plan.app.kind()}", f"exec {quoted([*command, *strip])}")
            archive.unlink()


def _check_upload(plan: Plan, archive: Path) -> None:
    """Raises StepError where another source came than the one that the release is named after."""
    wanted = plan.missing_digest()
    try:
        is_right = not wanted or wanted == (tar_digest if plan.app.kind() == "path" else file_digest)(archive)
    except (tarfile.TarError, EOFError, zlib.error):
        is_right = False
    if not is_right:
        where = f"source.{plan.app.kind()}: '{plan.app.origin()}'"
        raise StepError(f"{where} changed on the controller while it was sent. Run again when nothing writes there.")


def _unusable(url: str) -> str:
    """Return why git must not be given this address; empty where it may."""
    if problem := credentials.left_in(url):
        return problem
    if url.lower().startswith(("http:", "https:", "ftp:", "ftps:")) and "?" in url:
        return (
            "every account of the host could read the query of this URL. Put the token in front of the host, such as"
            " https://USER:TOKEN@HOST/shop.git."
        )
    return ""


def _git(script: str) -> str:
    # A repository on this host may belong to somebody else than the application; git asks for consent. The folder is
    # the step's own.
    return f"""own=$(mktemp -d) || exit
printf '[safe]\\n\\tdirectory = *\\n%s\\n' "${{PYHOST_GIT_CONFIG:-}}" >"$own/gitconfig" || exit
export GIT_CONFIG_GLOBAL="$own/gitconfig"
{script}"""


def _mirror(commit: str) -> str:
    """Script that gets a commit into the application's mirror; without the network where it is there."""
    # A killed git leaves its locks; here it is known that no other one runs.
    return f"""
cd "$SOURCE_CACHE" || exit
[ -e git/HEAD ] || git init --quiet --bare git || exit
cd git || exit
git cat-file -e {commit}^{{commit}} 2>/dev/null && exit 0
find . -name '*.lock' -delete
git config remote.origin.url "$SOURCE_URL" || exit
git fetch --quiet --force --prune origin '+refs/heads/*:refs/heads/*' '+refs/tags/*:refs/tags/*' || exit
git cat-file -e {commit}^{{commit}} 2>/dev/null || git fetch --quiet origin {commit}
"""


def _checkout(cache: Path, commit: str) -> str:
    """Script that puts a commit of the mirror into the current folder, with its submodules."""
    return f"""
git clone --quiet --shared --no-checkout {shlex.quote(str(cache))}/git . || exit
git checkout --quiet --detach {commit} || exit
[ -e .gitmodules ] || exit 0
git config remote.origin.url "$SOURCE_URL" || exit
git submodule --quiet update --init --recursive
"""
