"""Makes the collection importable in the unit tests."""

from __future__ import annotations

from tests import collection

_path = collection.load()


def pytest_report_header() -> str:
    """Say which code is tested."""
    return f"collection: {_path}"
