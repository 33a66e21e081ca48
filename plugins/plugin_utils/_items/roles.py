# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The public variables of each role."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ...module_utils._catalog import BACK_ENDS, FRONT_ENDS, BackEnd, FrontEnd
from .._keys import checks
from .._keys.checks import WEB_GROUP
from .._keys.host import HOST_KEYS, PROBE_URL
from .._keys.key import Key
from .._servers import server
from .keys import RELEASE_ITEM, process_keys, site_keys


@dataclass(frozen=True)
class Role:
    """A role: one line on what it does, and its public variables."""

    short: str
    description: str
    variables: tuple[Key, ...]


def _items(name: str, description: str, options: tuple[Key, ...], example: t.Any) -> Key:
    return Key(name, "list", description, default=[], elements="dict", options=options, example=example)


def _setting(role: str, name: str) -> Key:
    """Return the variable of a host as a variable of a role."""
    return replace(HOST_KEYS[name], name=f"{role}_{name}")


def _list(role: str, items: str) -> Key:
    return Key(
        f"{role}_list",
        "str",
        f"Name of the list {items}. A run that uses another name fails if it would remove an application that this list"
        " set up. The playbook site uses the name site.",
        default="own",
        example="intranet",
        check=checks.name,
    )


def _back_end(row: BackEnd) -> Role:
    name, title = row.name, row.title
    return Role(
        f"Run Python applications on {title}",
        "Runs each application as a sandboxed service behind a systemd socket. All changes are applied in one"
        " transaction.",
        (
            _items(
                f"backend_{name}_apps",
                f"Applications that {title} runs.",
                process_keys(row, server.back_end(name).keys),
                [{"name": "shop", "wsgi": "shop.wsgi:application", "code": "/srv/shop", "venv": "/srv/shop/venv"}],
            ),
            _list(f"backend_{name}", f"backend_{name}_apps"),
            Key(
                f"backend_{name}_other_apps",
                "list",
                "Names of applications that other back ends of this host may run. Their services are not removed.",
                default=[],
                elements="str",
                example=["blog"],
                check=checks.name,
            ),
            Key(
                f"backend_{name}_health_urls",
                "list",
                "Addresses at which a release must answer when it goes live: `endpoint` for its own, and URLs at"
                " which this host publishes it.",
                default=[],
                elements="str",
                example=["endpoint", "http://127.0.0.1:80/"],
            ),
            Key(
                f"backend_{name}_web_group",
                "str",
                "Group of the front end, which may connect to the applications' unix sockets.",
                default=WEB_GROUP,
                example="www-data",
            ),
        ),
    )


def _front_end(row: FrontEnd) -> Role:
    title, role = row.title, f"frontend_{row.name}"
    example = {"domains": ["shop.example.org"], "mounts": [{"app": "shop", "endpoints": ["/run/pyhost/shop.sock"]}]}
    settings = [
        *(["trusted_proxies"] if row.trusts_proxies else []),
        *(["access_log"] if row.logs_json else []),
        *(["tls_profile", "acme_email", "acme_server"] if row.tls else []),
    ]
    return Role(
        f"Publish Python applications with {title}",
        "Publishes all sites in one transaction. They are tested before they go live, and rolled back if"
        f" {title} does not serve them.",
        (
            _items(f"{role}_sites", f"Sites that {title} publishes.", site_keys(row), [example]),
            _list(role, f"{role}_sites"),
            *_listening(row, role),
            *(_setting(role, setting) for setting in settings),
            Key(
                f"{role}_replaces",
                "list",
                f"Front-end roles that {title} replaces on this host, and that are restored if {title} fails its test."
                " Default: all others.",
                elements="str",
                example=[],
            ),
            *server.front_end(row.name).variables,
        ),
    )


def _listening(row: FrontEnd, role: str) -> list[Key]:
    """Return where a front end listens, and where it is asked for its configuration."""
    listen_tls = Key(
        f"{role}_listen_tls",
        "list",
        f"Ports and addresses on which {row.title} listens for sites with TLS, in the same forms.",
        default=["443", "[::]:443"],
        elements="str",
        example=["443"],
        check=checks.listening,
    )
    return [
        Key(
            f"{role}_listen",
            "list",
            f"Ports and addresses on which {row.title} listens: port, address:port or [address]:port.",
            default=list(row.listen),
            elements="str",
            example=["80"],
            check=checks.listening,
        ),
        *([listen_tls] if row.tls else []),
        Key(
            f"{role}_probe_url",
            "str",
            f"URL on this host at which {row.title} must answer with the new configuration."
            " Otherwise the old one is restored.",
            default=PROBE_URL,
            example="http://127.0.0.1:8080/",
        ),
    ]


_APP = Role(
    "Build the releases of Python applications",
    "Creates the accounts and folders of applications, and builds their releases: one venv for each, setup steps and"
    " static files.",
    (
        _items(
            "app_apps",
            "Applications whose releases the role builds.",
            RELEASE_ITEM,
            [{"name": "shop", "source": {"path": "./shop"}, "wsgi": "shop.wsgi:application"}],
        ),
        _list("app", "app_apps"),
        Key(
            "app_build_env",
            "dict",
            "Environment variables of every build command, for example for your own package index, CA or proxy.",
            default={},
            secret=True,
            example={"PIP_INDEX_URL": "https://pypi.example.org/simple"},
        ),
        Key(
            "app_installer",
            "str",
            "Program that fills the venvs. auto uses uv if the host has it.",
            default="auto",
            choices=("auto", "uv", "pip"),
            example="uv",
        ),
        Key(
            "app_web_group",
            "str",
            "Group of the front end. Only it may read published files.",
            default=WEB_GROUP,
            example="www-data",
        ),
        Key(
            "app_absent",
            "list",
            "Names of applications whose code is removed. Their data is kept.",
            default=[],
            elements="str",
            example=["blog"],
            check=checks.name,
        ),
        Key(
            "app_purge",
            "list",
            "Names in app_absent whose data is removed too, and whose accounts are locked.",
            default=[],
            elements="str",
            example=["blog"],
            check=checks.name,
        ),
        Key(
            "app_rollback",
            "dict",
            "Applications to roll back with `tasks_from: rollback`, each with the ID of a release. An empty string"
            " selects the release that was live before.",
            default={},
            example={"shop": ""},
            check_key=checks.name,
        ),
    ),
)

ROLES: dict[str, Role] = {
    "app": _APP,
    **{f"backend_{name}": _back_end(row) for name, row in BACK_ENDS.items()},
    **{f"frontend_{name}": _front_end(row) for name, row in FRONT_ENDS.items()},
}

# The roles' lists of items, by the name of the variable.
ITEMS: dict[str, tuple[Key, ...]] = {
    key.name: key.options for role in ROLES.values() for key in role.variables if key.elements == "dict"
}

# Variables of roles that the playbooks set, and the variable in which a user writes the same.
WRITTEN_AS: dict[str, str] = {
    **dict.fromkeys(ITEMS, "pyhost_apps"),
    **{
        key.name: f"pyhost_{setting}"
        for name, role in ROLES.items()
        for key in role.variables
        if (setting := key.name.removeprefix(f"{name}_")) in HOST_KEYS
    },
}
