"""A visitor of a site on a test host: requests as a browser sends them, or byte by byte."""

from __future__ import annotations

import functools
import hashlib
import http.client
import json
import os
import random
import re
import socket
import threading
import time
import typing as t
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from testinfra import get_host
from testinfra.host import Host

from plugins.module_utils._catalog import DEFAULT_FRONT_END, FRONT_ENDS

FRONT_END = os.environ.get("PYHOST_FRONTEND", DEFAULT_FRONT_END)
"""The front end of the scenario."""

HANDED_IN = {name: f"PYHOST_{name.upper()}_ARCHIVE" for name, row in FRONT_ENDS.items() if not row.package}
"""Front ends that no distribution has: the variable of the environment that names an archive of each."""


def is_here(front_end: str) -> bool:
    """Return whether a front end can be installed."""
    return front_end not in HANDED_IN or bool(os.environ.get(HANDED_IN[front_end]))


def scenario_hosts() -> list[str]:
    """Return the scenario's containers as testinfra addresses them."""
    inventory = yaml.safe_load(Path(os.environ["MOLECULE_INVENTORY_FILE"]).read_text())
    return [f"docker://{name}" for name in inventory["all"]["hosts"]]


def hosts() -> list[Host]:
    """Return the scenario's containers, for what is done on all of them at once."""
    return [get_host(name) for name in scenario_hosts()]


@dataclass(frozen=True)
class Probe:
    """An application of the scenario; it answers at ``app``.example below the mount point."""

    app: str
    mount: str
    protocol: str

    def __str__(self) -> str:
        return f"{self.app}{self.mount}"

    def visitor(self, host: Host) -> Visitor:
        """Return who asks it on that host."""
        return Visitor(address(host), f"{self.app}.example", self.mount, protocol=self.protocol)


def probes() -> list[Probe]:
    """Return the scenario's probes, which PYHOST_PROBES lists as ``APP[/MOUNT]:PROTOCOL``."""
    if not is_here(FRONT_END):
        pytest.skip(f"{HANDED_IN[FRONT_END]} names no archive of {FRONT_END}", allow_module_level=True)
    listed = os.environ.get("PYHOST_PROBES", "probe:uwsgi probe-sub/sub:uwsgi").split()
    parsed = (re.fullmatch(r"([a-z-]+)(/[a-z]+)?:([a-z]+)", probe) for probe in listed)
    return [Probe(found[1], found[2] or "", found[3]) for found in parsed if found]


@functools.cache
def address(host: Host) -> str:
    """Return the address at which the controller reaches a container."""
    return str(host.interface("eth0").addresses[0])


@dataclass(frozen=True)
class Difference:
    """What a front end does otherwise than the others, as differences.yml says it: the claim's name and a sentence."""

    front_end: str
    claim: str
    what: str
    protocols: tuple[str, ...] = ()


@functools.cache
def differences() -> list[Difference]:
    """Return what is left over where the front ends could not be levelled."""
    rows = yaml.safe_load((Path(__file__).parents[1] / "claims" / "differences.yml").read_text())
    return [Difference(**{**row, "protocols": tuple(row.get("protocols", ()))}) for row in rows]


@dataclass
class Answer:
    """What came back."""

    status: int
    reason: str
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> t.Any:
        """Return the body as the data that it carries."""
        return json.loads(self.body)


@dataclass
class Visitor:
    """Asks the site ``domain`` at ``address`` (port 80); paths are below the mount point ``mount``.

    ``protocol`` is what the front end speaks to the application; the front end is the scenario's.
    """

    address: str
    domain: str
    mount: str = ""
    port: int = 80
    protocol: str = "uwsgi"
    front_end: str = FRONT_END

    def differs(self, claim: str) -> bool:
        """Return whether differences.yml says that this front end keeps the claim in another way."""
        return any(
            (row.front_end, row.claim) == (self.front_end, claim)
            and (not row.protocols or self.protocol in row.protocols)
            for row in differences()
        )

    def ask(
        self,
        path: str = "/",
        method: str = "GET",
        body: t.Any = None,
        headers: t.Mapping[str, str] | None = None,
        chunked: bool = False,
    ) -> Answer:
        """Send one request on a connection of its own and return the whole answer (60 s at most)."""
        connection = self.connection()
        try:
            connection.request(
                method,
                self.mount + path,
                body=body,
                headers={"Host": self.domain, **(headers or {})},
                encode_chunked=chunked,
            )
            answer = connection.getresponse()
            return Answer(answer.status, answer.reason, answer.headers, answer.read())
        finally:
            connection.close()

    def status(self, path: str, method: str, body: t.Iterator[bytes]) -> int:
        """Send the pieces and return the status alone: who refuses may close before it has read or said everything."""
        with closing(self.connection()) as connection:
            with suppress(ConnectionError):
                connection.request(method, self.mount + path, body=body, headers={"Host": self.domain})
            return connection.getresponse().status

    def connection(self) -> http.client.HTTPConnection:
        """Return a connection, not open yet (60 s at most for each operation)."""
        return http.client.HTTPConnection(self.address, self.port, timeout=60)

    def connect(self) -> socket.socket:
        """Return an open connection (30 s at most for each operation)."""
        return socket.create_connection((self.address, self.port), timeout=30)

    def raw(self, request: str, patience: float | None = None) -> bytes:
        """Send the text as it is and return all that comes until the server closes; it has to, within 30 s.

        With ``patience`` (seconds) it need not, once it has begun: what has come until it said nothing for so long is
        enough.
        """
        with self.connect() as connection:
            connection.sendall(request.encode("latin-1"))
            received = b""
            try:
                while piece := connection.recv(65536):
                    received += piece
                    connection.settimeout(patience or connection.gettimeout())
            except ConnectionResetError:
                pass
            except TimeoutError:
                if patience is None:
                    raise
            return received


