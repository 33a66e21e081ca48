# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action of the module C(releases): sends sources that are on the controller, and only those that the host asks for."""

from __future__ import annotations

import tempfile
import typing as t
from collections.abc import Mapping
from pathlib import Path

from ..module_utils._contents import file_digest, wrong_checksum
from ..plugin_utils._action import Failure, HostAction, folders
from ..plugin_utils._source_folder import FolderError, Source, digest, find, pack, source

MOST_NAMES = 12


def told(source: Source) -> str:
    """Return a warning about what stays on the controller."""
    names = [f"{name} ({why})" for name, why in sorted(source.left_out.items(), key=lambda item: item[1], reverse=True)]
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return (
        f"These are not sent from {source.folder}: {', '.join(names[:MOST_NAMES])}{more}."
        " To send one of them, add a line with `!` and its name to .pyhostignore in that folder."
    )


class ActionModule(HostAction):
    """Runs the module once where nothing has to be sent, else twice."""

    MODULE = "pyhost.web.releases"
    TRANSFERS_FILES = True

    def work(self, args: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return the module's result."""
        self._folders = folders(variables)
        self._origins: dict[str, Path | Source] = {}
        self._problems: list[str] = []
        if isinstance(args.get("apps"), list):
            args["apps"] = [self._app(app) if isinstance(app, Mapping) else app for app in args["apps"]]
        args["problems"] = self._problems
        result = self.execute(args, variables)
        sent = []
        if "needed" in result:
            sent = result["needed"]
            result = self.execute({**args, "uploads": self._send(sent)}, variables)
        for name in sent:
            origin = self._origins[name]
            if isinstance(origin, Source) and origin.left_out:
                self._display.warning(told(origin))
        return result

    def _app(self, given: Mapping[str, t.Any]) -> dict[str, t.Any]:
        """Return an application with the digest of its source, if that is on the controller."""
        app = dict(given)
        source = app.get("source")
        if isinstance(source, Mapping):
            origin = str(source.get("path") or source.get("archive") or "")
            if origin and "://" not in origin and not source.get("git"):
                key = "path" if source.get("path") else "archive"
                try:
                    app["source"] = {**source, "digest": self._digest(key, origin, source.get("checksum"))}
                except (FolderError, OSError) as problem:
                    self._problems.append(f"app {app.get('name')}: source.{key}: {problem}")
        return app

    def _digest(self, key: str, origin: str, checksum: t.Any) -> str:
        path = find(origin, self._folders)
        packed: Path | Source = path
        if key == "path":
            if not path.is_dir():
                raise FolderError(f"'{origin}' is not a folder. For an archive, write `source: {{archive: {origin}}}`.")
            packed = source(path)
            found = digest(packed)
        else:
            if not path.is_file():
                raise FolderError(f"'{origin}' is not a file. For a folder, write `source: {{path: {origin}}}`.")
            found = file_digest(path)
            if checksum and checksum != f"sha256:{found}":
                raise FolderError(wrong_checksum(origin, f"sha256:{found}", checksum))
        self._origins[found] = packed
        return found

    def _send(self, needed: list[str]) -> dict[str, str]:
        """Return where the sources are on the host, by digest."""
        uploads = {}
        with tempfile.TemporaryDirectory(prefix="pyhost-") as temporary:
            for name in needed:
                origin = self._origins[name]
                if isinstance(origin, Source):
                    file = Path(temporary, name)
                    try:
                        pack(origin, file)
                    except OSError as problem:
                        raise Failure(
                            f"source.path: {problem}. The folder changed while it was read. Run again."
                        ) from None
                else:
                    file = origin
                uploads[name] = self.upload(file, name)
        return uploads
