"""Whom the claims are asked in a scenario."""

from __future__ import annotations

import os

import pytest

from tests.claims.claims import Cell
from tests.support.visitor import hosts, probes


@pytest.fixture(scope="module")
def cells() -> list[Cell]:
    """Each probe, at the root of a domain or below a mount point, on each host."""
    files = frozenset(os.environ.get("PYHOST_FILES", "static private").split())
    return [Cell(probe, host, host, files=files) for host in hosts() for probe in probes()]
