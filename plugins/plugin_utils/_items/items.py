# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A role's list of items, checked and with all that its templates print worked out.

Templates print and do not compute, so whatever follows from an item's keys is added here.
"""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import posixpath
import re
import typing as t
from collections.abc import Sequence

from ...module_utils._catalog import FRONT_ENDS, INSIDE_THE_FRONT_END, SYSTEM_PYTHONS, FrontEnd
from ...module_utils._gateway import endpoint
from ...module_utils._release.sandbox import BUILD, SLICE, TASKS, limits, service, temporary
from .._keys.key import Key, Problem, Validator, suggest
from .._keys.schema import HEADERS, ITEMS, RELEASE_ITEM, SITE_ITEM, WEB_GROUP, check_user, parse_size

Item = dict[str, t.Any]

ROOT = "/srv/pyhost"
STATE = "/var/lib/pyhost"
RUN = "/run/pyhost"


def acme_refusals(published: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    """Yield why no ACME server would issue a certificate for an application or site."""
    wildcards = [domain for domain in published["domains"] if domain.startswith("*")]
    if wildcards:
        yield (
            f"'acme' proves names over HTTP, which cannot prove {', '.join(wildcards)}; name each host, or give"
            " {certificate, key}"
        )
    if not published["domains"]:
        yield "'acme' needs names to prove; give domains, or choose another tls"


def unlimited(limits: t.Mapping[str, t.Any], front_end: FrontEnd) -> t.Iterator[tuple[str, str]]:
    """Yield which of an application's limits the front end cannot keep, and what to do."""
    for key in ("requests", "connections"):
        if limits[key] and not front_end.limits_visitors:
            yield key, "cannot count by application and address; leave it out, or publish with nginx"


def wsgi_script(name: str) -> str:
    """Return where an application's WSGI script file is."""
    return f"/etc/pyhost/mod_wsgi/{name}.wsgi"


# The threads of an Apache, beside those that answer requests and the commands that an application starts.
_APACHE_TASKS = 1100
# Seconds that the check of an application inside Apache may take.
_CHECK_TIMEOUT = 600


