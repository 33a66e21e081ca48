"""usage: python -m tools.upgrade [--keep]

Provisions a container of Debian 12 with applications on all back ends, upgrades it to Debian 13 in place, restarts it,
and runs the playbook site again: all applications must be rebuilt and answer, a second run must change nothing, and a
rollback to a release whose interpreter is gone must be rejected. The packages come from the mirror of the container's
apt sources. PYHOST_UPGRADE_NAME names another container; --keep leaves it.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import typing as t
from collections.abc import Iterator
from pathlib import Path

from plugins.module_utils._catalog import BACK_ENDS, FRONT_ENDS

ROOT = Path(__file__).resolve().parents[1]
NAME = os.environ.get("PYHOST_UPGRADE_NAME", "pyhost-upgrade")
FRONT_END = max(FRONT_ENDS.values(), key=lambda row: len(row.speaks)).name
"""The one that speaks most."""

OLD, NEW = "bookworm", "trixie"
UPGRADE = f"""
set -eu
export DEBIAN_FRONTEND=noninteractive
find /etc/apt/sources.list /etc/apt/sources.list.d -type f 2>/dev/null | xargs sed -i s/{OLD}/{NEW}/g
apt-get update --quiet
apt-get --yes --quiet -o Dpkg::Options::=--force-confold upgrade --without-new-pkgs
apt-get --yes --quiet -o Dpkg::Options::=--force-confold full-upgrade
apt-get --yes --quiet autoremove --purge
"""


class UpgradeError(Exception):
    """What is not as it must be after the upgrade."""


def applications() -> dict[str, dict[str, t.Any]]:
    """Return an application for each way from the front end to a back end."""
    return {
        f"{back_end}-{protocol}": {
            "domains": [f"{back_end.replace('_', '-')}-{protocol}.example"],
            "source": {"path": str(ROOT / "tests/support/probe")},
            "requirements": [],
            "wsgi": "probe:application",
            "backend": back_end,
            **({"protocol": protocol} if len(row.serves) > 1 else {}),
        }
        for back_end, row in BACK_ENDS.items()
        for protocol in row.serves
        if protocol in FRONT_ENDS[FRONT_END].speaks
    }


def inventory(folder: Path) -> Path:
    """Write the inventory, and return its path."""
    variables = {
        "ansible_connection": "community.docker.docker",
        "pyhost_frontend": FRONT_END,
        "pyhost_apps": {name.replace("_", "-"): app for name, app in applications().items()},
        "pyhost_build_env": json.loads(os.environ["PYHOST_BUILD_ENV"]),
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "inventory.json"
    path.write_text(json.dumps({"all": {"hosts": {NAME: variables}}}, indent=1), encoding="utf-8")
    return path


def run(*command: str) -> str:
    """Run a command, and show and return what it prints; raise UpgradeError if it fails."""
    lines = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in t.cast("t.IO[str]", process.stdout):
            print(line, end="", flush=True)
            lines.append(line)
    if process.returncode:
        raise UpgradeError(f"{' '.join(command)[:100]} failed with status {process.returncode}")
    return "".join(lines)


def in_container(script: str) -> str:
    """Run a script in the container."""
    return run("docker", "exec", NAME, "sh", "-c", script)


def playbook(hosts: Path, name: str, **variables: t.Any) -> str:
    """Run a playbook on the container."""
    return run("ansible-playbook", "--inventory", str(hosts), "--extra-vars", json.dumps(variables), name)


def wait() -> None:
    """Wait until the container has started all that it starts by itself."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        shown = subprocess.run(
            ["docker", "exec", NAME, "systemctl", "is-system-running"], capture_output=True, text=True, check=False
        )
        if shown.stdout.strip() in ("running", "degraded"):
            return
        time.sleep(1)
    raise UpgradeError(f"{NAME} has not started within two minutes")


ASK = """
import sys, urllib.request
request = urllib.request.Request("http://127.0.0.1/python", headers={"Host": sys.argv[1]})
print(urllib.request.urlopen(request, timeout=60).read().decode())
"""


def answers(python: str) -> None:
    """Raise UpgradeError unless every application answers, with that version of Python."""
    for name, app in applications().items():
        told = json.loads(run("docker", "exec", NAME, "python3", "-c", ASK, app["domains"][0]).splitlines()[-1])
        if not any(f"python{python}/" in f"{path}/" for path in told["path"]):
            raise UpgradeError(f"{name} does not run with Python {python}: {told}")


@contextlib.contextmanager
def phase(name: str, seconds: dict[str, float]) -> Iterator[None]:
    """Announce a phase, and note how long it takes."""
    print(f"\n── {name}", flush=True)
    begin = time.monotonic()
    yield
    seconds[name] = time.monotonic() - begin


def upgrade(seconds: dict[str, float]) -> None:
    """Do it all; raise UpgradeError with the first thing that is wrong."""
    hosts = inventory(ROOT / ".cache/upgrade")
    with phase(f"applications on {OLD}", seconds):
        run("tools/containers", "start", f"warm-{OLD}", NAME)
        playbook(hosts, ".config/molecule/prepare.yml")
        playbook(hosts, "pyhost.web.site")
        answers("3.11")
    with phase(f"upgrade to {NEW}", seconds):
        in_container(UPGRADE)
        run("docker", "restart", NAME)
        wait()
    with phase("pyhost.web.site", seconds):
        playbook(hosts, "pyhost.web.site")
        answers("3.13")
    with phase("again", seconds):
        if "changed=0 " not in playbook(hosts, "pyhost.web.site"):
            raise UpgradeError("a second run changed something")
    with phase("rollback", seconds):
        try:
            playbook(hosts, "pyhost.web.rollback", pyhost_only=next(iter(applications())).replace("_", "-"))
        except UpgradeError:
            answers("3.13")
        else:
            raise UpgradeError("a rollback to a release without its interpreter was not rejected")


def main() -> int:
    """Return 0 if all is as it must be."""
    seconds: dict[str, float] = {}
    try:
        upgrade(seconds)
    except UpgradeError as problem:
        print(f"\ntools/upgrade.py: {problem}", file=sys.stderr)
        return 1
    finally:
        print("\nSeconds:", ", ".join(f"{name} {spent:.0f}" for name, spent in seconds.items()))
        if "--keep" not in sys.argv:
            subprocess.run(["tools/containers", "remove", NAME], check=False)
    print("All applications answer after the upgrade.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
