"""Makes the collection importable in the golden tests."""

from __future__ import annotations

from tests.support import collection

collection.load()