class BadItems(ValueError):
    """The items have problems; ``problems`` lists all of them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(map(str, problems)))


def _complete(path: str, items: t.Any, keys: tuple[Key, ...], derive: t.Callable[[Item], Item]) -> list[Item]:
    validator = Validator()
    wanted = Key(path, "list", "", elements="dict", options=keys, default=[])
    checked = validator.value(path, items, wanted)
    if not validator.problems:
        for index, item in enumerate(checked):
            item["named"] = item.get("user") is not None
            if "user" in item and item["user"] is None:
                try:
                    item["user"] = check_user(item["name"])
                except ValueError as error:
                    validator.problem(f"{path}[{index}].name", str(error))
        names = [item["name"] for item in checked if item["name"]]
        for name in sorted({name for name in names if names.count(name) > 1}):
            validator.problem(path, f"the name '{name}' is there twice; names must differ")
    if validator.problems:
        raise BadItems(validator.problems)
    return [derive(item) for item in checked]


def releases(path: str, items: t.Any) -> list[Item]:
    """Return the items of ``app_apps`` complete; raise BadItems naming every problem below ``path``."""

    def derive(item: Item) -> Item:
        return {
            "name": item["name"],
            "user": item["user"],
            "account": {key: item[key] for key in ("name", "user", "named")},
            "build": {
                **{key: value for key, value in item.items() if key not in ("published", "named")},
                "limits": {
                    "memory": parse_size(item["limits"]["memory"]),
                    "tasks": item["limits"]["tasks"] or TASKS,
                    "cpu": item["limits"]["cpu"],
                },
                "health": {**item["health"], "mount": item["health"]["mount"].rstrip("/")},
            },
            "folders": [
                {"path": f"{ROOT}/{item['name']}", "mode": "0711", "user": "root", "group": "root"},
                {
                    "path": f"/var/cache/pyhost/{item['name']}",
                    "mode": "0700",
                    "user": item["user"],
                    "group": item["user"],
                },
                # Search permission for the front end, so that it reaches the published folders and nothing else.
                {
                    "path": f"{STATE}/{item['name']}",
                    "mode": "0710",
                    "user": item["user"],
                    "group": WEB_GROUP,
                },
                # The set-group-ID bit hands new files to the front end's group, whatever creates them.
                *(
                    {"path": folder, "mode": "2750", "user": item["user"], "group": WEB_GROUP}
                    for folder in item["published"]
                ),
            ],
        }

    return _complete(path, items, RELEASE_ITEM, derive)


def processes(path: str, items: t.Any) -> list[Item]:
    """Return the items of ``backend_x_apps``, which ``path`` names, complete; raise BadItems with every problem."""

    def derive(item: Item) -> Item:
        base = f"{item['release']}/current" if item["release"] else None
        module, callable_ = (item["wsgi"] or ":").split(":")
        listen = item["listen"] or [f"{RUN}/{item['name']}.sock"]
        own = [path for path in listen if path.startswith("/") and item["protocol"] != INSIDE_THE_FRONT_END]
        state, venv = f"{STATE}/{item['name']}", item["venv"] or f"{base}/venv"
        variables = {"HOME": state, "STATE_DIRECTORY": state, "LANG": "C.UTF-8", **item["env"]}
        script, memory = wsgi_script(item["name"]), parse_size(item["limits"]["memory"])
        return {
            **item,
            "module": module,
            "callable": callable_,
            "code": item["code"] or f"{base}/code",
            "venv": venv,
            "environment": [f"{name}={_quoted(value)}" for name, value in sorted(item["env"].items())],
            # As Python writes them.
            "variables": [(repr(name), repr(value)) for name, value in sorted(variables.items())],
            "sandbox": [
                *service(item["network"], item["jit"], loopback=item["protocol"] == "http"),
                *temporary(memory),
                *(bounds := limits(memory, item["limits"]["tasks"] or _tasks(item), item["limits"]["cpu"])),
            ],
            "check": _check(item["name"], [
                *BUILD,
                *bounds,
                f"User={item['user']}",
                f"ReadWritePaths={' '.join(f'-{path}' for path in [state, *item['writable_paths']])}",
                f"RuntimeMaxSec={_CHECK_TIMEOUT}",
                "TimeoutStopSec=10",
            ]),
            "script": script,
            "request": {
                "file": str(base),
                **{key: item["health"][key] for key in ("host", "status", "timeout")},
                "endpoint": endpoint(item["protocol"], own[0]) if own else "",
                "mount": item["health"]["mount"].rstrip("/"),
                "path": item["health"]["path"],
                "https": item["health"]["https"],
                "unit": f"pyhost-{item['name']}.service",
            },
            "daemon": _daemon(item["name"], script, _daemon_options({**item, "venv": venv}, item["limits"])),
            "body": parse_size(item["limits"]["body"]),
            "state": state,
            "listen": listen,
            # Only endpoints on other hosts need the network; the rest is reached over a unix socket.
            "tcp": any(not endpoint.startswith("/") for endpoint in listen),
            "closed": closed(listen, item["allow"]),
            # The distribution's uWSGI embeds the distribution's Python and no other.
            "system_python": (system_python := item["python"] in SYSTEM_PYTHONS),
            # A server inside the venv is itself part of the release, so it starts again with all of it.
            "switch_verb": "reload" if system_python else "restart",
        }

    completed = _complete(path, items, ITEMS[path], derive)
    problems = [
        Problem(f"{path}[{index}]", "give release, or both code and venv")
        for index, item in enumerate(completed)
        if "None/" in item["code"] or "None/" in item["venv"]
    ]
    if problems:
        raise BadItems(problems)
    return completed


def closed(listen: Sequence[str], allow: Sequence[str]) -> list[str]:
    """Return the endpoints over TCP whose own address is none of those that may open them."""
    found = []
    for where in (where for where in listen if not where.startswith("/")):
        # systemd takes names of networks too. What those contain cannot be told from here.
        with contextlib.suppress(ValueError):
            own = ipaddress.ip_address(where.rpartition(":")[0].strip("[]"))
            if not any(own in ipaddress.ip_network(address, strict=False) for address in allow):
                found.append(where)
    return found


def sites(path: str, items: t.Any) -> list[Item]:
    """Return the items of ``frontend_x_sites`` complete; raise BadItems naming every problem below ``path``."""

    def derive_mount(mount: Item) -> Item:
        prefix = mount["path"].rstrip("/")
        return {
            **mount,
            "prefix": prefix,
            "prefix_regex": re.escape(prefix),
            "backends": [_backend(endpoint) for endpoint in mount["endpoints"]],
            "body": (body := parse_size(mount["limits"]["body"])),
            "body_kib": -(-body // 1024),
            "timeout": mount["limits"]["timeout"],
            "daemon": mount["daemon"] and _daemon_in_front_end(mount),
            "headers": (headers := _headers(mount["headers"])),
            "headers_id": _headers_id(headers),
            "rate": _rate(mount["limits"]["requests"]),
            "connections": mount["limits"]["connections"],
            "static": _locations(prefix, mount["static"]),
            "private": (private := _locations(prefix, mount["private"])),
            "private_sealed": bool(private) and all(location["sealed"] for location in private),
        }

    def derive(item: Item) -> Item:
        mounts = sorted(map(derive_mount, item["mounts"]), key=lambda mount: mount["prefix"])
        name = item["name"] or (item["domains"] or ["default"])[0].replace("*", "_")
        return {
            **{key: value for key, value in item.items() if key != "tls"},
            "name": name,
            "certificate": _certificate(name, item["domains"], item["tls"]),
            "mounts": mounts,
            "root": next((mount for mount in mounts if not mount["prefix"]), None),
            "headers": (headers := _common_headers(mounts)),
            "headers_id": _headers_id(headers),
            "locations": _most_special_first(mounts),
        }

    completed = _complete(path, items, SITE_ITEM, derive)
    problems = [
        Problem(f"{path}[{index}]", "has no domains; give some, or default: true")
        for index, item in enumerate(completed)
        if not item["domains"] and not item["default"]
    ]
    front_end = FRONT_ENDS[path.removeprefix("frontend_").removesuffix("_sites")]
    problems += [
        Problem(f"{path}[{index}].tls", f"{front_end.name} publishes without TLS only; leave it out")
        for index, item in enumerate(completed)
        if item["certificate"] and not front_end.tls
    ]
    problems += [
        Problem(f"{path}[{index}].tls", wrong)
        for index, item in enumerate(completed)
        if item["certificate"] and item["certificate"]["source"] == "acme"
        for wrong in acme_refusals(item)
    ]
    problems += [
        Problem(f"{path}[{index}].mounts", f"{mount['app']} {wrong}")
        for index, item in enumerate(completed)
        for mount in item["mounts"]
        for wrong in [_wrong_way(mount, front_end)]
        if wrong
    ]
    problems += [
        Problem(f"{path}[{index}].mounts", f"{mount['app']} has limits.{key}, and {front_end.name} {wrong}")
        for index, item in enumerate(completed)
        for mount in item["mounts"]
        for key, wrong in unlimited(mount["limits"], front_end)
    ]
    # It follows links for a whole mount or not at all, and only in a release they do no harm.
    problems += [
        Problem(
            f"{path}[{index}].mounts",
            f"application {mount['app']} has private folders in a release and others, between which lighttpd cannot"
            " tell; keep all of them in one of the two",
        )
        for index, item in enumerate(completed)
        for mount in item["mounts"]
        if path == "frontend_lighttpd_sites" and len({location["sealed"] for location in mount["private"]}) > 1
    ]
    if problems:
        raise BadItems(problems)
    names = [domain for site in completed for domain in site["domains"]]
    for site in completed:
        wildcards = [domain for domain in site["domains"] if domain.startswith("*")]
        site["names"] = [domain for domain in site["domains"] if domain not in wildcards]
        site["wildcards"] = [_wildcard(domain, set(names) - set(site["domains"])) for domain in wildcards]
    return sorted(completed, key=lambda site: site["name"])


def _certificate(name: str, domains: list[str], tls: t.Any) -> Item | None:
    """Return what the module certificates takes, and where the front end finds it; None where there is no TLS."""
    if tls == "off":
        return None
    given = tls if isinstance(tls, dict) else {}
    return {
        "name": name,
        "domains": domains or [name],
        "source": "given" if given else tls,
        "certificate": given.get("certificate", ""),
        "key": given.get("key", ""),
    }


def _wrong_way(mount: Item, front_end: FrontEnd) -> str:
    """Return what is wrong with the way from the front end to an application."""
    protocol = mount["protocol"]
    if protocol not in front_end.speaks:
        others = suggest(protocol, front_end.speaks)
        return f"has protocol '{protocol}', which {front_end.name} does not speak; {others}"
    if protocol == INSIDE_THE_FRONT_END:
        if not mount["daemon"] or mount["endpoints"]:
            return f"has protocol {protocol}; give daemon, and leave endpoints out"
    elif mount["daemon"] or not mount["endpoints"]:
        return f"has protocol {protocol}; give endpoints, and leave daemon out"
    elif protocol in front_end.tcp_only and any(endpoint.startswith("/") for endpoint in mount["endpoints"]):
        return f"has protocol {protocol}, which {front_end.name} does not speak over a unix socket; give address:port"
    return ""


def _check(name: str, settings: list[str]) -> list[str]:
    """Return the beginning of a command line that runs its rest with these settings of a unit, and what it said if it
    fails.

    It says so to the journal: nobody who lives on can hold a pipe of this command open.
    """
    script = (
        f"unit=pyhost-{name}.build.check-$$.service;"
        ' systemd-run --wait --quiet --collect --unit=$unit "$@" && exit; status=$?;'
        " journalctl --sync; journalctl --unit=$unit --lines=20 --output=cat --no-pager --quiet; exit $status"
    )
    own = [f"--slice={SLICE}", *(f"--property={setting}" for setting in settings)]
    return ["sh", "-c", script, "sh", *own]


def _tasks(item: Item) -> int:
    """Return how many processes and threads a service may have: each process of a server has some of its own."""
    server = _APACHE_TASKS if item["protocol"] == "http" else 0
    return TASKS + server + int(item["processes"]) * (int(item["threads"]) + 4)


def _daemon(name: str, script: str, options: list[str]) -> Item:
    """Return what the templates print of mod_wsgi's daemon processes."""
    return {"name": name, "script": script, "folder": posixpath.dirname(script), "options": options}


