# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The sandbox keeps what the whole host shares in small numbers from everybody; the scenario `security` tries it."""

from __future__ import annotations

import pytest
from ansible_collections.pyhost.web.plugins.module_utils._release.sandbox import BUILD, service

KINDS = {
    "build": BUILD,
    "service": service(network=False),
    "with network": service(network=True),
    "with its own loopback": service(network=False, loopback=True),
}


def _paths(kind: str, setting: str) -> set[str]:
    values = [value for name, _is, value in (line.partition("=") for line in KINDS[kind]) if name == setting]
    return {path for value in values for path in value.split()}


@pytest.mark.parametrize("kind", KINDS)
def test_the_sockets_of_the_service_manager(kind: str) -> None:
    """Without /run/systemd/journal/stdout: each connection there is a file of the service manager, without limit."""
    assert "/run/systemd:ro" in _paths(kind, "TemporaryFileSystem")
    assert {path for path in _paths(kind, "BindReadOnlyPaths") if path != "-/run/systemd/resolve"} == {
        "-/run/systemd/journal/dev-log",
        "-/run/systemd/journal/socket",
        "-/run/systemd/notify",
    }


@pytest.mark.parametrize("kind", KINDS)
def test_no_pseudo_terminals(kind: str) -> None:
    assert {"-/dev/ptmx", "-/dev/pts"} <= _paths(kind, "InaccessiblePaths")


def test_a_key_lifts_one_rule() -> None:
    strict = service(network=False)
    assert set(strict) - set(service(network=False, jit=True)) == {"MemoryDenyWriteExecute=yes"}
    assert set(strict) - set(service(network=False, proc=True)) == {"ProcSubset=pid"}
    # Whose processes others see is not the application's to choose.
    assert "ProtectProc=invisible" in service(network=True, jit=True, proc=True)
