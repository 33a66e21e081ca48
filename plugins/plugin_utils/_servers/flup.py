# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""flup beside its row."""

from __future__ import annotations

from ...module_utils._catalog import SYSTEM_PYTHONS
from .server import BackEndServer, Item


def _derive(item: Item) -> Item:
    return {"system_python": item["python"] in SYSTEM_PYTHONS}


SERVER = BackEndServer(derive=_derive)
