"""Makes ``ansible_collections.pyhost.web`` importable in the unit tests, as Ansible itself does it.

Where ``ANSIBLE_COLLECTIONS_PATH`` is set (``make unit``), it is the installed artifact that is tested.
Else it is the checkout, so that an editor can run a single test.
"""

from __future__ import annotations

import os
from pathlib import Path

from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder
from hypothesis.configuration import set_hypothesis_home_dir

CHECKOUT = Path(__file__).parents[2]

# What it notes of its own belongs to what is built, not beside the sources.
set_hypothesis_home_dir(CHECKOUT / ".cache" / "hypothesis")


def _checkout_as_collection() -> str:
    """Return a collections folder in which ``pyhost.web`` is the checkout."""
    folder = CHECKOUT / ".cache" / "checkout"
    link = folder / "ansible_collections" / "pyhost" / "web"
    if not link.is_symlink():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(CHECKOUT)
    return str(folder)


_path = os.environ.get("ANSIBLE_COLLECTIONS_PATH") or _checkout_as_collection()
_AnsibleCollectionFinder(paths=_path.split(os.pathsep))._install()


def pytest_report_header() -> str:
    """Say which code is tested."""
    return f"collection: {_path}"
