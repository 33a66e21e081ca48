# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The status of all hosts as one web page, with a picture of what leads where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2

from ...module_utils._text import counted
from .report import Item, Report, until
from .table import NOTHING, count, health, memory, moment, server

WORDS = {"good": "healthy", "bad": "needs attention", "unknown": "unknown"}
"""A state has a word, a shape and a colour."""

# The picture, in units of its own: three columns of boxes, from those whom visitors ask to those who answer.
WIDTH = 1080
BOX_HEIGHT, GAP = 74, 16
FRONT_END, APPLICATION, BACK_END = (0, 240), (350, 270), (750, 330)
# Where text begins in a box and how far from its end it stops, and what a character of a wide font takes.
MARGIN, TITLE_CHARACTER, LINE_CHARACTER = 54, 9.6, 6.6


@dataclass(frozen=True)
class Box:
    """One box of the picture; C(x) and C(y) are its upper left corner."""

    x: float
    y: float
    width: float
    state: str
    title: str
    lines: tuple[str, ...]

    @property
    def word(self) -> str:
        """The state for those who see neither shape nor colour."""
        return WORDS[self.state]

    @property
    def shown_title(self) -> str:
        """The title, cut to the box."""
        return shorten(self.title, int((self.width - MARGIN) / TITLE_CHARACTER))

    @property
    def shown(self) -> tuple[str, ...]:
        """The lines, cut to the box."""
        return tuple(shorten(line, int((self.width - MARGIN) / LINE_CHARACTER)) for line in self.lines)

    @property
    def left(self) -> tuple[float, float]:
        """Where a line comes in."""
        return self.x, self.y + BOX_HEIGHT / 2

    @property
    def right(self) -> tuple[float, float]:
        """Where a line goes out."""
        return self.x + self.width, self.y + BOX_HEIGHT / 2


@dataclass(frozen=True)
class Line:
    """A line from one box to another, and what is spoken there."""

    begin: tuple[float, float]
    end: tuple[float, float]
    state: str
    label: str = ""

    @property
    def path(self) -> str:
        """The line as an SVG path."""
        (x1, y1), (x2, y2) = self.begin, self.end
        middle = (x1 + x2) / 2
        return f"M{x1:g} {y1:g}C{middle:g} {y1:g} {middle:g} {y2:g} {x2:g} {y2:g}"

    @property
    def middle(self) -> tuple[float, float]:
        """Where the label is."""
        return (self.begin[0] + self.end[0]) / 2, (self.begin[1] + self.end[1]) / 2


def page(report: Report, templates: Path) -> str:
    """Return the page; C(templates) is the folder with C(status.html.j2)."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates),
        # Names come from an inventory and from hosts: nothing of them is markup.
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    applications = [app for host in report["hosts"].values() for app in host["applications"]]
    return environment.get_template("status.html.j2").render(
        state="good" if report["healthy"] else "bad",
        verdict="everything in the inventory is healthy"
        if report["healthy"]
        else counted(len(report["problems"]), "problem"),
        time=moment(report["time"]),
        problems=report["problems"],
        orphans=report["orphans"],
        tiles=_tiles(report, applications),
        hosts=[_host(name, host) for name, host in report["hosts"].items()],
        picture=picture(report),
        words=WORDS,
    )


def picture(report: Report) -> Item:
    """Return the boxes and lines of the topology, and its size."""
    hosts: dict[str, Item] = report["hosts"]
    running: dict[str, list[tuple[str, Item]]] = {}
    for host, found in hosts.items():
        for app in found["applications"]:
            running.setdefault(app["name"], []).append((host, app))
    front_ends = [(host, front_end) for host, found in hosts.items() for front_end in found["front_ends"]]
    rows = max(sum(map(len, running.values())), len(front_ends))
    height = max(rows * (BOX_HEIGHT + GAP) - GAP, 0)

    x, width = FRONT_END
    entrances = {}
    for index, (host, front_end) in enumerate(front_ends):
        # Spread over the height, as each may lead to any application.
        y = (index + 0.5) * (height + GAP) / len(front_ends) - (BOX_HEIGHT + GAP) / 2
        lines = (host, f"{front_end['version'] or 'no package'} · {front_end['state']}")
        entrances[host, front_end["name"]] = Box(x, y, width, _state(hosts[host]), front_end["name"], lines)

    boxes, lines_between = [*entrances.values()], []
    y = (height - sum(map(len, running.values())) * (BOX_HEIGHT + GAP) + GAP) / 2
    for name, instances in sorted(running.items()):
        x, width = APPLICATION
        app = instances[0][1]
        tall = len(instances) * (BOX_HEIGHT + GAP) - GAP
        answers = [answer for _host, instance in instances for answer in instance["answers"]]
        urls = app["urls"]
        address = urls[0].removeprefix("http://") if urls else "not published"
        more = f" and {len(urls) - 1} more" if len(urls) > 1 else ""
        box = Box(x, y + (tall - BOX_HEIGHT) / 2, width, _asked(answers), name, (address + more, health(answers)))
        boxes.append(box)
        lines_between += [
            Line(entrance.right, box.left, "good" if answer["healthy"] else "bad")
            for answer in {answer["front_end"]: answer for answer in answers}.values()
            for (host, _server), entrance in entrances.items()
            if host == answer["front_end"]
        ]
        x, width = BACK_END
        for host, instance in instances:
            where = ", ".join(instance["endpoints"]) or "inside the front end"
            details = "the host does not answer" if hosts[host]["message"] else _details(instance)
            state = _own(hosts[host], instance)
            back_end = Box(x, y, width, state, f"{instance['backend']} on {host}", (where, details))
            boxes.append(back_end)
            lines_between.append(Line(box.right, back_end.left, state, instance["protocol"]))
            y += BOX_HEIGHT + GAP
    return {"width": WIDTH, "height": height, "boxes": boxes, "lines": lines_between, "box_height": BOX_HEIGHT}


def shorten(text: str, most: int) -> str:
    """Return a text that is no longer than C(most) characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _state(host: Item) -> str:
    return "good" if host["healthy"] else "unknown" if host["message"] else "bad"


