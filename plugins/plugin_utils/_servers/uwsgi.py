# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""uWSGI beside its row."""

from __future__ import annotations

from ...module_utils._catalog import SYSTEM_PYTHONS
from .server import BackEndServer, Item


def _derive(item: Item) -> Item:
    # The distribution's uWSGI embeds the distribution's Python and no other.
    system_python = item["python"] in SYSTEM_PYTHONS
    # A server inside the venv is itself part of the release, so it starts again with all of it.
    return {"system_python": system_python, "switch_verb": "reload" if system_python else "restart"}


SERVER = BackEndServer(derive=_derive)
