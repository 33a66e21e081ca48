# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a run changed on its hosts, and what answers after it: pure, from what its tasks registered."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ...module_utils._catalog import BACK_ENDS
from .report import Item, Model, Report, answers_of, worst
from .table import NOTHING, health, layout, listed

PHASES = {
    "packages": "packages", "guard": "firewall", "accounts": "accounts", "folders": "accounts", "build": "build",
    "switch": "switch", "certificates": "certificates", "publish": "publish", "issue": "certificates",
    "secure": "certificates", "removal": "removal",
}  # fmt: skip
"""What tasks do, in this order, and what people call it. Each task registers its result as C(__ROLE_done_PHASE)."""

TOLD = (
    "changed", "files", "applications", "links", "units", "removed", "sizes", "releases", "installed", "made",
    "seconds",
)  # fmt: skip
"""What of a result matters here."""

# What an application alone has; a back end that keeps more has a folder for it. Certificates belong to sites.
OWN = re.compile(
    rf"(?:/etc/pyhost/(?:(?:{'|'.join(BACK_ENDS)})/)?(?=[^/]+$)|/etc/systemd/system/pyhost-"
    r"|/(?:srv|var/lib|var/cache)/pyhost/|pyhost-|user )([^/.]+)"
)
LINK = re.compile(r"/srv/pyhost/([^/]+)/current")


@dataclass(frozen=True)
class Done:
    """The result of a task: the role (or C(pyhost) for the playbook's own) and what it did."""

    role: str
    phase: str
    result: Item


@dataclass
class Changed:
    """What became of one application on a host."""

    before: str | None = None
    """The release that was in service, where another one is now."""
    following: str | None = None
    """A release that is to follow; empty while its ID cannot be known."""
    configured: bool = False
    verbs: set[str] = field(default_factory=set)


def registered(variables: Mapping[str, t.Any]) -> dict[str, Item]:
    """Return what of the variables (name to result) is told of; what was skipped or not run has done nothing."""
    return {
        name: {key: result[key] for key in TOLD if key in result}
        for name, result in variables.items()
        if result and not result.get("skipped")
    }


def summary(
    models: Mapping[str, Model], results: Mapping[str, Item], failed: Iterable[str], found: Report, *, check: bool
) -> str:
    """Return the text for people; C(found) is the report on the same results, C(failed) are hosts without one."""
    done = {host: _done(result.get("done") or {}) for host, result in results.items()}
    answers = answers_of(models, results)
    rows = [
        row
        for host, known in done.items()
        for there in [{app["name"]: app for app in found["hosts"][host]["applications"]}]
        for given in [[answer for answer in answers if answer["front_end"] == host]]
        for row in _rows(host, models[host], known, there, given, check=check)
    ]
    problems = [f"{host}: failed. The error is printed above." for host in failed]
    # What a dry run has not changed is not what the inventory says.
    problems += [] if check else found["problems"]
    parts = []
    if rows:
        head = ["", "HOST", "WHAT", "CHANGE", *([] if check else ["ANSWERS"]), "URL"]
        parts += ["This would change:\n"] if check else []
        parts += [layout([head, *rows])]
        parts += [] if check else [_times(done)]
    else:
        parts += [f"Nothing {'would change' if check else 'changed'}.{'' if check else _answering(answers)}\n"]
    parts += listed("Would be removed" if check else "Removed", list(_removed(done)))
    warnings = dict.fromkeys(text for model in models.values() for text in model["warnings"])
    return "\n".join(parts + listed("Needs attention", problems) + listed("Warnings", list(warnings)))


def _done(variables: Mapping[str, Item]) -> list[Done]:
    parts = [(name.removeprefix("__").partition("_done_"), result) for name, result in variables.items()]
    known = [Done(role, phase, result) for (role, _done, phase), result in parts if phase in PHASES]
    return sorted(known, key=lambda one: list(PHASES).index(one.phase))


def _rows(
    host: str, model: Model, done: Iterable[Done], there: Mapping[str, Item], given: list[Item], *, check: bool
) -> t.Iterator[list[str]]:
    """Return the rows of a host: C(there) are the applications that it runs, C(given) what its front end answers.

    The URL is the one that was asked, and without an answer those under which the application is published.
    """
    running = {name: str(app["release"]) for name, app in there.items()}
    published = {mount["app"] for site in model["sites"] for mount in site["mounts"]}
    changed: dict[str, Changed] = {}
    for one in (one for one in done if one.result.get("changed")):
        named = _note(one.result, changed, running)
        if not named:
            yield _row(" ", host, _part(one), _what(one.result), [], [], check=check)
    for name, change in sorted(changed.items()):
        answers = there[name]["answers"] if name in there else [one for one in given if one["app"] == name]
        urls = there[name]["urls"] if name in there else [url["url"] for url in model["urls"] if url["app"] == name]
        if (asked := worst(answers)) and not check:
            urls = [asked["url"]]
        words = _words(change, running.get(name, ""), check=check) if name in there or name in published else "removed"
        healthy = there.get(name, {}).get("healthy", True) and all(answer["healthy"] for answer in answers)
        yield _row(" " if check or healthy else "!", host, name, words, answers, urls, check=check)


