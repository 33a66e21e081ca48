"""Every pair of the catalog: one front end after the other publishes the same applications of the same hosts."""

from __future__ import annotations

import json
import os
import re
import time
import typing as t
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from threading import Event

import pytest
from testinfra.host import Host

from plugins.plugin_utils._catalog import FRONT_ENDS
from tests.http import test_claims
from tests.http.claims import NEEDS_NOTHING, SEEN, Cell
from tests.http.visitor import Probe, Visitor, address, hosts
from tests.playbook import converge
from tools import pairs
from tools.pairs import Way

HOSTS = hosts()
# What no distribution has is handed in: front end -> variable of the environment.
HANDED_IN = {"cherokee": "PYHOST_CHEROKEE_ARCHIVE"}
PUBLISHED = [name for name in FRONT_ENDS if name not in HANDED_IN or os.environ.get(HANDED_IN[name])]
MANIFESTS = "/var/lib/pyhost/.manifest"


def _release(host: Host) -> str:
    return str(host.backend.hostname).rpartition("-")[2]


def _probe(way: Way, back: Host) -> Probe:
    name = f"{way.back_end}-{way.protocol}-{_release(back)}".replace("_", "-")
    return Probe(name, "/sub" if _release(back) == "trixie" else "", way.protocol)


def _application(way: Way, back: Host) -> dict[str, t.Any]:
    probe = _probe(way, back)
    return {
        "domains": [f"{probe.app}.example", f"*.{probe.app}.example"],
        "path": probe.mount or "/",
        "source": {"path": f"{pairs.ROOT}/tests/http/probe"},
        "requirements": [],
        "wsgi": "probe:application",
        "backend": way.back_end,
        "protocol": way.protocol,
        "hosts": back.backend.hostname,
        # Some back ends run differently with one process and with several.
        **({"processes": 4, "threads": 1} if probe.mount else {"processes": 1, "threads": 4}),
        "limits": {"body": "200M"},
    }


@dataclass(frozen=True)
class Setting:
    """A front end, on the hosts ``fronts``, that publishes the applications of the hosts ``backs``.

    No ``fronts``: on every host, where it publishes the host's own applications only.
    """

    front_end: str
    fronts: tuple[Host, ...] = ()
    backs: tuple[Host, ...] = ()

    def __str__(self) -> str:
        if not self.fronts:
            return f"{self.front_end} on the same host"
        if len(self.fronts) == len(HOSTS):
            return self.front_end
        return f"{self.front_end} on {self.fronts[0].backend.hostname}"

    @property
    def pairs(self) -> list[tuple[Host, Host]]:
        """Who publishes whose applications."""
        return [(front, back) for front in self.fronts for back in self.backs] or [(host, host) for host in HOSTS]

    @property
    def leads(self) -> set[bool]:
        """Whether the ways lead to the same host, to another one, or to both kinds."""
        return {front == back for front, back in self.pairs}

    @property
    def ways(self) -> list[Way]:
        """What leads to exactly those hosts."""
        return [way for way in pairs.WAYS if self.leads == pairs.leads(self.front_end, way)]

    @property
    def cells(self) -> list[Cell]:
        """Every way, to every application."""
        return [
            Cell(_probe(way, back), back, front, self.front_end, frozenset())
            for way in self.ways
            for front, back in self.pairs
        ]

    def publish(self) -> None:
        """Run the playbook on all hosts."""
        converge(
            *HOSTS,
            fronts=[host.backend.hostname for host in self.fronts],
            backs=[host.backend.hostname for host in self.backs],
            pyhost_frontend=self.front_end,
            pyhost_apps={
                _probe(way, back).app: _application(way, back)
                for way in self.ways
                for back in HOSTS
                if back in {back for _front, back in self.pairs}
            },
            addresses={host.backend.hostname: address(host) for host in HOSTS},
            pyhost_address="{{ addresses[inventory_hostname] }}",
        )


# Most ways lead to every host; what leads only to the same or only to another one comes after them.
SETTINGS = [
    setting
    for fronts, backs in [(tuple(HOSTS), tuple(HOSTS)), ((), ()), (HOSTS[:1], HOSTS[1:]), (HOSTS[1:], HOSTS[:1])]
    for front_end in PUBLISHED
    if (setting := Setting(front_end, tuple(fronts), tuple(backs))).ways
]


@dataclass
class Visits:
    """What a visitor of one host met, one request after the other: when each began and ended, and its status."""

    host: Host
    requests: list[tuple[float, float, int]] = field(default_factory=list)

    @property
    def pattern(self) -> str:
        """One letter for each request: + answered, - not."""
        return "".join("+" if status == 200 else "-" for _begin, _end, status in self.requests)

    @property
    def gap(self) -> float:
        """Seconds from the last answer before the failures to the beginning of the first one after them."""
        found = re.search(r"\+-+\+", self.pattern)
        return self.requests[found.end() - 1][0] - self.requests[found.start()][1] if found else 0.0


