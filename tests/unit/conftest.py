"""Makes the collection importable in the unit tests."""

from __future__ import annotations

from hypothesis.configuration import set_hypothesis_home_dir

from tests.support import collection

# What it notes of its own belongs to what is built, not beside the sources.
set_hypothesis_home_dir(collection.CHECKOUT / ".cache" / "hypothesis")

_path = collection.load()


def pytest_report_header() -> str:
    """Say which code is tested."""
    return f"collection: {_path}"
