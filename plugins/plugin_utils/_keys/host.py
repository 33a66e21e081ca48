# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables of a host or group beside ``pyhost_apps`` and ``pyhost_apps__*``."""

from __future__ import annotations

from ...module_utils._catalog import DEFAULT_FRONT_END, FRONT_ENDS
from . import checks
from .checks import ACCESS_LOGS, TLS_PROFILES
from .key import Key

# Every front end answers there by default, whatever else it listens on.
PROBE_URL = "http://127.0.0.1:80/"

# Variables of a host or group beside pyhost_apps and pyhost_apps__*.
HOST: tuple[Key, ...] = (
    Key(
        "pyhost_app_defaults",
        "dict",
        "Default keys of all applications. The description of an application overrides them.",
        default={},
        example={"processes": 4},
    ),
    Key(
        "pyhost_frontend",
        "str",
        "Front end of the host.",
        default=DEFAULT_FRONT_END,
        choices=tuple(FRONT_ENDS),
        example=DEFAULT_FRONT_END,
    ),
    Key(
        "pyhost_address",
        "str",
        "Address at which other hosts reach this one. Default: ansible_host.",
        example="10.0.0.11",
        check=checks.pattern(r"[A-Za-z0-9.:_-]+", "an address"),
    ),
    Key(
        "pyhost_hosts",
        "str",
        "Host pattern of the play, given with -e. Hosts outside it are ignored.",
        default="all",
        example="web",
        check=checks.line,
    ),
    Key(
        "pyhost_only",
        "raw",
        "Applications for the playbooks deploy and rollback, given with -e: a list, or names with commas between them.",
        example="shop,blog",
        check=checks.names,
        forms="text or list",
    ),
    Key(
        "pyhost_release",
        "str",
        "ID of the release that the playbook rollback restores, given with -e. Default: the release before.",
        example="0a1b2c3d4e5f6789",
        check=checks.pattern(r"[0-9a-f]+", "the ID of a release, hexadecimal digits"),
    ),
    Key(
        "pyhost_serial",
        "raw",
        "Number of hosts on which the playbook deploy switches releases at a time, as Ansible's serial; given with"
        " -e. Default: first one, then all others.",
        example=2,
        check=checks.batches,
        forms="number or list",
    ),
    Key(
        "pyhost_max_fail_percentage",
        "int",
        "Percentage of these hosts that may fail before the playbook deploy ends, as Ansible's max_fail_percentage;"
        " given with -e. Default: none may fail.",
        example=20,
        check=checks.at_least(0, 100),
    ),
    Key(
        "pyhost_probe_url",
        "str",
        "URL on the host at which its front end answers. Needed if the front end does not listen on port 80.",
        default=PROBE_URL,
        example="http://127.0.0.1:8080/",
        check=checks.pattern(r"https?://\S+", "a URL that begins with http:// or https://"),
    ),
    Key(
        "pyhost_trusted_proxies",
        "list",
        "Addresses or networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are trusted.",
        default=[],
        elements="str",
        example=["10.0.0.0/8"],
        check=checks.network,
    ),
    Key(
        "pyhost_access_log",
        "str",
        "Format of the access logs. json writes one object for each request, with its duration.",
        default=ACCESS_LOGS[0],
        choices=ACCESS_LOGS,
        example="json",
    ),
    Key(
        "pyhost_tls_profile",
        "str",
        "Mozilla's profile of protocols and ciphers. modern is TLS 1.3 only.",
        default=TLS_PROFILES[0],
        choices=TLS_PROFILES,
        example="modern",
    ),
    Key(
        "pyhost_http3",
        "bool",
        "Whether to offer HTTP/3 beside HTTP/2. With nginx on Debian 13 only.",
        default=False,
        example=True,
    ),
    Key(
        "pyhost_acme_email",
        "str",
        "Contact address for the ACME account. Optional.",
        example="hostmaster@example.org",
        check=checks.pattern(r"[^\s@]+@[^\s@]+", "an email address"),
    ),
    Key(
        "pyhost_acme_server",
        "str",
        "Directory URL of the ACME server. You agree to its terms of service. Default: Let's Encrypt.",
        example="https://acme-staging-v02.api.letsencrypt.org/directory",
        check=checks.pattern(r"https://\S+", "a URL that begins with https://"),
    ),
    Key(
        "pyhost_build_env",
        "dict",
        "Environment variables of every build command, for example for your own package index, CA or proxy.",
        default={},
        secret=True,
        example={"PIP_INDEX_URL": "https://pypi.example.org/simple"},
        check=checks.env_value,
        check_key=checks.env_name,
    ),
    Key(
        "pyhost_installer",
        "str",
        "Program that fills the venvs. auto uses uv if the host has it.",
        default="auto",
        choices=("auto", "uv", "pip"),
        example="uv",
    ),
    Key(
        "pyhost_status_format",
        "str",
        "Output of the playbook status, given with -e. Default: a table.",
        choices=("table", "json", "html"),
        example="html",
    ),
    Key(
        "pyhost_status_file",
        "str",
        "File on the controller that the playbook status writes, given with -e. Default: ./pyhost-status.html for"
        " html, otherwise none.",
        example="status.json",
    ),
    Key(
        "pyhost_status_strict",
        "bool",
        "Whether to let the playbook status fail if something is not healthy or differs from the inventory.",
        default=False,
        example=True,
    ),
)

HOST_KEYS = {key.name.removeprefix("pyhost_"): key for key in HOST}
