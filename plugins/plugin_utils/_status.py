# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What hosts were found to run, held against the model: pure, for the table, JSON and the web page alike."""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Iterable, Mapping

from ._catalog import BACK_ENDS, INSIDE_THE_FRONT_END

Model = Mapping[str, t.Any]
Item = dict[str, t.Any]
Report = dict[str, t.Any]

RUNS = ("running", "reloading")

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
    published = dict.fromkeys(mount["app"] for site in model["sites"] for mount in site["mounts"])
    return {
        "apps": {str(app["name"]): str(app["user"]) for app in model["apps"]},
        "absent": list(model["absent"]),
        "serves": {name: list(row.serves) for name, row in BACK_ENDS.items()},
        "inside": INSIDE_THE_FRONT_END,
        "questions": [
            {
                "app": str(name),
                "host": str(health["host"]),
                "path": _path(health),
                "timeout": int(health["timeout"]),
            }
            for name in published
            for health in [_health(models, host, name)]
        ],
    }


def report(models: Mapping[str, Model], results: Mapping[str, Item], now: datetime.datetime) -> Report:
    """Return all that can be told of the hosts in C(results), which is what the module returned by host.

    C(hosts) has C(message) (why a host does not answer, else empty), C(front_ends), C(applications), C(orphans) and
    C(problems); C(problems) are those of all hosts, each beginning with its host. Memory is in bytes.
    """
    answers = _answers(models, results)
    hosts = {
        host: _host(host, models, result, answers) for host, result in results.items() if host in models
    }
    problems = [f"{name}: {problem}" for name, host in hosts.items() for problem in host["problems"]]
    problems += [
        f"{name}: {app['name']}: {problem}"
        for name, host in hosts.items()
        for app in host["applications"]
        for problem in app["problems"]
    ]
    problems += [
        f"{answer['front_end']}: {name}: {_told(answer)}"
        for name, given in sorted(answers.items())
        for answer in given
        if not answer["healthy"]
    ]
    return {
        "time": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "healthy": not problems,
        "problems": problems,
        "orphans": [
            f"{name}: {orphan['kind']} {orphan['name']}" for name, host in hosts.items() for orphan in host["orphans"]
        ],
        "hosts": hosts,
    }


def worst(answers: Iterable[Item]) -> Item | None:
    """Return the answer that matters most of those that several front ends got: none, a wrong one, the slowest."""
    return max(answers, key=lambda answer: (not answer["healthy"], answer["seconds"]), default=None)


def _told(answer: Item) -> str:
    said = f"answers {answer['status']}" if answer["status"] is not None else f"does not answer: {answer['error']}"
    return f"GET {answer['url']} {said}"


def _health(models: Mapping[str, Model], host: str, name: str) -> Model:
    """Return how an application wants to be asked, as the host sees it where it runs it, else as any other does."""
    given = {
        where: app["health"]
        for where, model in models.items()
        for app in model["apps"]
        if app["name"] == name
    }
    return t.cast("Model", given.get(host) or next(iter(given.values())))


def _path(health: Model) -> str:
    return f"{str(health['mount']).rstrip('/')}{health['path']}"


def _answers(models: Mapping[str, Model], results: Mapping[str, Item]) -> dict[str, list[Item]]:
    """Return what each application answered, through each front end that asked it."""
    found: dict[str, list[Item]] = {}
    for host, result in results.items():
        for name, answer in (result.get("health") or {}).items():
            health = _health(models, host, name)
            status, right = answer["status"], health["status"]
            healthy = status is not None and (status in right if right else status < 500)
            url = f"http://{health['host']}{_path(health)}"
            found.setdefault(name, []).append({**answer, "front_end": host, "url": url, "healthy": healthy})
    return found


def _host(host: str, models: Mapping[str, Model], result: Item, answers: Mapping[str, list[Item]]) -> Item:
    model = models[host]
    message = _message(result)
    front_ends = dict(result.get("front_ends") or {})
    asked = str(model["frontend"])
    problems = [message] if message else _front_end_problems(asked, front_ends)
    problems += [f"the last run was interrupted in {part}; run site again" for part in result.get("interrupted") or []]
    urls: dict[str, list[str]] = {}
    for known in models.values():
        for entry in known["urls"]:
            urls.setdefault(entry["app"], []).append(str(entry["url"]))
    processes = {item["name"]: (name, item) for name, items in model["backends"].items() for item in items}
    applications = []
    for app in model["apps"]:
        name = str(app["name"])
        back_end, item = processes[name]
        described = {"backend": back_end, "protocol": str(item["protocol"])}
        found = (result.get("applications") or {}).get(name)
        own = [] if message or found is None else _problems(found, described)
        given = answers.get(name, [])
        applications.append(
            {
                **UNKNOWN,
                **described,
                **(found or {}),
                "name": name,
                "endpoints": list(item["listen"]) if described["protocol"] != INSIDE_THE_FRONT_END else [],
                "urls": list(dict.fromkeys(urls.get(name, []))),
                "answers": given,
                "problems": own,
                "healthy": not message and not own and all(answer["healthy"] for answer in given),
            }
        )
    return {
        "message": message,
        "front_ends": [{"name": name, **found} for name, found in front_ends.items()]
        or ([{"name": asked, "unit": None, "state": "unknown" if message else "missing", "version": ""}] * bool(asked)),
        "applications": applications,
        "orphans": result.get("orphans") or [],
        "problems": problems,
        "healthy": not problems,
    }


def _message(result: Item) -> str:
    text = " ".join(str(result.get("msg") or "").split())
    if result.get("unreachable"):
        return f"is not reachable: {text}"
    return f"could not be looked at: {text}" if result.get("failed") or "applications" not in result else ""


def _front_end_problems(asked: str, found: Mapping[str, Item]) -> list[str]:
    problems = [
        f"{name} is on the host as a front end, the inventory says {asked or 'none'}" for name in found if name != asked
    ]
    if asked and asked not in found:
        problems.append(f"{asked} is not on the host; run site")
    elif asked and found[asked]["state"] not in RUNS:
        problems.append(f"{found[asked]['unit']} is {found[asked]['state']}")
    return problems


def _problems(found: Item, described: Item) -> list[str]:
    """Return what is wrong with an application, but for what it answers."""
    if not found["release"]:
        return ["is not on the host; run site"]
    problems = []
    if found["backend"] and (found["backend"], found["protocol"]) != (described["backend"], described["protocol"]):
        problems.append(
            f"runs on {found['backend']} ({found['protocol']}), the inventory says {described['backend']}"
            f" ({described['protocol']})"
        )
    if found["next"] and found["next"] != found["release"]:
        problems.append(f"release {found['next']} waits in next, in service is {found['release']}")
    if found["state"] not in RUNS:
        problems.append(f"{found['unit'] or 'its processes in the front end'}: {found['state']}")
    return problems
