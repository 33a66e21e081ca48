# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What hosts were found to run, held against the model: pure, for the table, JSON and the web page alike."""

from __future__ import annotations

import datetime
import itertools
import typing as t
from collections.abc import Iterable, Mapping, Sequence

from ...module_utils._catalog import BACK_ENDS, INSIDE_THE_FRONT_END
from ...module_utils._gateway import endpoint
from ...module_utils._text import counted
from ...module_utils._transaction.reach import exposed
from ...module_utils._web import healthy
from .._items.processes import closed

Model = Mapping[str, t.Any]
Item = dict[str, t.Any]
Report = dict[str, t.Any]

RUNS = ("running", "reloading")

WARN_DAYS = 14
"""A certificate of 90 days is renewed when 30 are left, which leaves 16 to try again."""

UNKNOWN: Item = {
    "release": "",
    "since": "",
    "next": "",
    "releases": None,
    "unit": None,
    "state": "unknown",
    "processes": None,
    "memory": None,
    "restarts": None,
}
"""An application on a host that does not answer."""


def wanted(models: Mapping[str, Model], host: str) -> Item:
    """Return what the module on that host has to know of the model, without the applications' secrets."""
    model = models[host]
    published = dict.fromkeys(str(mount["app"]) for site in model["sites"] for mount in site["mounts"])
    # What only front ends elsewhere publish is asked where it runs.
    endpoints = {
        str(item["name"]): endpoint(item["protocol"], item["listen"][0])
        for items in model["backends"].values()
        for item in items
        if item["name"] not in published
    }
    return {
        "apps": {str(app["name"]): str(app.get("user") or app["name"]) for app in model["apps"]},
        "absent": list(model["absent"]),
        "serves": {name: list(row.serves) for name, row in BACK_ENDS.items()},
        "inside": INSIDE_THE_FRONT_END,
        "guarded": model["guard"] is not None,
        "closed": [
            endpoint
            for items in model["backends"].values()
            for item in items
            for endpoint in closed(item["listen"], item["allow"])
        ],
        "questions": [
            {
                "app": name,
                "host": str(health["host"]),
                "path": _path(health),
                "timeout": int(health["timeout"]),
                "endpoint": endpoints.get(name, ""),
                "mount": str(health["mount"]).rstrip("/"),
                "https": bool(health["https"]),
            }
            for name in [*published, *endpoints]
            for health in [_health(models, host, name)]
        ],
    }


def report(models: Mapping[str, Model], results: Mapping[str, Item], now: datetime.datetime) -> Report:
    """Return all that can be told of the hosts in C(results), which is what the module returned by host.

    C(hosts) has C(message) (why a host does not answer, else empty), C(front_ends), C(applications), C(certificates),
    C(orphans) and C(problems); C(problems) are those of all hosts, each beginning with its host. Memory is in bytes.
    """
    answers = answers_of(models, results)
    asked: dict[str, list[Item]] = {}
    for answer in answers:
        asked.setdefault(answer["app"], []).append(answer)
    hosts = {host: _host(host, models, result, asked, now) for host, result in results.items() if host in models}
    problems = [
        f"{name}: {problem}"
        for name, host in hosts.items()
        for problem in [
            *host["problems"],
            *(f"{app['name']}: {wrong}" for app in host["applications"] for wrong in app["problems"]),
            *(_told(answer) for answer in answers if answer["front_end"] == name and not answer["healthy"]),
        ]
    ]
    return {
        "time": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "healthy": not problems,
        "problems": problems,
        "orphans": [line for name, host in hosts.items() for line in _left(name, host["orphans"])],
        "hosts": hosts,
    }


def worst(answers: Iterable[Item]) -> Item | None:
    """Return the answer that matters most of those that several front ends got: none, a wrong one, the slowest."""
    return max(answers, key=lambda answer: (not answer["healthy"], answer["seconds"]), default=None)


