"""usage: python -m benchmarks.runs [applications | SERVER…]; `make benchmark` does the set-up

How long runs of the playbook and of the front ends' roles take on a container of Debian 13, one after the other on the
same machine. Seconds depend on the machine; compare only those of one run.
Without names: applications and all front ends (Cherokee if PYHOST_CHEROKEE_ARCHIVE names an archive).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from plugins.module_utils._catalog import BACK_ENDS, DEFAULT_BACK_END, DEFAULT_FRONT_END, FRONT_ENDS
from tests.support.visitor import HANDED_IN, is_here

ROOT = Path(__file__).resolve().parents[1]
NAME = "pyhost-benchmark"
RELEASE = "trixie"
SITES = 500
MISTAKE = "no line of any server"

Variables = dict[str, t.Any]


@contextmanager
def container() -> Iterator[None]:
    """A host that has nothing yet, prepared for the network of this machine."""
    remove = [f"{ROOT}/tools/containers", "remove", NAME]
    subprocess.run(remove, check=True, capture_output=True)
    subprocess.run([remove[0], "start", RELEASE, NAME], check=True, capture_output=True)
    try:
        run(".config/molecule/prepare.yml", {})
        yield
    finally:
        subprocess.run(remove, check=True, capture_output=True)


def run(playbook: str, variables: Variables, *, refused: str = "") -> float:
    """Return the seconds of a run, which must end well, or be refused with the words."""
    given = {"pyhost_build_env": json.loads(os.environ["PYHOST_BUILD_ENV"]), **variables}
    with tempfile.TemporaryDirectory() as folder:
        inventory, extra = Path(folder, "inventory.yml"), Path(folder, "variables.json")
        inventory.write_text(f"all: {{hosts: {{{NAME}: {{ansible_connection: community.docker.docker}}}}}}\n")
        extra.write_text(json.dumps(given))
        command = ["ansible-playbook", "--inventory", str(inventory), "--extra-vars", f"@{extra}", playbook]
        begin = time.monotonic()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - begin
    said = done.stdout + done.stderr
    if bool(refused) != bool(done.returncode) or refused not in said:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}\n{said}")
    return seconds


def row(what: str, seconds: float, unit: float) -> None:
    """Print a line of a table: the seconds, and what they are to others."""
    print(f"| {what} | {seconds:.1f} | {seconds / unit:.1f} |", flush=True)


def applications() -> None:
    """Measure the playbook with 1, 10 and 100 applications."""
    servers = f"{FRONT_ENDS[DEFAULT_FRONT_END].title} and {BACK_ENDS[DEFAULT_BACK_END].title}"
    print(f"\n| applications, {servers} | seconds | to one application, nothing to do |\n|---|---|---|")
    with container():
        unit = 0.0
        for count in (1, 10, 100):
            app = {"source": {"path": f"{ROOT}/tests/support/probe"}, "requirements": [], "wsgi": "probe:application"}
            names = [f"app{number}" for number in range(count)]
            apps = {name: {**app, "domains": [f"{name}.example"], "processes": 1} for name in names}
            first = run("pyhost.web.site", {"pyhost_apps": apps})
            nothing = run("pyhost.web.site", {"pyhost_apps": apps})
            unit = unit or nothing
            row(f"{count}, those that were not there before are built", first, unit)
            row(f"{count}, nothing to do", nothing, unit)


def sites(server: str) -> None:
    """Measure a front end's role with many sites."""

    def published(count: int, **last: str) -> Variables:
        names = [f"site{number}.example" for number in range(count)]
        mount = {"app": "shop", "endpoints": ["/run/pyhost/shop.sock"]}
        given = [{"domains": [name], "mounts": [mount]} for name in names]
        given[-1] = {**given[-1], "mounts": [{**mount, **last}]}
        archive = {f"frontend_{server}_archive": os.environ[HANDED_IN[server]]} if server in HANDED_IN else {}
        return {"server": server, f"frontend_{server}_sites": given, **archive}

    print(f"\n| {server} | seconds | to one site, nothing to do |\n|---|---|---|")
    with container():
        playbook = "benchmarks/sites.yml"
        run(playbook, published(1))
        unit = run(playbook, published(1))
        row("1 site, nothing to do", unit, unit)
        row(f"{SITES} sites, new but for one", run(playbook, published(SITES)), unit)
        row(f"{SITES} sites, nothing to do", run(playbook, published(SITES)), unit)
        row(f"{SITES} sites, one changed", run(playbook, published(SITES, path="/shop")), unit)
        mistake = run(playbook, published(SITES + 1, extra=MISTAKE), refused="application shop")
        row(f"{SITES} sites and one more with a mistake, refused", mistake, unit)
        row(f"{SITES} sites, nothing to do", run(playbook, published(SITES, path="/shop")), unit)


def main() -> None:
    """Measure what is asked for."""
    everything = [name for name in FRONT_ENDS if is_here(name)]
    for name in sys.argv[1:] or ["applications", *everything]:
        if name == "applications":
            applications()
        else:
            sites(name)


if __name__ == "__main__":
    main()
