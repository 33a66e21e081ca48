"""A front end that ends by mistake, or cannot start for a while, is there again without anybody's help."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from testinfra.host import Host

from plugins.module_utils._catalog import FRONT_ENDS
from tests.support.processes import main_process_of, start_in_vain
from tests.support.visitor import FRONT_END, probes, scenario_hosts

testinfra_hosts = scenario_hosts()

SERVER = FRONT_ENDS[FRONT_END]
SERVICE = SERVER.unit
# Without it the server does not start.
FILE = f"{SERVER.config}/{Path(SERVER.config).name}.conf"


def _answers_again(host: Host, main: str) -> bool:
    """Return whether another process than that one lets the site answer, after 60 s at most."""
    visitor = probes()[0].visitor(host)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        # What is left of the one before may answer for a moment.
        with contextlib.suppress(OSError):
            if main_process_of(host, SERVICE) not in (main, "0") and visitor.ask("/env").status == 200:
                return True
        time.sleep(0.2)
    return False


def test_it_comes_back_after_sigkill(host: Host) -> None:
    main = main_process_of(host, SERVICE)
    host.check_output("kill -9 %s", main)
    assert _answers_again(host, main)


def test_it_comes_back_when_it_could_not_start_for_long(host: Host) -> None:
    main = main_process_of(host, SERVICE)
    start_in_vain(host, SERVICE, FILE)
    assert _answers_again(host, main)
