"""Makes ``ansible_collections.pyhost.web`` importable, as Ansible itself does it.

Where ``ANSIBLE_COLLECTIONS_PATH`` is set (``make unit``), it is the installed artifact that is tested.
Else it is the checkout, so that an editor can run a single test.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]


def _checkout_as_collection() -> str:
    """Return a collections folder in which ``pyhost.web`` is the checkout."""
    folder = CHECKOUT / ".cache" / "checkout"
    link = folder / "ansible_collections" / "pyhost" / "web"
    if not link.is_symlink():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(CHECKOUT)
    return str(folder)


def load() -> str:
    """Let Ansible's own loader find the collection; return the collections path."""
    path = os.environ.get("ANSIBLE_COLLECTIONS_PATH") or _checkout_as_collection()
    if "ansible_collections" not in sys.modules:
        from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

        _AnsibleCollectionFinder(paths=path.split(os.pathsep))._install()
    return path