def _told(answer: Item) -> str:
    said = f"answers {answer['status']}" if answer["status"] is not None else f"does not answer: {answer['error']}"
    return f"{answer['app']}: GET {answer['url']} {said}"


def _left(host: str, orphans: Iterable[Item]) -> t.Iterator[str]:
    """Return a line for each application of which something is left on a host."""
    for name, group in itertools.groupby(orphans, key=lambda orphan: orphan["application"]):
        things = [f"{'user ' if one['kind'] == 'user' else ''}{one['name']}" for one in group]
        yield f"{host}: {name}: {', '.join(things)}"


def _health(models: Mapping[str, Model], host: str, name: str) -> Model:
    """Return how an application wants to be asked, as the host sees it where it runs it, else as any other does."""
    given = {where: app["health"] for where, model in models.items() for app in model["apps"] if app["name"] == name}
    return t.cast("Model", given.get(host) or next(iter(given.values())))


def _path(health: Model) -> str:
    return f"{str(health['mount']).rstrip('/')}{health['path']}"


def answers_of(models: Mapping[str, Model], results: Mapping[str, Item]) -> list[Item]:
    """Return what each application answered, to each host that asked it."""
    found = []
    for host in filter(models.__contains__, results):
        for name, answer in sorted((results[host].get("health") or {}).items()):
            health = _health(models, host, name)
            is_healthy = healthy(answer["status"], health["status"] or ())
            scheme = "https" if health["https"] else "http"
            url = f"{scheme}://{health['host']}{_path(health)}"
            found.append({**answer, "app": name, "front_end": host, "url": url, "healthy": is_healthy})
    return found


def _leads(front_end: str, model: Model, host: str, app: Model) -> bool:
    """Return whether a front end hands requests to an application on a host."""
    mounts = [mount for site in model["sites"] for mount in site["mounts"] if mount["app"] == app["name"]]
    # On the same host it is a unix socket, of which another host may have one of the same name.
    afar = {endpoint for endpoint in app["listen"] if not endpoint.startswith("/")}
    return bool(mounts) and (front_end == host or any(afar.intersection(mount["endpoints"]) for mount in mounts))


def _certificates(found: Mapping[str, Item], now: datetime.datetime) -> list[Item]:
    """Return the certificates of a host, with the C(days) that are left of each."""
    ends = {site: datetime.datetime.fromisoformat(one["end"]) for site, one in found.items()}
    return [{"site": site, **one, "days": (ends[site] - now).days} for site, one in sorted(found.items())]


def _ending(certificate: Item) -> str:
    """Return what is wrong with a certificate; empty where it is as it should be."""
    site, date = certificate["site"], certificate["end"][:10]
    if certificate["stand_in"]:
        return f"{site} has only a temporary self-signed certificate, until {date}. Run pyhost.web.site to replace it."
    if certificate["days"] < 0:
        return f"the certificate of {site} {until(certificate)}. Replace it, or run pyhost.web.site."
    return f"the certificate of {site} {until(certificate)}" if certificate["days"] < WARN_DAYS else ""


def until(certificate: Item) -> str:
    """Return when a certificate ends, or ended."""
    if certificate["days"] < 0:
        return f"expired on {certificate['end'][:10]}"
    return f"expires on {certificate['end'][:10]}, {counted(certificate['days'], 'day')} left"


