# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action of the module C(server_archive): sends a file that is on the controller, where the host asks for it."""

from __future__ import annotations

import typing as t

from ..module_utils._contents import CHECKSUM, file_digest, wrong_checksum
from ..plugin_utils._action import Failure, HostAction, folders
from ..plugin_utils._source_folder import FolderError, find


class ActionModule(HostAction):
    """Runs the module once where nothing has to be sent, else twice."""

    MODULE = "pyhost.web.server_archive"
    TRANSFERS_FILES = True

    def work(self, args: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return the module's result."""
        origin = str(args.get("archive") or args.get("deb") or "")
        path = None
        if origin and "://" not in origin:
            try:
                path = find(origin, folders(variables))
                args["digest"] = digest = file_digest(path)
            except (FolderError, OSError) as problem:
                raise Failure(str(problem)) from problem
            checksum = str(args.get("checksum") or "")
            # Of one in another form the module says what is wrong.
            if CHECKSUM.fullmatch(checksum) and checksum != f"sha256:{digest}":
                raise Failure(f"checksum: {wrong_checksum(origin, f'sha256:{digest}', checksum)}")
        result = self.execute(args, variables)
        if "needed" in result and path:
            result = self.execute({**args, "upload": self.upload(path, path.name)}, variables)
        return result