def _row(
    mark: str, host: str, what: str, words: str, answers: list[Item], urls: list[str], *, check: bool
) -> list[str]:
    more = f" and {len(urls) - 1} more" if len(urls) > 1 else ""
    said = [] if check else [health(answers) if answers else NOTHING]
    return [mark, host, what, words, *said, f"{urls[0]}{more}" if urls else NOTHING]


def _note(result: Item, changed: dict[str, Changed], in_service: Mapping[str, str]) -> set[str]:
    """Note what a result tells of each application; return their names."""
    named: set[str] = set()

    def note(name: str) -> Changed:
        named.add(name)
        return changed.setdefault(name, Changed())

    for path in (*result.get("files", ()), *result.get("removed", ())):
        link, own = LINK.fullmatch(path), OWN.match(path)
        if link and path in result.get("links", {}):
            note(link[1]).before = _release(result["links"][path]["before"])
        elif own:
            note(own[1]).configured = True
    for name in (name for names in (result.get("applications") or {}).values() for name in names):
        note(name).configured = True
    for unit, verb in (result.get("units") or {}).items():
        if own := OWN.fullmatch(unit.rpartition(".")[0]):
            note(own[1]).verbs.add(verb)
    for name, release in (result.get("releases") or {}).items():
        named.add(name)
        if release["built"] or release["release"] != in_service.get(name):
            note(name).following = release["release"]
    return named


def _words(change: Changed, in_service: str, *, check: bool) -> str:
    """Return what became of an application with that release in service."""
    if check and (change.following is not None or change.before is not None):
        return _from_to(in_service, _short(change.following or "") or "(to be built)")
    if change.before is not None and change.before != in_service:
        return _from_to(change.before, _short(in_service))
    if change.following and change.following != in_service:
        return f"release {_short(change.following)} is built, {_short(in_service) or 'none'} is live"
    return "configuration" if change.configured else ", ".join(f"service: {verb}" for verb in sorted(change.verbs))


def _from_to(before: str, after: str) -> str:
    return f"release {_short(before)} -> {after}" if before else f"new: release {after}"


def _short(release: str) -> str:
    return release[:8]


def _release(target: str) -> str:
    return target.rpartition("/")[2]


def _part(one: Done) -> str:
    is_shared = one.role in ("app", "pyhost") or one.phase == "packages"
    return PHASES[one.phase] if is_shared else one.role.partition("_")[2]


def _what(result: Item) -> str:
    """Return what a task did that is no application's."""
    if result.get("installed"):
        return f"installed: {', '.join(result['installed'])}"
    if result.get("made"):
        return f"certificates: {', '.join(result['made'])}"
    units = ", ".join(f"{verb} {unit}" for unit, verb in (result.get("units") or {}).items())
    return "configuration" if result.get("files") else units or "changed"


def _times(done: Mapping[str, list[Done]]) -> str:
    """Return the seconds of each phase on each host on which anything changed."""
    titles = dict.fromkeys(PHASES.values())
    spent = {
        host: {
            title: sum(one.result.get("seconds", 0) for one in known if PHASES[one.phase] == title) for title in titles
        }
        for host, known in done.items()
        if any(one.result.get("changed") for one in known)
    }
    used = [title for title in titles if any(round(times[title], 1) for times in spent.values())]
    rows = [["", host, *(f"{times[title]:.1f}" for title in used)] for host, times in spent.items()]
    return layout([[" ", "SECONDS", *map(str.upper, used)], *rows])


def _answering(answers: Iterable[Item]) -> str:
    asked: dict[str, bool] = {}
    for answer in answers:
        asked[answer["app"]] = asked.get(answer["app"], True) and answer["healthy"]
    return f" {sum(asked.values())} of {len(asked)} applications answer." if asked else ""


def _removed(done: Mapping[str, list[Done]]) -> t.Iterator[str]:
    for host, known in done.items():
        sizes = {path: size for one in known for path, size in (one.result.get("sizes") or {}).items()}
        for name in dict.fromkeys(name for one in known for name in one.result.get("removed", ())):
            yield f"{host}: {name}{f' ({_size(sizes[name])})' if name in sizes else ''}"


def _size(size: int) -> str:
    unit, word = (2**30, "GiB") if size >= 2**30 else (2**20, "MiB") if size >= 2**20 else (2**10, "KiB")
    return f"{size / unit:.1f} {word}"
