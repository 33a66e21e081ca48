"""Every pair of the catalog: one front end after the other publishes the same applications of the same hosts."""

from __future__ import annotations

import errno
import json
import os
import re
import time
import typing as t
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field

import pytest
from testinfra.host import Host

from plugins.module_utils._catalog import FRONT_ENDS
from tests.claims import test_answers, test_bodies, test_environment, test_files, test_hosts
from tests.claims.claims import NEEDS_NOTHING, SEEN, Cell
from tests.support.packages import upgrade
from tests.support.playbook import converge
from tests.support.visitor import HANDED_IN, Probe, Request, address, hosts, is_here, traffic
from tools import pairs
from tools.pairs import Way

HOSTS = hosts()
PUBLISHED = [name for name in FRONT_ENDS if is_here(name)]
NEIGHBOUR = {
    "domains": ["neighbour.example"],
    "source": {"path": f"{pairs.ROOT}/tests/support/probe"},
    "requirements": [],
    "wsgi": "probe:application",
}
# Those that the distribution upgrades.
PACKAGES = {name: row.package for name, row in FRONT_ENDS.items() if row.package}
# A port that is closed for a moment, processes that end with what they had accepted (mod_wsgi's word for it is 500),
# and others that are not up yet.
LOST = {
    *(f"[Errno {number}] {os.strerror(number)}" for number in (errno.ECONNREFUSED, errno.ECONNRESET, errno.EPIPE)),
    "Remote end closed connection without response",
    500,
    503,
}
MANIFESTS = "/var/lib/pyhost/.manifest"


def _release(host: Host) -> str:
    return str(host.backend.hostname).rpartition("-")[2]


def _name(way: Way) -> str:
    return f"{way.back_end}-{way.protocol}".replace("_", "-")


def _probe(way: Way, back: Host) -> Probe:
    return Probe(f"{_name(way)}-{_release(back)}", "/sub" if _release(back) == "trixie" else "", way.protocol)