def _daemon_options(wanted: Item, limits: Item) -> list[str]:
    """Return options of WSGIDaemonProcess, in its units (seconds, bytes)."""
    timeout = limits["timeout"]
    return [
        # Given at all, even one process counts as several.
        *([f"processes={wanted['processes']}"] if wanted["processes"] > 1 else []),
        f"threads={wanted['threads']}",
        f"python-home={wanted['venv']}",
        # The account may have none; the script goes to the code.
        "home=/",
        "display-name=%{GROUP}",
        "lang=C.UTF-8",
        "locale=C.UTF-8",
        "umask=0027",
        # On the average of a process's threads: one that hangs is the front end's to give up, all of them end it.
        f"request-timeout={timeout}",
        f"socket-timeout={timeout}",
        f"queue-timeout={timeout}",
        # A process that is to go finishes what it has begun.
        f"graceful-timeout={timeout}",
        f"shutdown-timeout={timeout}",
        "listen-backlog=4096",
        # A response header of more than the stock 32k would be a 500.
        "header-buffer-size=65536",
    ]


def _daemon_in_front_end(mount: Item) -> Item:
    """Return what the front end prints for the processes that it starts as an account of their own."""
    daemon, limits = mount["daemon"], mount["limits"]
    own = [
        f"user={daemon['user']}",
        f"group={daemon['user']}",
        # No cgroup of their own holds them: the share of each process.
        f"memory-limit={parse_size(limits['memory']) // daemon['processes']}",
    ]
    return _daemon(mount["app"], daemon["script"], [*own, *_daemon_options(daemon, limits)])


