# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The model of a host: what its roles get."""

from __future__ import annotations

import ipaddress
import typing as t

from ...module_utils import _layout
from ...module_utils._catalog import BACK_ENDS, FRONT_ENDS, INSIDE_THE_FRONT_END
from .._items.roles import ITEMS
from .._keys.host import HOST
from .._keys.key import Key
from .description import App
from .guard import PART, guard
from .topology import Published, Topology
from .unused import as_published

Model = dict[str, t.Any]

# Variables of a host that its roles get as they are.
_SETTINGS = (
    "pyhost_trusted_proxies",
    "pyhost_access_log",
    "pyhost_build_env",
    "pyhost_installer",
    "pyhost_tls_profile",
    "pyhost_http3",
    "pyhost_acme_email",
    "pyhost_acme_server",
    "pyhost_probe_url",
)

# What an application may do besides what its sandbox allows all of them.
_SANDBOX_EXCEPTIONS = ("network", "writable_paths", "jit", "proc")


def model(topology: Topology, host: str) -> Model:
    """Return what the roles of a host get."""
    views, runs_on = topology.views, topology.runs_on
    here = [views[name][host].app for name, on in runs_on.items() if host in on]
    seen = [views[name][host].app for name in sorted(views) if host in views[name]]
    absent = [app for app in seen if app["state"] == "absent"]
    settings = topology.inventory.settings[host]
    published = sites(topology, host)
    frontend = settings["pyhost_frontend"] if host in topology.frontends else ""
    guarded = _guarded(topology, host)
    return {
        "apps": _known(
            [_release(app, run_once_steps=runs_on[app["name"]][0] == host) for app in here], ITEMS["app_apps"]
        ),
        "retired": [name for app in here for name in _retired(app, topology.protocol(app["name"], host))],
        "absent": [app["name"] for app in absent],
        "purge": [app["name"] for app in absent if app["purge"]],
        "backends": {
            back_end: _known(
                [_process(topology, app, host) for app in here if app["backend"] == back_end],
                ITEMS[f"backend_{back_end}_apps"],
            )
            for back_end in BACK_ENDS
        },
        # A front end elsewhere answers for other hosts too.
        "health_urls": ["endpoint", *([settings["pyhost_probe_url"]] if frontend else [])],
        "frontend": frontend,
        "guard": guarded,
        # Where there is one, it replaces the others itself.
        "replaced": [
            *([] if frontend else [f"frontend_{name}" for name in FRONT_ENDS]),
            *([] if guarded else [PART]),
        ],
        "sites": _known(published, ITEMS[f"frontend_{frontend}_sites"]) if frontend else [],
        "urls": [
            {
                "app": mount["app"],
                "url": f"{'http' if site['tls'] == 'off' else 'https'}://{domain}{mount['path']}",
            }
            for site in published
            for domain in site["domains"]
            for mount in site["mounts"]
        ],
        "settings": {key.name.removeprefix("pyhost_"): settings[key.name] for key in HOST if key.name in _SETTINGS},
    }


def only(whole: Model, names: set[str]) -> Model:
    """Return the part of a host's model that is about these applications; nothing of it is removed."""
    return {
        **whole,
        **{key: [] for key in ("retired", "replaced", "absent", "purge")},
        "sites": [
            {**site, "mounts": mounts}
            for site in whole["sites"]
            if (mounts := [mount for mount in site["mounts"] if mount["app"] in names])
        ],
        "apps": [app for app in whole["apps"] if app["name"] in names],
        "backends": {
            back_end: [app for app in apps if app["name"] in names] for back_end, apps in whole["backends"].items()
        },
        "urls": [url for url in whole["urls"] if url["app"] in names],
    }


def sites(topology: Topology, host: str) -> list[Model]:
    """Return the sites of a host: domains that have the same applications mounted, with the keys of all servers."""
    apps = {app.name: app for app in topology.published.get(host, [])}
    mounted: dict[str, list[str]] = {}
    for name, published in apps.items():
        app = topology.view(published).app
        for domain in [*app["domains"], *([""] if app["default"] else [])]:
            mounted.setdefault(domain, []).append(name)
    groups: dict[tuple[str, ...], list[str]] = {}
    for domain, names in mounted.items():
        groups.setdefault(tuple(names), []).append(domain)
    return [
        {
            "domains": [domain for domain in domains if domain],
            "default": "" in domains,
            **{key: topology.view(apps[together[0]]).app[key] for key in ("tls", "hsts")},
            "mounts": [_mount(topology, host, apps[name]) for name in together],
        }
        for together, domains in groups.items()
    ]


