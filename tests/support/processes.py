"""What a host says about the processes of a service."""

from __future__ import annotations

import time

from testinfra.host import Host


def main_process_of(host: Host, unit: str) -> str:
    """Return the number of a service's main process."""
    return host.check_output("systemctl show --value --property MainPID %s", unit)


def main_process(host: Host, app: str) -> str:
    """Return the number of the main process of an application's service."""
    return main_process_of(host, f"pyhost-{app}.service")


def wait_for_another(host: Host, app: str, main: str) -> None:
    """Wait until the service has another main process: what its other processes had accepted is lost with them."""
    deadline = time.monotonic() + 60
    while main_process(host, app) in (main, "0"):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def start_in_vain(host: Host, unit: str, file: str) -> None:
    """Let a service that needs the file start without it, more often than systemd allows if nobody says otherwise."""
    host.check_output("mv %s %s.away", file, file)
    host.run("systemctl restart %s", unit)
    tried = f"test $(systemctl show --value --property NRestarts {unit}) -gt 5"
    host.check_output("timeout 60 sh -c %s", f"until {tried}; do sleep 0.2; done")
    host.check_output("mv %s.away %s", file, file)


def exposure(host: Host, unit: str) -> float:
    """Return systemd's verdict on a service's sandbox, 0 for safe to 10 for none."""
    verdict = host.check_output("systemd-analyze security --no-pager %s", unit)
    return float(verdict.split("Overall exposure level")[1].split(":")[1].split()[0])