def virtual_hosts(sites: Sequence[Item]) -> list[Item]:
    """Return name-based hosts in the order in which the first that matches is the right one.

    The default site comes first of all, then exact names, then wildcards, those with more labels before the others.
    Each has the ``site``'s name, its ``names`` and whether they are ``wildcard`` names.
    """
    exact = [
        {
            "site": site["name"],
            "names": [name for name in site["domains"] if not name.startswith("*")],
            "wildcard": False,
            "default": site["default"],
            "certificate": site["certificate"],
            "hsts": site["hsts"],
        }
        for site in sites
    ]
    wildcards = [
        {
            "site": site["name"],
            "names": [name],
            "wildcard": True,
            "default": False,
            "certificate": site["certificate"],
            "hsts": site["hsts"],
        }
        for site in sites
        for name in site["domains"]
        if name.startswith("*")
    ]
    return [
        *sorted((host for host in exact if host["names"] or host["default"]), key=lambda host: not host["default"]),
        *sorted(wildcards, key=lambda host: -host["names"][0].count(".")),
    ]


def _headers(own: t.Mapping[str, str]) -> list[Item]:
    """Return the headers of a mount's answers, the application's description laid over what all have."""
    named = {name.lower(): (name, value) for name, value in [*HEADERS.items(), *own.items()]}
    return [
        {
            "name": name,
            "value": value,
            # The same in every site, so that a server that keeps it in a variable needs that once.
            "key": (key := lower.replace("-", "_")),
            "variable": f"{key}_{hashlib.sha256(value.encode()).hexdigest()[:8]}",
            "quoted": value.replace('"', r"\""),
        }
        for lower, (name, value) in sorted(named.items())
        if value
    ]