def _known(items: list[Model], keys: tuple[Key, ...]) -> list[Model]:
    """Return the items with those keys alone that their role takes."""
    return [
        {
            key.name: _known([value], key.options)[0]
            if key.options and isinstance(value, dict)
            else _known(value, key.options)
            if key.options and isinstance(value, list)
            else value
            for key in keys
            if key.name in item
            for value in [item[key.name]]
        }
        for item in items
    ]


def _release(app: App, *, run_once_steps: bool) -> Model:
    shared = f"{_layout.state(app['name'])}/"
    published = {*app["static"].values(), *app["private"].values()}
    keys = ("python", "wsgi", "setup", "build_timeout", "env", "keep", "limits", *_SANDBOX_EXCEPTIONS)
    return {
        "name": app["name"],
        # Left out unless it is named: only then may the host have it already.
        **({"user": app["user"]} if app["named"] else {}),
        **{key: app[key] for key in keys},
        "health": _health(app),
        "source": _given(app["source"]),
        "run_once_steps": run_once_steps,
        "requirements": app["requirements"],
        "server_requirements": BACK_ENDS[app["backend"]].server_requirements(app["python"]),
        "static": {**app["static"], **app["private"]},
        "published": sorted(path for path in published if path.startswith(shared)),
    }


def _guarded(topology: Topology, host: str) -> Model | None:
    """Return the endpoints that only the server of a front end may open, or only systemd listen at, on a host."""
    opened = [(app.name, on) for app in topology.published.get(host, []) for on in app.on if on != host]
    listening = [name for name in topology.runs_on if (name, host) in topology.remote]
    return guard(
        [topology.endpoint(topology.views[name][on].app, on) for name, on in opened],
        [topology.endpoint(topology.views[name][host].app, host) for name in listening],
        [_plain(topology.address(frontend)) for way in opened for frontend in topology.remote[way]],
    )


def _process(topology: Topology, app: App, host: str) -> Model:
    name = app["name"]
    remote = topology.remote.get((name, host), [])
    keys = ("user", "wsgi", "python", "processes", "threads", "env", "limits", *_SANDBOX_EXCEPTIONS)
    return {
        "name": name,
        **{key: app[key] for key in keys},
        "protocol": topology.protocol(name, host),
        "health": _health(app),
        "release": _layout.application(name),
        # Also where only front ends elsewhere publish it: the host itself asks a new release there.
        "listen": [_layout.endpoint(name), *([topology.endpoint(app, host)] if remote else [])],
        "allow": [_plain(topology.address(frontend)) for frontend in remote],
        "path": app["path"],
    }


def _plain(address: str) -> str:
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address


def _mount(topology: Topology, host: str, published: Published) -> Model:
    name, app = published.name, as_published(topology.view(published).app, topology.front_end(host))
    protocol = topology.protocol(name, published.on[0])
    inside = protocol == INSIDE_THE_FRONT_END
    daemon = {
        **{key: app[key] for key in ("user", "processes", "threads")},
        "venv": f"{_layout.application(name)}/current/venv",
        "script": _layout.wsgi_script(name),
    }
    return {
        "app": name,
        "path": app["path"],
        "protocol": protocol,
        "endpoints": []
        if inside
        else [_layout.endpoint(name) if on == host else topology.endpoint(app, on) for on in published.on],
        "daemon": daemon if inside else None,
        **{key: {url: _layout.public(name, path) for url, path in app[key].items()} for key in ("static", "private")},
        **{key: app[key] for key in ("static_max_age", "headers", "limits", "htaccess")},
        "extra": app["extra"][topology.front_end(host).name],
    }


def _retired(app: App, protocol: str) -> list[str]:
    """Return the units and files that an application may have from other ways to run it, and needs no more."""
    name = app["name"]
    files = [
        file.format(name=name)
        for row in BACK_ENDS.values()
        if row.name != app["backend"]
        for file in row.front_end_reads
    ]
    return [*([_layout.socket(name), _layout.service(name)] if protocol == INSIDE_THE_FRONT_END else []), *files]


def _health(app: App) -> Model:
    """Return the request that tells whether a release is a good one."""
    return {
        **app["health"],
        "mount": app["path"],
        "host": _asked_host(app["domains"]),
        "https": app["tls"] != "off",
    }


def _asked_host(domains: list[str]) -> str:
    """Return a host name that the application answers."""
    return domains[0].replace("*", "www", 1) if domains else "localhost"


def _given(source: t.Mapping[str, t.Any] | None) -> Model | None:
    """Return a source with only the keys of its kind."""
    if source is None:
        return None
    return {key: value for key, value in source.items() if value and (key != "version" or source["git"])}