def _application(way: Way, back: Host, changed: bool = False) -> dict[str, t.Any]:
    probe = _probe(way, back)
    return {
        "domains": [f"{probe.app}.example", f"*.{probe.app}.example"] + [f"{probe.app}.other.example"] * changed,
        "path": probe.mount or "/",
        "source": {"path": f"{pairs.ROOT}/tests/support/probe"},
        "requirements": [],
        "wsgi": "probe:application",
        "backend": way.back_end,
        "protocol": way.protocol,
        "hosts": back.backend.hostname,
        # Some back ends run differently with one process and with several.
        **({"processes": 4 - changed, "threads": 1} if probe.mount else {"processes": 1 + changed, "threads": 4}),
        "limits": {"body": "5M"},
        "headers": {"Referrer-Policy": "", "content-security-policy": "default-src 'self' https://a.example:*"}
        if probe.mount
        else {},
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

    def publish(self, playbook: str = "site", changed: bool = False, **variables: t.Any) -> None:
        """Run a playbook on all hosts; ``changed``: with a change in every application, and without the neighbour."""
        apps = {
            _probe(way, back).app: _application(way, back, changed)
            for way in self.ways
            for back in HOSTS
            if back in {back for _front, back in self.pairs}
        }
        converge(
            *HOSTS,
            playbook=f"pyhost.web.{playbook}",
            fronts=[host.backend.hostname for host in self.fronts],
            backs=[host.backend.hostname for host in self.backs],
            pyhost_frontend=self.front_end,
            pyhost_apps=apps if changed else {**apps, "neighbour": NEIGHBOUR},
            addresses={host.backend.hostname: address(host) for host in HOSTS},
            pyhost_address="{{ addresses[inventory_hostname] }}",
            **variables,
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
    """What a visitor of one host met, one request after the other."""

    host: Host
    requests: list[Request]

    @property
    def pattern(self) -> str:
        """One letter for each request: + answered, - not."""
        return "".join("+" if request.outcome == 200 else "-" for request in self.requests)

    @property
    def gap(self) -> float:
        """Seconds from the last answer before the failures to the beginning of the first one after them."""
        found = re.search(r"\+-+\+", self.pattern)
        return self.requests[found.end() - 1].begin - self.requests[found.start()].end if found else 0.0


@dataclass
class Switch:
    """A setting, what it came after, the units of that, what visitors met meanwhile and later, why it did not come."""

    setting: Setting
    before: str | None = None
    units: list[str] = field(default_factory=list)
    visits: list[Visits] = field(default_factory=list)
    refused: str = ""
    requests: list[Request] = field(default_factory=list)


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
    visitors = {host: _probe(stays, HOSTS[0]).visitor(host) for host in HOSTS} if stays else {}
    with traffic(list(visitors.values()), ["short"], 0.05) as seen:
        try:
            switch.setting.publish()
        except AssertionError as error:
            switch.refused = str(error)
    switch.visits = [
        Visits(host, [request for request in seen.requests if request.visitor is visitor])
        for host, visitor in visitors.items()
    ]
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
for claims in (test_environment, test_bodies, test_answers, test_files, test_hosts):
    globals().update({name: test for name, test in vars(claims).items() if name in NEEDS_NOTHING})


def _changes(setting: Setting) -> dict[str, t.Callable[[], None]]:
    """Return what is done while requests flow; tools/pairs.py and differences.yml have the same names."""
    apps = [cell.probe.app for cell in setting.cells]
    changes: dict[str, t.Callable[[], None]] = {
        "new release": lambda: setting.publish("deploy", pyhost_only=apps, pyhost_app_defaults={"setup": ["true"]}),
        "rollback": lambda: setting.publish("rollback", pyhost_only=apps),
        "changes in every part": lambda: setting.publish(changed=True),
    }
    if setting.front_end in PACKAGES:
        changes["package upgrade"] = lambda: upgrade(setting.fronts or HOSTS, PACKAGES[setting.front_end])
    return changes


def test_requests_while_things_change(switch: Switch) -> None:
    """Short and long requests, uploads and kept connections, through the front end to every application."""
    setting = switch.setting
    with traffic([cell.visitor for cell in setting.cells], pause=1) as seen:
        for seen.meanwhile, bring_about in _changes(setting).items():
            bring_about()
            # What it does to visitors may take a moment.
            time.sleep(1)
    switch.requests = seen.requests
    print(f"{len(seen.failures)} of {len(seen.requests)} requests failed: {dict(seen.kinds)}")
    assert [str(request) for request in seen.failures if not request.visitor.differs(request.meanwhile)] == []
    assert {request.outcome for request in seen.failures} <= LOST
    ends: dict[tuple[str, str], list[float]] = defaultdict(list)
    for request in seen.failures:
        ends[request.meanwhile, request.visitor.address].append(request.end)
    # The longest request takes 5 seconds, and one host may begin later than the other.
    assert [moment for moment, each in ends.items() if max(each) - min(each) >= 20] == []


def _failed(front_end: str) -> dict[str, dict[str, str]]:
    """Return change -> way -> how many requests of how many failed."""
    asked, failed = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for switch in SWITCHES:
        for request in switch.requests if switch.setting.front_end == front_end else ():
            key = request.meanwhile, request.visitor.domain.rpartition("-")[0]
            asked[key] += 1
            failed[key] += request.outcome != 200
    return {
        change: {
            str(way): f"{failed[change, name]} of {asked[change, name]}"
            for way in pairs.WAYS
            if asked[change, name := _name(way)]
        }
        for change in pairs.CHANGES
        if change in {change for change, _name in asked}
    }


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
    seen = pairs.Seen({front_end: verdicts}, {front_end: gaps}, {front_end: _failed(front_end)})
    everything = pairs.Seen(**json.loads(pairs.SEEN.read_text())) if pairs.SEEN.exists() else pairs.Seen()
    everything.update(seen)
    pairs.SEEN.write_text(json.dumps(asdict(everything)))
    committed = pairs.committed()
    said = committed.verdicts.get(front_end, {})
    assert {way: said.get(way) for way in verdicts} == verdicts, "write the page with `python -m tools.pairs`"
    # How many failed is another number each time.
    assert committed.failed.get(front_end, {}).keys() == seen.failed[front_end].keys()
