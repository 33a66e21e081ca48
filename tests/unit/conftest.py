"""Makes ``ansible_collections.pyhost.web`` importable in the unit tests, as Ansible itself does it.

Where ``PYHOST_COLLECTIONS`` is set (``make unit``), the installed artifact is tested; otherwise the checkout is, so
that an editor can run a single test. Ansible's own variable does not count, as any shell that
has read tools/env.sh has it set.
"""

from __future__ import annotations

import os
from pathlib import Path

from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

CHECKOUT = Path(__file__).parents[2]


def _checkout_as_collection() -> str:
    """Return a collections folder in which ``pyhost.web`` is the checkout."""
    folder = CHECKOUT / ".cache" / "checkout"
    link = folder / "ansible_collections" / "pyhost" / "web"
    if not link.is_symlink():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(CHECKOUT)
    return str(folder)


_path = os.environ.get("PYHOST_COLLECTIONS") or _checkout_as_collection()
_AnsibleCollectionFinder(paths=_path.split(os.pathsep))._install()


def pytest_report_header() -> str:
    """Say which code is tested."""
    return f"collection: {_path}"