@contextmanager
def visiting(probe: Probe) -> Iterator[list[Visits]]:
    """Ask an application on each host all the time."""
    done = Event()
    visits = [Visits(host) for host in HOSTS]

    def visit(visits: Visits) -> None:
        visitor: Visitor = probe.visitor(visits.host)
        while not done.is_set():
            begin = time.monotonic()
            try:
                status = visitor.ask("/env").status
            except OSError:
                status = 0
            visits.requests.append((begin, time.monotonic(), status))
            time.sleep(0.01)

    with ThreadPoolExecutor(len(visits)) as pool:
        jobs = [pool.submit(visit, each) for each in visits]
        try:
            yield visits
        finally:
            done.set()
    for job in jobs:
        job.result()


@dataclass
class Switch:
    """What a setting came after, the units of that front end, what visitors met meanwhile, and why it did not come."""

    setting: Setting
    before: str | None = None
    units: list[str] = field(default_factory=list)
    visits: list[Visits] = field(default_factory=list)
    refused: str = ""


SWITCHES: list[Switch] = []


@pytest.fixture(scope="module", params=SETTINGS, ids=str)
def switch(request: pytest.FixtureRequest) -> Switch:
    """The hosts with another front end than before."""
    switch = Switch(request.param)
    previous = SWITCHES[-1].setting if SWITCHES else None
    alike = previous and previous.pairs == switch.setting.pairs
    stays = alike and next((way for way in previous.ways if way in switch.setting.ways), None)
    if previous:
        switch.before = previous.front_end
        manifest = HOSTS[0].file(f"{MANIFESTS}/frontend_{previous.front_end}.json")
        switch.units = json.loads(manifest.content_string)["units"]
    with visiting(_probe(stays, HOSTS[0])) if stays else nullcontext([]) as switch.visits:
        try:
            switch.setting.publish()
        except AssertionError as error:
            switch.refused = str(error)
    if not switch.refused:
        SWITCHES.append(switch)
    return switch


@pytest.fixture(scope="module")
def cells(switch: Switch) -> list[Cell]:
    """Whom the claims are asked."""
    assert not switch.refused, f"nothing is published by {switch.setting}"
    return switch.setting.cells


def test_the_front_end_before_has_given_way(switch: Switch) -> None:
    assert not switch.refused, switch.refused
    front_end = switch.setting.front_end
    for host in switch.setting.fronts or HOSTS:
        assert host.check_output("cd %s && ls frontend_*.json", MANIFESTS) == f"frontend_{front_end}.json"
        for unit in switch.units if switch.before != front_end else ():
            assert not host.service(unit).is_running
            # It may be gone altogether.
            assert host.run("systemctl is-enabled --quiet %s", unit).rc != 0
    for visits in switch.visits:
        print(f"{visits.host.backend.hostname}: {visits.pattern.count('-')} of {len(visits.pattern)} requests failed")
        assert re.fullmatch(r"\++-*\++", visits.pattern)


# The one set of claims, asked again behind every front end; files are sent only by a front end on the same host.
globals().update({name: getattr(test_claims, name) for name in sorted(NEEDS_NOTHING)})


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_the_page_says_what_was_seen(front_end: str) -> None:
    if front_end not in PUBLISHED:
        pytest.skip(f"{HANDED_IN[front_end]} names no {front_end}")
    verdicts: dict[str, str] = {}
    for way in pairs.reached(front_end):
        asked = [
            (cell, SEEN[cell])
            for setting in SETTINGS
            if setting.front_end == front_end and way in setting.ways
            for cell in setting.cells
            if cell.probe == _probe(way, cell.back)
        ]
        kept = all(claims.keys() >= NEEDS_NOTHING and all(claims.values()) for _cell, claims in asked)
        assert {cell.front == cell.back for cell, _claims in asked} == pairs.leads(front_end, way)
        verdicts[str(way)] = pairs.kept(front_end, way) if kept else pairs.FAILS
    gaps = {
        switch.before: round(max(visits.gap for visits in switch.visits), 1)
        for switch in SWITCHES
        if switch.setting.front_end == front_end and switch.before and switch.visits
    }
    seen = pairs.Seen({front_end: verdicts}, {front_end: gaps})
    everything = pairs.Seen(**json.loads(pairs.SEEN.read_text())) if pairs.SEEN.exists() else pairs.Seen({}, {})
    everything.update(seen)
    pairs.SEEN.write_text(json.dumps(asdict(everything)))
    said = pairs.committed().verdicts.get(front_end, {})
    assert {way: said.get(way) for way in verdicts} == verdicts, "write the page with `python -m tools.pairs`"