def _host(
    host: str,
    models: Mapping[str, Model],
    result: Item,
    answers: Mapping[str, Sequence[Item]],
    now: datetime.datetime,
) -> Item:
    message, asked = _message(result), str(models[host]["frontend"])
    front_ends = dict(result.get("front_ends") or {})
    problems = [message] if message else _front_end_problems(asked, front_ends)
    problems += [
        f"a run was interrupted in {part}. Run pyhost.web.site again." for part in result.get("interrupted") or []
    ]
    problems += _reach_problems(result)
    certificates = _certificates(result.get("certificates") or {}, now)
    problems += filter(None, map(_ending, certificates))
    if asked and not front_ends:
        front_ends[asked] = {"unit": None, "state": "unknown" if message else "missing", "version": ""}
    applications = [
        _application(host, models, back_end, item, result, answers.get(item["name"], ()))
        for back_end, items in models[host]["backends"].items()
        for item in items
    ]
    return {
        "message": message,
        "front_ends": [{"name": name, **found} for name, found in front_ends.items()],
        "applications": sorted(applications, key=lambda app: str(app["name"])),
        "certificates": certificates,
        "orphans": result.get("orphans") or [],
        "problems": problems,
        "healthy": not problems,
    }


def _application(
    host: str, models: Mapping[str, Model], back_end: str, item: Model, result: Item, answers: Iterable[Item]
) -> Item:
    name, protocol = str(item["name"]), str(item["protocol"])
    described = {"backend": back_end, "protocol": protocol}
    found = (result.get("applications") or {}).get(name)
    problems = _problems(found, described) if found else []
    publish = [front_end for front_end, model in models.items() if _leads(front_end, model, host, item)]
    urls = [str(url["url"]) for front_end in publish for url in models[front_end]["urls"] if url["app"] == name]
    given = [answer for answer in answers if answer["front_end"] in {host, *publish}]
    return {
        **UNKNOWN,
        **described,
        **(found or {}),
        "name": name,
        "endpoints": [] if protocol == INSIDE_THE_FRONT_END else list(item["listen"]),
        "urls": list(dict.fromkeys(urls)),
        "answers": given,
        "problems": problems,
        "healthy": bool(found) and not problems and all(answer["healthy"] for answer in given),
    }


def _message(result: Item) -> str:
    text = " ".join(str(result.get("msg") or "").split()).removeprefix("Task failed: ")
    if result.get("unreachable"):
        return f"unreachable: {text}"
    return (
        f"the state of this host could not be read: {text}"
        if result.get("failed") or "applications" not in result
        else ""
    )


def _front_end_problems(asked: str, found: Mapping[str, Item]) -> list[str]:
    problems = [
        f"{name} is a front end on this host, but the inventory has {asked or 'none'}. Run pyhost.web.site."
        for name in found
        if name != asked
    ]
    if asked and asked not in found:
        problems.append(f"{asked} is not on this host. Run pyhost.web.site.")
    elif asked and found[asked]["state"] not in RUNS:
        problems.append(_down(found[asked]))
    return problems


def _down(found: Item) -> str:
    return f"{found['unit']} is {found['state']}. `journalctl --unit {found['unit']}` on the host shows why."


def _reach_problems(result: Item) -> t.Iterator[str]:
    """Yield what is wrong with who may open endpoints, or listen there."""
    if result.get("guard"):
        yield (
            f"the nftables table inet pyhost is {result['guard']}. Every account of this host can connect to the"
            " endpoints of its front end, and listen at those of its applications. Run pyhost.web.site."
        )
    yield from map(exposed, result.get("open") or [])


def _problems(found: Item, described: Item) -> list[str]:
    """Return what is wrong with an application, but for what it answers."""
    if not found["release"]:
        return ["not on this host. Run pyhost.web.site."]
    problems = []
    if found["backend"] and (found["backend"], found["protocol"]) != (described["backend"], described["protocol"]):
        problems.append(
            f"runs on {found['backend']} ({found['protocol']}), but the inventory has {described['backend']}"
            f" ({described['protocol']}). Run pyhost.web.site."
        )
    if found["next"] and found["next"] != found["release"]:
        problems.append(f"release {found['next']} is built, but {found['release']} is live. Run pyhost.web.site.")
    if found["state"] not in RUNS:
        problems.append(
            _down(found)
            if found["unit"]
            else "the front end runs no process of this application. Its journal on the host shows why."
        )
    return problems