class Request(t.NamedTuple):
    """What became of a request: begin and end (monotonic seconds), what was being done, the status or the error."""

    visitor: Visitor
    kind: str
    begin: float
    end: float
    meanwhile: str
    outcome: int | str

    def __str__(self) -> str:
        took = f"{self.end - self.begin:.1f} s"
        return f"{self.kind} {self.visitor.domain} of {self.visitor.address}: {self.outcome} after {took}"


@dataclass
class Kept:
    """A connection on which a visitor asks one short request after the other, as browsers do."""

    visitor: Visitor
    kind: str = "kept"

    def __post_init__(self) -> None:
        self.connection = self.visitor.connection()

    def ask(self) -> int:
        """Return the status; where the server closed the connection before any answer, that of a second request."""
        used, self.kind = self.connection.sock is not None, "kept"
        try:
            try:
                answer = self._answer()
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                if not used:
                    raise
                # A server may close what is idle, and cannot know of a request that is on its way.
                self.connection.close()
                self.kind = "kept, again"
                answer = self._answer()
            answer.read()
            return answer.status
        except (OSError, http.client.HTTPException):
            self.connection.close()
            raise

    def _answer(self) -> http.client.HTTPResponse:
        self.connection.request("GET", f"{self.visitor.mount}/env", headers={"Host": self.visitor.domain})
        return self.connection.getresponse()


@dataclass
class Single:
    """Requests on a connection of their own each."""

    visitor: Visitor
    kind: str

    def ask(self) -> int | str:
        """Return the status."""
        if self.kind != "upload":
            return self.visitor.ask(PATHS[self.kind]).status
        answer = self.visitor.ask("/upload", "POST", body=UPLOAD)
        if answer.status != 200:
            return answer.status
        right = {"length": len(UPLOAD), "sha256": hashlib.sha256(UPLOAD).hexdigest()}
        return answer.status if answer.json() == right else "other bytes arrived"


UPLOAD = random.Random(0).randbytes(300_000)
PATHS = {"short": "/env", "long": "/sleep?5", "static": "/static/style.css"}
KINDS = ("short", "long", "upload", "kept")


@dataclass
class Traffic:
    """The requests of visitors, in the order in which they ended; ``meanwhile`` is what is being done."""

    requests: list[Request] = field(default_factory=list)
    meanwhile: str = ""

    @property
    def failures(self) -> list[Request]:
        """Those that were not answered with 200."""
        return [request for request in self.requests if request.outcome != 200]

    @property
    def kinds(self) -> Counter[str]:
        """How many there were of each kind."""
        return Counter(request.kind for request in self.requests)


@contextmanager
def traffic(visitors: t.Sequence[Visitor], kinds: t.Sequence[str] = KINDS, pause: float = 0.5) -> t.Iterator[Traffic]:
    """Let each visitor make requests of each kind all the time, one after the other, `pause` seconds between them.

    A request takes some 4 ms of the host's processor time: what is to be seen meanwhile should have most of it.
    """
    seen = Traffic()
    done = threading.Event()

    def visit(visitor: Visitor, kind: str) -> None:
        asking = Kept(visitor) if kind == "kept" else Single(visitor, kind)
        # Not all of them at once: that would be a load that nobody asked for.
        done.wait(random.uniform(0, pause))
        while not done.is_set():
            begin = time.monotonic()
            try:
                outcome = asking.ask()
            except (OSError, http.client.HTTPException) as error:
                outcome = str(error) or type(error).__name__
            seen.requests.append(Request(visitor, asking.kind, begin, time.monotonic(), seen.meanwhile, outcome))
            done.wait(pause)

    with ThreadPoolExecutor(max(len(visitors) * len(kinds), 1)) as pool:
        visits = [pool.submit(visit, visitor, kind) for visitor in visitors for kind in kinds]
        try:
            yield seen
        finally:
            done.set()
        for job in visits:
            job.result()


@contextmanager
def visiting(hosts: t.Sequence[Host], *domains: str) -> t.Iterator[list[str]]:
    """Ask the domains of the hosts all the time, a page and a static file; the list has every failure at the end."""
    failures: list[str] = []
    visitors = [Visitor(address(host), domain) for host in hosts for domain in domains]
    with traffic(visitors, ("short", "static"), 0.1) as seen:
        yield failures
    failures += map(str, seen.failures)


def meanwhile(visitors: t.Sequence[Visitor], work: t.Callable[[], None]) -> list[int | str]:
    """Return the statuses of all short requests, two at a time of each visitor, while the work is done."""
    with traffic(visitors, ("short", "short"), 0.1) as seen:
        time.sleep(1)
        work()
        time.sleep(1)
    return [request.outcome for request in seen.requests]
