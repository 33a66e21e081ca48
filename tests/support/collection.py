"""Makes ``ansible_collections.pyhost.web`` importable, as Ansible itself does it.

Where ``PYHOST_COLLECTIONS`` is set (``make unit``), the installed artifact is tested; otherwise the checkout is, so
that an editor can run a single test. Ansible's own variable does not count: any shell that has read tools/env.sh has
it set.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]


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
    path = os.environ.get("PYHOST_COLLECTIONS") or _checkout_as_collection()
    # For programs that a test starts.
    os.environ["ANSIBLE_COLLECTIONS_PATH"] = path
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    if "ansible_collections" not in sys.modules:
        from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

        _AnsibleCollectionFinder(paths=path.split(os.pathsep))._install()
    return path