def _common_headers(mounts: list[Item]) -> list[Item]:
    """Return what is said outside of all mounts: what each of them says, with the first one's values."""
    keys = [{header["key"] for header in mount["headers"]} for mount in mounts]
    first = mounts[0]["headers"] if mounts else []
    return [header for header in first if all(header["key"] in each for each in keys)]


def _headers_id(headers: Sequence[Item]) -> str:
    """Return what equal headers have in common, for servers that keep each set of them once."""
    said = "\n".join(f"{header['name']}: {header['value']}" for header in headers)
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _rate(requests: str | None) -> Item | None:
    """Return a rate such as ``10/s`` as nginx takes it, with the number that may come at once."""
    return {"rate": requests.replace("/", "r/"), "burst": requests.split("/")[0]} if requests else None


def _quoted(value: str) -> str:
    """Return a value as systemd reads it in an EnvironmentFile: in double quotes only these four need the backslash."""
    return '"' + re.sub(r'(["\\`$])', r"\\\1", value) + '"'


def _locations(prefix: str, paths: dict[str, str]) -> list[Item]:
    """Return the folders and files of a mount with the URL that the visitor sees."""
    return [
        {
            "url": prefix + url,
            "url_regex": re.escape(prefix + url),
            "path": path.rstrip("/") + ("/" if url.endswith("/") else ""),
            "folder": url.endswith("/"),
            # In a release nobody can make links; its files are found by the link to the release in service.
            "sealed": path.startswith(f"{ROOT}/"),
            # Below it no link is followed: the application may write there.
            "base": path.rstrip("/") if url.endswith("/") else posixpath.dirname(path),
        }
        for url, path in sorted(paths.items())
    ]


def _backend(endpoint: str) -> Item:
    """Return an endpoint as its socket, or its host and port; the other is empty."""
    if endpoint.startswith("/"):
        return {"socket": endpoint, "host": "", "port": ""}
    host, _colon, port = endpoint.rpartition(":")
    return {"socket": "", "host": host.strip("[]"), "port": port}


def _most_special_first(mounts: list[Item]) -> list[Item]:
    """Return all static, private and mounted URLs of a site, for servers that take the first that fits."""
    locations = [
        {"kind": kind, "mount": mount, **location}
        for mount in mounts
        for kind in ("static", "private")
        for location in mount[kind]
    ]
    for mount in mounts:
        locations.append({"kind": "mount", "mount": mount, "url": mount["prefix"] + "/", "folder": True})
        if mount["prefix"]:
            locations.append({"kind": "mount", "mount": mount, "url": mount["prefix"], "folder": False})
    # Whatever begins like another one is behind it in the alphabet.
    return sorted(locations, key=lambda location: location["url"], reverse=True)


def _wildcard(domain: str, others: set[str]) -> str:
    """Return the regular expression of a wildcard domain in Host, without those of the ``others`` that fit better."""

    def regex(name: str) -> str:
        return re.escape(name).replace(r"\*", "[^:]+", 1)

    better = sorted(regex(name) for name in others if name.endswith(domain[1:]) and name != domain)
    excluded = f"(?!(?:{'|'.join(better)})(?::|$))" if better else ""
    return f"^{excluded}{regex(domain)}(?::[0-9]+)?$"
