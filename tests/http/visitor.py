"""A visitor of a site on a test host: requests as a browser sends them, or byte by byte."""

from __future__ import annotations

import functools
import http.client
import json
import os
import re
import socket
import threading
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from testinfra import get_host
from testinfra.host import Host


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
    if os.environ.get("PYHOST_FRONTEND") == "cherokee" and not os.environ.get("PYHOST_CHEROKEE_ARCHIVE"):
        pytest.skip("PYHOST_CHEROKEE_ARCHIVE names no archive of an installed Cherokee", allow_module_level=True)
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
    rows = yaml.safe_load(Path(__file__).with_name("differences.yml").read_text())
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
    front_end: str = field(default_factory=lambda: os.environ.get("PYHOST_FRONTEND", "nginx"))

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
        connection = http.client.HTTPConnection(self.address, self.port, timeout=60)
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

    def connect(self) -> socket.socket:
        """Return an open connection (10 s at most for each operation)."""
        return socket.create_connection((self.address, self.port), timeout=10)

    def raw(self, request: str) -> bytes:
        """Send the text as it is and return all that comes until the server closes."""
        with self.connect() as connection:
            connection.sendall(request.encode("latin-1"))
            received = b""
            try:
                while piece := connection.recv(65536):
                    received += piece
            except ConnectionResetError:
                pass
            return received


@contextmanager
def visiting(hosts: t.Sequence[Host], *domains: str) -> t.Iterator[list[str]]:
    """Ask the domains of the hosts all the time, a page and a static file; the list gathers every failure."""
    failures: list[str] = []
    done = threading.Event()

    def visit(visitor: Visitor) -> None:
        while not done.is_set():
            for path in ("/env", "/static/style.css"):
                try:
                    status = visitor.ask(path).status
                    if status != 200:
                        failures.append(f"{visitor.domain}{path}: {status}")
                except OSError as error:
                    failures.append(f"{visitor.domain}{path}: {error}")
            time.sleep(0.02)

    visitors = [Visitor(address(host), domain) for host in hosts for domain in domains]
    threads = [threading.Thread(target=visit, args=[visitor]) for visitor in visitors]
    for thread in threads:
        thread.start()
    try:
        yield failures
    finally:
        done.set()
        for thread in threads:
            thread.join()


def meanwhile(visitors: t.Sequence[Visitor], work: t.Callable[[], None]) -> list[int]:
    """Return the statuses of all requests, two at a time of each visitor, while the work is done."""
    done = threading.Event()

    def visit(visitor: Visitor) -> list[int]:
        statuses = []
        while not done.is_set():
            statuses.append(visitor.ask("/env").status)
            time.sleep(0.01)
        return statuses

    # All of them at the same time, however few processors there are.
    with ThreadPoolExecutor(2 * len(visitors)) as pool:
        visits = [pool.submit(visit, visitor) for visitor in visitors for _ in range(2)]
        try:
            time.sleep(1)
            work()
            time.sleep(1)
        finally:
            done.set()
        return [status for job in visits for status in job.result()]