def _asked(answers: Sequence[Item]) -> str:
    if not answers:
        return "unknown"
    return "good" if all(answer["healthy"] for answer in answers) else "bad"


def _own(host: Item, app: Item) -> str:
    return "unknown" if host["message"] else "bad" if app["problems"] else "good"


def _details(app: Item) -> str:
    number = app["processes"] or 0
    used = f", {memory(app['memory'])}" if app["memory"] else ""
    return f"{number} {'process' if number == 1 else 'processes'}{used} · {app['state']}"


def _tiles(report: Report, applications: Sequence[Item]) -> list[tuple[str, str]]:
    names = {app["name"] for app in applications}
    ill = {app["name"] for app in applications if not app["healthy"]}
    hosts = report["hosts"].values()
    return [
        ("Hosts that answer", f"{sum(not host['message'] for host in hosts)} of {len(hosts)}"),
        ("Healthy applications", f"{len(names) - len(ill)} of {len(names)}"),
        ("Processes", str(sum(app["processes"] or 0 for app in applications))),
        ("Memory", memory(sum(app["memory"] or 0 for app in applications))),
    ]


def _host(name: str, host: Item) -> Item:
    ill = not all(app["healthy"] for app in host["applications"])
    return {
        "name": name,
        "state": "bad" if ill and not host["message"] else _state(host),
        "message": host["message"],
        "front_ends": [
            " ".join(filter(None, (front_end["name"], front_end["version"]))) + f", {front_end['state']}"
            for front_end in host["front_ends"]
        ],
        "applications": [_application(host, app) for app in host["applications"]],
        "certificates": [f"{one['site']} {until(one)}" for one in host["certificates"]],
    }


def _application(host: Item, app: Item) -> Item:
    return {
        "name": app["name"],
        "state": "good" if app["healthy"] else "unknown" if host["message"] else "bad",
        # A wildcard is nothing that can be visited.
        "urls": [{"text": url.removeprefix("http://"), "href": "" if "*" in url else url} for url in app["urls"]],
        "problems": app["problems"],
        "cells": [
            ("Server", server(app), ""),
            ("State", app["state"], ""),
            ("Health", health(app["answers"]), "number"),
            ("Processes", count(app["processes"]), "number"),
            ("Memory", memory(app["memory"]), "number"),
            ("Restarts", count(app["restarts"]), "number"),
            ("Release", app["release"][:8] or NOTHING, "code"),
            ("Since (UTC)", moment(app["since"]), "number"),
            ("Kept", count(app["releases"]), "number"),
        ],
    }
