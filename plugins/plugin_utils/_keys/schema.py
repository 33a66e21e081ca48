# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one definition of every key: what users write, and what the roles take.

Validation, the roles' argument specs and the reference in the docs are made from these tables (tools/generate).
"""

from __future__ import annotations

import posixpath
import re
import typing as t
from dataclasses import dataclass, replace

from ...module_utils._catalog import BACK_ENDS, FRONT_ENDS, INSIDE_THE_FRONT_END
from .key import Key

# Accounts and groups of Debian's base-passwd, of systemd and of usual packages, and the logins of Debian's images. The
# group of an account has its name, so neither can be an application's. What else a host has, only the host knows.
SYSTEM_ACCOUNTS = frozenset(
    "root daemon bin sys sync games man lp mail news uucp proxy www-data backup list irc nobody nogroup _apt operator"
    " adm tty disk kmem shadow utmp users staff src sasl sudo wheel dialout fax voice cdrom floppy tape audio dip video"
    " plugdev input sgx kvm render crontab netdev messagebus polkitd sshd ssh _ssh ssl-cert uuidd tss rdma i2c gpio spi"
    " lxd docker libvirt libvirt-qemu libvirtdb podman incus incus-admin bluetooth avahi lpadmin scanner wireshark"
    " postgres mysql redis memcache postfix postdrop ntp ntpsec chrony dnsmasq bind unbound named nginx lighttpd apache"
    " httpd cherokee uwsgi caddy haproxy varnish certbot"
    " admin administrator debian ubuntu vagrant ansible ec2-user cloud-user pi".split()
)

# The group that the front ends' workers run as on Debian: nginx, lighttpd and Apache alike.
WEB_GROUP = "www-data"

ACCESS_LOGS = ("combined", "json")

TLS = ("off", "self_signed", "acme")

# Mozilla's guideline 6.0; it has no profile for older visitors any more.
TLS_PROFILES = ("intermediate", "modern")

# What browsers are told of every site; OWASP's secure headers, of which these three break next to nothing.
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "strict-origin-when-cross-origin",
}

# Headers that belong to the connection, to the body or to the front end, so that no value is right for all answers.
_NOT_A_SITES = frozenset(
    "accept-ranges connection content-encoding content-length content-range content-type date keep-alive location"
    " proxy-authenticate proxy-connection server set-cookie status te trailer transfer-encoding upgrade"
    " x-accel-buffering x-accel-charset x-accel-expires x-accel-limit-rate x-accel-redirect x-sendfile".split()
)

# Those that have a key.
_HAVE_A_KEY = {"strict-transport-security": "hsts", "cache-control": "static_max_age"}

_SIZES = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}


def _pattern(expression: str, right: str) -> t.Callable[[t.Any], t.Any]:
    """Return a check that takes text matching the whole expression."""
    compiled = re.compile(expression)

    def check(value: t.Any) -> t.Any:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            raise ValueError(f"{value!r} is not {right}")
        return value

    return check


def _at_least(minimum: int, maximum: int) -> t.Callable[[t.Any], t.Any]:
    """Return a check that takes whole numbers of the range."""

    def check(value: t.Any) -> t.Any:
        if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= maximum:
            raise ValueError(f"{value!r} is not a whole number from {minimum} to {maximum}")
        return value

    return check


def parse_size(text: str) -> int:
    """Return the bytes of a size such as ``10M`` (powers of 1024, as systemd and nginx count)."""
    return int(text.rstrip("KMGT")) * _SIZES[text.lstrip("0123456789")]


_name = _pattern(
    r"[a-z][a-z0-9_-]{0,30}",
    "a name of at most 31 lower-case letters, digits, '-' and '_' that begins with a letter",
)


def check_user(value: t.Any) -> str:
    """Take the name of an account that may run an application."""
    if value in SYSTEM_ACCOUNTS or str(value).startswith("systemd-"):
        raise ValueError(f"'{value}' is an account or a group of the system; set 'user' to another name")
    return str(_name(value))


def _domain(value: t.Any) -> str:
    label = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
    domain = str(value).lower().rstrip(".")
    if len(domain) > 253 or not re.fullmatch(rf"(\*\.)?{label}(\.{label})*", domain):
        raise ValueError(
            f"{value!r} is no domain; write a host name without scheme, port and path, such as shop.example.org"
            " or *.shop.example.org (international names in their xn-- form)"
        )
    if domain == "default":
        raise ValueError("'default' is the name of the site for unknown hosts; write default: true, or another domain")
    return domain


def _mount_path(value: t.Any) -> str:
    path = "/" + str(value).strip("/")
    if (
        not str(value).startswith("/")
        or not re.fullmatch(r"/([A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*)?", path)
        or {".", ".."} & set(path.split("/"))
    ):
        raise ValueError(f"{value!r} is no mount point; write a URL path such as / or /shop")
    return path


def _url(value: t.Any) -> str:
    if (
        not re.fullmatch(r"/[A-Za-z0-9._~/-]*", str(value))
        or {".", ".."} & set(str(value).split("/"))
        or "//" in str(value)
    ):
        raise ValueError(f"{value!r} is no URL path; write one such as /static/ or /favicon.ico")
    return str(value)


def _normal(path: str) -> str:
    # Two slashes at the beginning stay in POSIX, and mean one to everybody here.
    return re.sub("^//", "/", posixpath.normpath(path))


def _file_path(value: t.Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9._~+@/ -]+", value) or ".." in value.split("/"):
        raise ValueError(f"{value!r} is no path; write one inside the release, such as static, or an absolute one")
    return _normal(value)


# What is not an application's to write, or is another folder in its sandbox than on the host.
_CLOSED = (
    "/bin /boot /dev /etc /home /lib /lib64 /proc /root /run /sbin /srv/pyhost /sys /tmp /usr /var/cache/pyhost"
    " /var/lib/pyhost /var/log /var/tmp"
).split()


def _writable_path(value: t.Any) -> str:
    path = _normal(str(value))
    # systemd would take these for something else than a name.
    if not re.fullmatch(r"/[A-Za-z0-9._+@/-]+", path) or ".." in str(value).split("/"):
        raise ValueError(f"{value!r} is no absolute path; write one such as /srv/uploads")
    for closed in _CLOSED:
        if f"{path}/".startswith(f"{closed}/"):
            raise ValueError(f"{value!r} is in {closed}, where no application may write; choose another folder")
        if closed.startswith(f"{path}/"):
            raise ValueError(f"{value!r} has {closed} in it, where no application may write; name a smaller folder")
    return path


def _wsgi(value: t.Any) -> str:
    name = r"[A-Za-z_][A-Za-z0-9_]*"
    if not re.fullmatch(rf"{name}(\.{name})*:{name}(\.{name})*", str(value)):
        raise ValueError(f"{value!r} is no WSGI callable; write module:callable, such as shop.wsgi:application")
    return str(value)


def _python(value: t.Any) -> str:
    if not re.fullmatch(r"python3(\.[0-9]+)?|/[A-Za-z0-9._/+-]+", str(value)):
        raise ValueError(f"{value!r} is no interpreter; write python3, python3.N or an absolute path")
    return str(value)


def _line(value: t.Any) -> str:
    if not isinstance(value, str) or not value.strip() or "\n" in value or "\0" in value:
        raise ValueError(f"{value!r} is not one line of text")
    return value


def _no_control(value: t.Any) -> str:
    if not isinstance(value, str) or re.search(r"[\0-\x1f\x7f]", value):
        raise ValueError(f"{value!r} has control characters or is no text")
    return value


def _header_name(value: t.Any) -> str:
    name = str(value).lower()
    if not re.fullmatch(r"[A-Za-z0-9-]+", str(value)):
        raise ValueError(f"{value!r} is no name of a header; write one such as Content-Security-Policy")
    if name in _HAVE_A_KEY:
        raise ValueError(f"'{value}' is what {_HAVE_A_KEY[name]} sets; leave it out here")
    if name in _NOT_A_SITES:
        raise ValueError(f"'{value}' differs from answer to answer, or is the server's own; leave it out")
    return str(value)


def _header_value(value: t.Any) -> str:
    # Beside what HTTP forbids, the two characters that mean something to one server or the other.
    if not isinstance(value, str) or not re.fullmatch(r"([!-~]([ -~]*[!-~])?)?", value) or re.search(r"[\\$]", value):
        raise ValueError(
            f"{value!r} is no value of a header; write one line of ASCII text without '$' and backslash, or '' for no"
            " such header"
        )
    return value


def _env_name(value: t.Any) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", str(value)):
        raise ValueError(f"{value!r} is no name of an environment variable")
    if value in ("LISTEN_FDS", "LISTEN_PID", "NOTIFY_SOCKET", "STATE_DIRECTORY"):
        raise ValueError(f"'{value}' is set by the service manager; use another name")
    return str(value)


def _env_value(value: t.Any) -> str:
    # The value may be a secret: no message repeats it.
    if isinstance(value, bool):
        raise ValueError(f"is true or false, not text; write '{value}' or '1' in quotes")
    if isinstance(value, (int, float)):
        return str(value)
    if not isinstance(value, str):
        raise ValueError("is not text; write the value in quotes")
    if "\0" in value:
        raise ValueError("has a NUL character, which no environment can carry")
    return str(value)


def _batches(value: t.Any) -> t.Any:
    for batch in value if isinstance(value, list) and value else [value]:
        if isinstance(batch, bool) or not re.fullmatch(r"[1-9][0-9]*|[1-9][0-9]?%|100%", str(batch)):
            raise ValueError(f"{value!r} is no number of hosts; write one such as 2 or 25%, or a list of them")
    return value


def _names(value: t.Any) -> list[str]:
    if isinstance(value, str):
        return value.replace(",", " ").split()
    if isinstance(value, list):
        return [str(name) for name in value]
    raise ValueError(f"{value!r} is neither a list nor names with commas between them, such as shop,blog")


def _text(value: t.Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not text; write the lines as one block (key: |)")
    return value if value.endswith("\n") or not value else value + "\n"


def _pem_or_path(value: t.Any) -> bool:
    return isinstance(value, str) and (
        bool(re.fullmatch(r"/[A-Za-z0-9._~+@/-]+", value)) or value.startswith("-----BEGIN ")
    )


def _tls(value: t.Any) -> t.Any:
    # The value may hold a private key: no message repeats it.
    if value is False:
        # What YAML makes of a plain off.
        return "off"
    if isinstance(value, t.Mapping):
        if (
            set(value) == {"certificate", "key"}
            and all(map(_pem_or_path, value.values()))
            and len({part.startswith("/") for part in value.values()}) == 1
        ):
            return {name: str(part) for name, part in value.items()}
    elif isinstance(value, str) and value in TLS:
        return str(value)
    raise ValueError(
        f"is none of {', '.join(TLS)} and {{certificate: …, key: …}}; write one of the words, or give certificate and"
        " key as absolute paths on the front end's host, or both as PEM text"
    )


def _step(value: t.Any) -> dict[str, t.Any]:
    if isinstance(value, str):
        value = {"run": value}
    if (
        not isinstance(value, dict)
        or not isinstance(value.get("run"), str)
        or not value["run"].strip()
        or set(value) - {"run", "once"}
        or not isinstance(value.get("once", False), bool)
    ):
        raise ValueError(
            f"{value!r} is no step; write a command line, or {{run: …, once: true}} for a step that one host runs"
        )
    return {"run": str(value["run"]), "once": value.get("once", False)}


_size = _pattern(r"[1-9][0-9]*[KMGT]?", "a size such as 512M")

NAME = Key(
    "name",
    "str",
    "Name of the application, also of its folders and units.",
    required=True,
    example="shop",
    check=_name,
)

SOURCE = (
    Key(
        "git",
        "str",
        "URL of a git repository that the host clones; https://USER:TOKEN@HOST/… for a private one.",
        example="https://git.example.org/shop.git",
        check=_line,
    ),
    Key(
        "version",
        "str",
        "Branch, tag or commit of the git repository.",
        default="HEAD",
        example="v1.4",
        check=_pattern(r"[A-Za-z0-9][A-Za-z0-9._/+-]*", "a branch, tag or commit"),
    ),
    Key(
        "path",
        "str",
        "Folder on the controller; a relative one lies beside the inventory. Not sent are what .gitignore and"
        " .pyhostignore leave out, and files that look like secrets.",
        example="./shop",
        check=_line,
    ),
    Key(
        "archive",
        "str",
        "URL, or file on the controller, of a tar or zip archive; a single folder at its top is left out.",
        example="https://example.org/shop-1.4.tar.gz",
        check=_line,
    ),
    Key(
        "checksum",
        "str",
        "Digest that the archive must have.",
        example="sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        check=_pattern(r"sha256:[0-9a-f]{64}", "sha256: and 64 hexadecimal digits"),
    ),
)

HEALTH = (
    Key(
        "path",
        "str",
        "URL path, inside the mount, that is asked.",
        default="/",
        example="/health",
        check=_url,
    ),
    Key(
        "status",
        "list",
        "Answers that mean healthy; left out: all below 500.",
        elements="int",
        example=[200],
        check=_at_least(100, 599),
    ),
    Key(
        "timeout",
        "int",
        "Seconds that import and answer may take together.",
        default=30,
        example=30,
        check=_at_least(1, 3600),
    ),
)

LIMITS = (
    Key(
        "memory",
        "str",
        "Maximum memory for all processes of the application and its temporary files; each build step may use as much.",
        default="512M",
        example="512M",
        check=_size,
    ),
    Key(
        "tasks",
        "int",
        "Maximum number of processes and threads. Default: 512 more than its server needs; for a build step: 512.",
        example=2048,
        check=_at_least(16, 4194304),
    ),
    Key(
        "cpu",
        "str",
        "Most processor time, 100% is one core; left out: no limit.",
        example="100%",
        check=_pattern(r"[1-9][0-9]*%", "a percentage such as 100%"),
    ),
    Key("body", "str", "Largest request body.", default="10M", example="10M", check=_size),
    Key(
        "timeout",
        "int",
        "Seconds that one request may take.",
        default=60,
        example=60,
        check=_at_least(1, 86400),
    ),
    Key(
        "requests",
        "str",
        "Requests to the application in a second (10/s) or a minute (600/m) from one address, and as many more at once;"
        " what is above gets 429. With nginx only; left out: no limit.",
        example="10/s",
        check=_pattern(r"[1-9][0-9]{0,5}/[sm]", "a rate such as 10/s or 600/m"),
    ),
    Key(
        "connections",
        "int",
        "Requests to the application at a time from one address; what is above gets 429. With nginx only; left out: no"
        " limit.",
        example=20,
        check=_at_least(1, 65535),
    ),
)

# What one application is, as users write it in pyhost_apps (DESIGN: "The user's input").
APP: tuple[Key, ...] = (
    Key(
        "domains",
        "list",
        "Host names that the application answers, with a leading *. for all names below one.",
        default=[],
        elements="str",
        example=["shop.example.org"],
        check=_domain,
    ),
    Key(
        "default",
        "bool",
        "Also answer hosts that no application names; otherwise they get no application.",
        default=False,
        example=True,
    ),
    Key(
        "path",
        "str",
        "Mount point; the application sees it as SCRIPT_NAME.",
        default="/",
        example="/shop",
        check=_mount_path,
    ),
    Key(
        "tls",
        "raw",
        "Encryption: off; self_signed; acme, a certificate that an ACME server such as Let's Encrypt issues and certbot"
        " renews; or {certificate: …, key: …}, absolute paths on the front end's host, or PEM text. All but off"
        " redirect from HTTP.",
        default="off",
        example="acme",
        check=_tls,
        secret=True,
    ),
    Key(
        "hsts",
        "str",
        "Strict-Transport-Security over TLS; empty: none.",
        default="max-age=63072000",
        example="max-age=63072000; includeSubDomains",
        check=_pattern(
            r"(max-age=[0-9]+(; includeSubDomains)?(; preload)?)?",
            "max-age=SECONDS, with '; includeSubDomains' and '; preload' after it or not",
        ),
    ),
    Key(
        "source",
        "dict",
        "Where the code comes from: git, path or archive; left out: the application is among its requirements.",
        options=SOURCE,
        example={"path": "./shop"},
    ),
    Key(
        "requirements",
        "list",
        "Lines as pip reads them; left out: the source's own requirements.txt, pyproject.toml or setup.py;"
        " an empty list: nothing, and no pip in the venv.",
        elements="str",
        example=["Django==5.2.8", "-r requirements.txt"],
        check=_line,
    ),
    Key(
        "python",
        "str",
        "Interpreter of the venv.",
        default="python3",
        example="python3",
        check=_python,
    ),
    Key(
        "wsgi",
        "str",
        "The WSGI callable, module:callable.",
        required=True,
        example="shop.wsgi:application",
        check=_wsgi,
    ),
    Key(
        "backend",
        "str",
        "The server that runs the application.",
        default="uwsgi",
        choices=tuple(BACK_ENDS),
        example="uwsgi",
    ),
    Key(
        "protocol",
        "str",
        "Protocol between front end and back end; left out: the first that both know.",
        choices=tuple(sorted({p for row in BACK_ENDS.values() for p in row.serves})),
        example="uwsgi",
    ),
    Key("processes", "int", "Worker processes.", default=2, example=4, check=_at_least(1, 1024)),
    Key("threads", "int", "Threads of each process.", default=2, example=8, check=_at_least(1, 1024)),
    Key(
        "env",
        "dict",
        "Environment of the application and of its setup steps.",
        default={},
        secret=True,
        example={"DJANGO_SETTINGS_MODULE": "shop.settings"},
        check=_env_value,
        check_key=_env_name,
    ),
    Key(
        "network",
        "bool",
        "Let the application open network connections itself; without it, it reaches unix sockets only."
        " Setup steps always may.",
        default=False,
        example=True,
    ),
    Key(
        "writable_paths",
        "list",
        "Folders outside its data folder that the application and its setup steps may write too. The operator makes"
        " them, and gives the account the right to write there.",
        default=[],
        elements="str",
        example=["/srv/uploads"],
        check=_writable_path,
    ),
    Key(
        "jit",
        "bool",
        "Let the application make machine code and run it, as numba, PyPy and the callbacks of ctypes and cffi do.",
        default=False,
        example=True,
    ),
    Key(
        "static",
        "dict",
        "Static files that the front end serves itself; URL inside the mount: path in the release, or absolute."
        " A URL that ends in / is a folder.",
        default={},
        example={"/static/": "static", "/favicon.ico": "static/favicon.ico"},
        check=_file_path,
        check_key=_url,
    ),
    Key(
        "static_max_age",
        "int",
        "Seconds that browsers and caches may keep a static file.",
        default=3600,
        example=86400,
        check=_at_least(0, 31536000),
    ),
    Key(
        "private",
        "dict",
        "Folders whose files the front end sends only where the application answers with X-Accel-Redirect;"
        " URL inside the mount: path in the release, or absolute.",
        default={},
        example={"/protected/": "/var/lib/pyhost/shop/invoices"},
        check=_file_path,
        check_key=_url,
    ),
    Key(
        "headers",
        "dict",
        "Headers of every answer, where the application does not give them itself; '' takes one away. Without a word: "
        + ", ".join(f"{name}: {value}" for name, value in HEADERS.items())
        + ".",
        default={},
        example={"Content-Security-Policy": "default-src 'self'"},
        check=_header_value,
        check_key=_header_name,
    ),
    Key(
        "htaccess",
        "bool",
        "Let Apache read the .htaccess files in folders of static files.",
        default=False,
        example=True,
    ),
    Key(
        "setup",
        "list",
        "Command lines run in each new release as the application's user, the venv first in PATH;"
        " {run: …, once: true} for one that a single host runs.",
        default=[],
        elements="raw",
        example=["python manage.py migrate --noinput"],
        check=_step,
    ),
    Key(
        "build_timeout",
        "int",
        "Seconds that one step of a build may take: to get the source, to fill the venv, each line of setup.",
        default=1800,
        example=3600,
        check=_at_least(1, 86400),
    ),
    Key(
        "health",
        "dict",
        "The request that a new release must answer before it takes traffic; asked in its sandbox.",
        default={},
        options=HEALTH,
        example={"path": "/health"},
    ),
    Key(
        "keep",
        "int",
        "Releases kept for a way back; those in service, next in line and the one before always are.",
        default=5,
        example=5,
        check=_at_least(1, 1000),
    ),
    Key(
        "limits",
        "dict",
        "What the application may use.",
        default={},
        options=LIMITS,
        example={"memory": "1G"},
    ),
    Key(
        "user",
        "str",
        "Account that runs the application. Default: its own, named like the application. Applications that name the"
        " same account share it; an account that exists on the host already is used only if it is named here.",
        example="shop",
        check=check_user,
    ),
    Key(
        "hosts",
        "str",
        "Group or host pattern of the back-end hosts that run it; left out: all of them.",
        example="backends_a",
        check=_line,
    ),
    Key(
        "port",
        "int",
        "TCP port towards front ends on other hosts; left out: a stable one from 20000 to 29999 made of the name.",
        example=20001,
        check=_at_least(1024, 65535),
    ),
    Key(
        "state",
        "str",
        "absent removes all of the application but its data.",
        default="present",
        choices=("present", "absent"),
        example="absent",
    ),
    Key(
        "purge",
        "bool",
        "With absent: remove the data too, kill what runs as the account, and lock the account for good.",
        default=False,
        example=True,
    ),
    Key(
        "extra",
        "dict",
        "Raw lines at the end of the site, per front end.",
        default={},
        options=tuple(
            Key(
                name,
                "str",
                f"Lines for {name}, used where {name} is the front end.",
                default="",
                example="# …",
                check=_text,
            )
            for name in FRONT_ENDS
        ),
        example={"nginx": "add_header X-Robots-Tag noindex;"},
    ),
)

# Variables of a host or group beside pyhost_apps and pyhost_apps__*.
HOST: tuple[Key, ...] = (
    Key(
        "pyhost_app_defaults",
        "dict",
        "Keys that lie under every application's own.",
        default={},
        example={"processes": 4},
    ),
    Key(
        "pyhost_frontend",
        "str",
        "The front end of the host.",
        default="nginx",
        choices=tuple(FRONT_ENDS),
        example="nginx",
    ),
    Key(
        "pyhost_address",
        "str",
        "Address at which other hosts reach this one; left out: ansible_host.",
        example="10.0.0.11",
        check=_pattern(r"[A-Za-z0-9.:_-]+", "an address"),
    ),
    Key(
        "pyhost_hosts",
        "str",
        "Host pattern of the play, given with -e; hosts outside it have no part in the model.",
        default="all",
        example="web",
        check=_line,
    ),
    Key(
        "pyhost_only",
        "raw",
        "Applications of the playbooks deploy and rollback, given with -e: a list, or names with commas between them.",
        example="shop,blog",
        check=_names,
    ),
    Key(
        "pyhost_release",
        "str",
        "ID of the release to which the playbook rollback goes back, given with -e.",
        example="0a1b2c3d4e5f6789",
        check=_pattern(r"[0-9a-f]+", "the ID of a release, hexadecimal digits"),
    ),
    Key(
        "pyhost_serial",
        "raw",
        "How many hosts at a time the playbook deploy puts a release in service on, as Ansible's serial; given with -e."
        " Left out: first one, then all others.",
        example=2,
        check=_batches,
    ),
    Key(
        "pyhost_max_fail_percentage",
        "int",
        "Where more of the hosts at a time fail than this percentage, the playbook deploy ends, as with Ansible's"
        " max_fail_percentage; given with -e. Left out: none may fail.",
        example=20,
        check=_at_least(0, 100),
    ),
    Key(
        "pyhost_trusted_proxies",
        "list",
        "Addresses or networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.",
        default=[],
        elements="str",
        example=["10.0.0.0/8"],
        check=_pattern(r"[0-9a-fA-F.:]+(/[0-9]{1,3})?", "an address or network"),
    ),
    Key(
        "pyhost_access_log",
        "str",
        "Format of the access logs; json is one object a line, with the time that each request took.",
        default=ACCESS_LOGS[0],
        choices=ACCESS_LOGS,
        example="json",
    ),
    Key(
        "pyhost_tls_profile",
        "str",
        "Mozilla's profile of protocols and ciphers; modern is TLS 1.3 alone.",
        default=TLS_PROFILES[0],
        choices=TLS_PROFILES,
        example="modern",
    ),
    Key(
        "pyhost_http3",
        "bool",
        "Offer HTTP/3 beside HTTP/2; nginx of Debian 13 can.",
        default=False,
        example=True,
    ),
    Key(
        "pyhost_acme_email",
        "str",
        "Where the ACME server writes to; left out: nowhere.",
        example="hostmaster@example.org",
        check=_pattern(r"[^\s@]+@[^\s@]+", "an email address"),
    ),
    Key(
        "pyhost_acme_server",
        "str",
        "Directory URL of the ACME server, whose terms of service are agreed to; left out: Let's Encrypt.",
        example="https://acme-staging-v02.api.letsencrypt.org/directory",
        check=_pattern(r"https://\S+", "a URL that begins with https://"),
    ),
    Key(
        "pyhost_build_env",
        "dict",
        "Environment of every build command, for a package index, a CA or a proxy of one's own.",
        default={},
        secret=True,
        example={"PIP_INDEX_URL": "https://pypi.example.org/simple"},
        check=_env_value,
        check_key=_env_name,
    ),
    Key(
        "pyhost_installer",
        "str",
        "What fills the venvs; auto takes uv where the host has it.",
        default="auto",
        choices=("auto", "uv", "pip"),
        example="uv",
    ),
    Key(
        "pyhost_status_format",
        "str",
        "What the playbook status makes, given with -e; left out: a table.",
        choices=("table", "json", "html"),
        example="html",
    ),
    Key(
        "pyhost_status_file",
        "str",
        "File on the controller that the playbook status writes, given with -e; left out: it prints, but for html,"
        " which is ./pyhost-status.html.",
        example="status.json",
    ),
    Key(
        "pyhost_status_strict",
        "bool",
        "Let the playbook status fail when something is not healthy or differs from the inventory.",
        default=False,
        example=True,
    ),
)

_APP_KEYS = {key.name: key for key in APP}
_HOST_KEYS = {key.name.removeprefix("pyhost_"): key for key in HOST}


def _like(name: str, **changes: t.Any) -> Key:
    """Return the user's key of that name for a role's item."""
    fields = {field: getattr(_APP_KEYS[name], field) for field in Key.__dataclass_fields__}
    return Key(**{**fields, **changes})


def _health(description: str) -> Key:
    """Return the key of a health request, whoever makes it."""
    return Key(
        "health",
        "dict",
        description,
        default={},
        options=(
            *HEALTH,
            Key("mount", "str", "Mount point of the application.", default="/", example="/shop", check=_mount_path),
            Key(
                "host",
                "str",
                "Host header of the request.",
                default="localhost",
                example="shop.example.org",
                check=_line,
            ),
            Key("https", "bool", "Whether the front end is asked over TLS, at port 443.", default=False, example=True),
        ),
        example={"path": "/health"},
    )


# An item of app_apps: what the role app builds.
RELEASE_ITEM: tuple[Key, ...] = (
    NAME,
    _like("user"),
    _like("source"),
    _like("requirements"),
    Key(
        "server_requirements",
        "list",
        "What the back end needs in the venv, beside the application's own requirements.",
        default=[],
        elements="str",
        example=["pyuwsgi"],
        check=_line,
    ),
    _like("python"),
    _like("wsgi", required=False),
    _like("setup"),
    _like("build_timeout"),
    _like("static"),
    _like("env"),
    _like("network"),
    _like("writable_paths"),
    _like("jit"),
    _like("limits"),
    _health("The request that a new release must answer before it is complete, asked in its sandbox."),
    Key(
        "published",
        "list",
        "Folders in the data folder that the front end may read.",
        default=[],
        elements="str",
        example=["/var/lib/pyhost/shop/media"],
        check=_file_path,
    ),
    Key(
        "first",
        "bool",
        "Whether this host runs the setup steps with once: true.",
        default=True,
        example=False,
    ),
    _like("keep"),
)

# An item of backend_x_apps: a process behind its endpoint, whose protocol the back end adds.
PROCESS_ITEM: tuple[Key, ...] = (
    NAME,
    _like("user"),
    _like("wsgi"),
    Key(
        "release",
        "str",
        "Folder with the links next and current that the role app made; left out: code and venv are used as they are.",
        example="/srv/pyhost/shop",
        check=_file_path,
    ),
    Key(
        "code",
        "str",
        "Folder of the code; left out: current/code of the release folder.",
        example="/srv/pyhost/shop/current/code",
        check=_file_path,
    ),
    Key(
        "venv",
        "str",
        "Folder of the venv; left out: current/venv of the release folder.",
        example="/srv/pyhost/shop/current/venv",
        check=_file_path,
    ),
    _like("python"),
    _like("processes"),
    _like("threads"),
    _like("env"),
    _like("network"),
    _like("writable_paths"),
    _like("jit"),
    _like("limits"),
    _health("The request that must be answered through the front end once a new release is in service (tasks switch)."),
    Key(
        "listen",
        "list",
        "Endpoints: paths of unix sockets, or address:port; left out: /run/pyhost/NAME.sock.",
        elements="str",
        example=["/run/pyhost/shop.sock"],
        check=_line,
    ),
    Key(
        "allow",
        "list",
        "Addresses that may connect to address:port endpoints.",
        default=[],
        elements="str",
        example=["10.0.0.5"],
        check=_line,
    ),
)

# What the front end needs to start the processes itself, beside the limits of the mount.
DAEMON: tuple[Key, ...] = (
    _like("user", description="Account that runs the application.", required=True),
    _like("processes"),
    _like("threads"),
    Key(
        "venv",
        "str",
        "Folder of the venv.",
        required=True,
        example="/srv/pyhost/shop/current/venv",
        check=_file_path,
    ),
    Key(
        "script",
        "str",
        "The WSGI script file, which the account can read.",
        required=True,
        example="/etc/pyhost/mod_wsgi/shop.wsgi",
        check=_file_path,
    ),
)

MOUNT: tuple[Key, ...] = (
    Key(
        "app",
        "str",
        "Name of the application, used in comments and messages.",
        required=True,
        example="shop",
        check=_name,
    ),
    _like("path"),
    Key(
        "protocol",
        "str",
        "Protocol of the endpoints.",
        default="uwsgi",
        choices=("uwsgi", "fastcgi", "scgi", "http", INSIDE_THE_FRONT_END),
        example="uwsgi",
    ),
    Key(
        "endpoints",
        "list",
        "Where the application listens: paths of unix sockets, or address:port.",
        default=[],
        elements="str",
        example=["/run/pyhost/shop.sock"],
        check=_pattern(r"/[A-Za-z0-9._/+-]+|[A-Za-z0-9.\[\]:_-]+:[0-9]+", "a path or address:port"),
    ),
    Key(
        "daemon",
        "dict",
        "Instead of endpoints, where the protocol is wsgi: the processes that the front end starts itself.",
        options=DAEMON,
        example={"user": "shop", "venv": "/srv/shop/venv", "script": "/etc/pyhost/mod_wsgi/shop.wsgi"},
    ),
    _like("static", description="Static files; URL inside the mount: absolute path."),
    _like("static_max_age"),
    _like("private", description="Private folders; URL inside the mount: absolute path."),
    _like("headers"),
    _like("htaccess"),
    _like("limits"),
    Key(
        "extra",
        "str",
        "Raw lines at the end of the site.",
        default="",
        example="add_header X-Robots-Tag noindex;",
        check=_text,
    ),
)

# An item of frontend_x_sites: one set of domains with the applications mounted on it.
SITE_ITEM: tuple[Key, ...] = (
    Key(
        "name",
        "str",
        "Name of the site's file and logs; left out: its first domain.",
        example="shop.example.org",
        check=_pattern(r"[a-z0-9_][a-z0-9._-]*", "a file name of lower-case letters, digits, '.', '-', '_'"),
    ),
    _like("domains"),
    _like("default"),
    _like("tls"),
    _like("hsts"),
    Key(
        "mounts",
        "list",
        "Applications of the site.",
        required=True,
        elements="dict",
        options=MOUNT,
        example=[{"app": "shop", "endpoints": ["/run/pyhost/shop.sock"]}],
    ),
)


@dataclass(frozen=True)
class Role:
    """A role: one line on what it does, and its public variables."""

    short: str
    description: str
    variables: tuple[Key, ...]


def _items(name: str, description: str, options: tuple[Key, ...], example: t.Any) -> Key:
    return Key(name, "list", description, default=[], elements="dict", options=options, example=example)


def _back_end(name: str, title: str, *own: Key) -> Role:
    """Return the role of a back end that runs applications; ``own`` are keys of an item that only this server has."""
    row = BACK_ENDS[name]
    protocol = _like(
        "protocol",
        description="Protocol of the endpoints.",
        default=row.serves[0],
        choices=row.serves,
        example=row.serves[-1],
    )
    return Role(
        f"Run Python applications on {title}",
        "One sandboxed service behind a systemd socket for each application, all of them in one transaction.",
        (
            _items(
                f"backend_{name}_apps",
                f"Applications that {title} runs.",
                (*PROCESS_ITEM, protocol, *own),
                [{"name": "shop", "wsgi": "shop.wsgi:application", "code": "/srv/shop", "venv": "/srv/shop/venv"}],
            ),
            Key(
                f"backend_{name}_elsewhere",
                "list",
                "Names of applications that other back ends of this host may be running; theirs is not removed.",
                default=[],
                elements="str",
                example=["blog"],
                check=_name,
            ),
            Key(
                f"backend_{name}_ask",
                "list",
                "Where a release that is put in service must answer: `endpoint`, its own one, and addresses at which"
                " this host publishes it.",
                default=[],
                elements="str",
                example=["endpoint", "http://127.0.0.1:80/"],
            ),
            Key(
                f"backend_{name}_web_group",
                "str",
                "Group that may connect to the applications' unix sockets: the front end's.",
                default=WEB_GROUP,
                example="www-data",
            ),
        ),
    )


def _settings(front_end: str, *names: str) -> list[Key]:
    """Return the variables of a host as variables of a front end's role."""
    return [replace(key, name=f"frontend_{front_end}_{name}") for name in names for key in [_HOST_KEYS[name]]]


def _front_end(
    name: str,
    title: str,
    *own: Key,
    listen: t.Sequence[str] = ("80", "[::]:80"),
    trusts_proxies: bool = True,
    logs_json: bool = True,
) -> Role:
    """Return the role of a server that publishes sites; ``own`` are variables that only this server has."""
    proxies = Key(
        f"frontend_{name}_trusted_proxies",
        "list",
        "Addresses or networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.",
        default=[],
        elements="str",
        example=["10.0.0.0/8"],
    )
    access_log = Key(
        f"frontend_{name}_access_log",
        "str",
        "Format of the access logs; json is one object a line, with the time that each request took.",
        default=ACCESS_LOGS[0],
        choices=ACCESS_LOGS,
        example="json",
    )
    tls = [
        Key(
            f"frontend_{name}_listen_tls",
            "list",
            f"What {title} listens on for sites with TLS, in the same forms.",
            default=["443", "[::]:443"],
            elements="str",
            example=["443"],
        ),
        *_settings(name, "tls_profile", "acme_email", "acme_server"),
    ]
    return Role(
        f"Publish Python applications with {title}",
        "All sites in one transaction, tested before it goes into service and taken back if"
        f" {title} does not serve it.",
        (
            _items(
                f"frontend_{name}_sites",
                f"Sites that {title} publishes.",
                SITE_ITEM,
                [
                    {
                        "domains": ["shop.example.org"],
                        "mounts": [{"app": "shop", "endpoints": ["/run/pyhost/shop.sock"]}],
                    }
                ],
            ),
            Key(
                f"frontend_{name}_listen",
                "list",
                f"What {title} listens on: a port, address:port or [address]:port.",
                default=list(listen),
                elements="str",
                example=["80"],
            ),
            *(tls if FRONT_ENDS[name].tls else []),
            Key(
                f"frontend_{name}_probe_url",
                "str",
                f"Where on this host {title} must answer with the new configuration before the old one is given up.",
                default="http://127.0.0.1:80/",
                example="http://127.0.0.1:8080/",
            ),
            *([proxies] if trusts_proxies else []),
            *([access_log] if logs_json else []),
            Key(
                f"frontend_{name}_replaces",
                "list",
                f"Roles whose server gives way to {title} where it publishes sites on this host: it stops when all is"
                " tested, and goes on as before if anything fails.",
                default=[f"frontend_{other}" for other in FRONT_ENDS if other != name],
                elements="str",
                example=[],
            ),
            *own,
        ),
    )


ROLES: dict[str, Role] = {
    "app": Role(
        "Build the releases of Python applications",
        "Users, folders, one venv a release, setup steps and static files of any number of applications.",
        (
            _items(
                "app_apps",
                "Applications whose releases the host holds.",
                RELEASE_ITEM,
                [{"name": "shop", "source": {"path": "./shop"}, "wsgi": "shop.wsgi:application"}],
            ),
            Key(
                "app_build_env",
                "dict",
                "Environment of every build command, for a package index, a CA or a proxy of one's own.",
                default={},
                secret=True,
                example={"PIP_INDEX_URL": "https://pypi.example.org/simple"},
            ),
            Key(
                "app_installer",
                "str",
                "What fills the venvs; auto takes uv where the host has it.",
                default="auto",
                choices=("auto", "uv", "pip"),
                example="uv",
            ),
            Key(
                "app_web_group",
                "str",
                "Group of the front end, which alone may read published files.",
                default=WEB_GROUP,
                example="www-data",
            ),
            Key(
                "app_absent",
                "list",
                "Names of applications whose code is removed; their data stays.",
                default=[],
                elements="str",
                example=["blog"],
                check=_name,
            ),
            Key(
                "app_purge",
                "list",
                "Names among app_absent whose data is removed too; their accounts are locked.",
                default=[],
                elements="str",
                example=["blog"],
                check=_name,
            ),
            Key(
                "app_back",
                "dict",
                "Applications that go back (tasks back): name and ID of the release, empty for the one before.",
                default={},
                example={"shop": ""},
                check_key=_name,
            ),
        ),
    ),
    "backend_uwsgi": _back_end("uwsgi", "uWSGI"),
    "backend_flup": _back_end("flup", "flup"),
    "backend_mod_wsgi": _back_end(
        "mod_wsgi",
        "mod_wsgi",
        # The other protocols carry it with each request.
        _like("path"),
    ),
    "frontend_nginx": _front_end(
        "nginx",
        "nginx",
        *_settings("nginx", "http3"),
        Key(
            "frontend_nginx_worker_connections",
            "int",
            "Connections of each worker process, to visitors and to applications together.",
            default=8192,
            example=16384,
        ),
        Key(
            "frontend_nginx_http_extra",
            "list",
            "Raw lines in nginx's http block.",
            default=[],
            elements="str",
            example=["proxy_cache_path /var/cache/nginx/pages keys_zone=pages:10m;"],
        ),
    ),
    "frontend_lighttpd": _front_end(
        "lighttpd",
        "lighttpd",
        Key(
            "frontend_lighttpd_max_connections",
            "int",
            "Connections to visitors at a time.",
            default=8192,
            example=16384,
        ),
        Key(
            "frontend_lighttpd_global_extra",
            "list",
            "Raw lines of lighttpd's configuration outside of any site.",
            default=[],
            elements="str",
            example=["server.kbytes-per-second = 1024"],
        ),
    ),
    "frontend_apache": _front_end(
        "apache",
        "Apache",
        Key(
            "frontend_apache_workers",
            "int",
            "Worker processes at most, started as they are needed; each works on 64 requests at a time and keeps some"
            " 4000 idle connections open.",
            default=16,
            example=32,
        ),
        Key(
            "frontend_apache_modules",
            "list",
            "Modules to load beside those that the sites need, for raw lines.",
            default=[],
            elements="str",
            example=["ratelimit"],
            check=_name,
        ),
        Key(
            "frontend_apache_server_extra",
            "list",
            "Raw lines outside of all sites.",
            default=[],
            elements="str",
            example=["MaxConnectionsPerChild 100000"],
        ),
    ),
    "frontend_cherokee": _front_end(
        "cherokee",
        "Cherokee",
        Key(
            "frontend_cherokee_archive",
            "str",
            "Archive of an installed tree: a file on the controller, or a URL. Only what is below the prefix is taken.",
            example="files/cherokee.tar.gz",
        ),
        Key(
            "frontend_cherokee_deb",
            "str",
            "Debian package: a file on the controller, or a URL.",
            example="files/cherokee.deb",
        ),
        Key(
            "frontend_cherokee_checksum",
            "str",
            "Digest of the archive or package; obligatory for a URL.",
            example="sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        ),
        Key(
            "frontend_cherokee_packages",
            "list",
            "Packages of a repository that the host knows: Cherokee itself, or libraries that an archive needs.",
            default=[],
            elements="str",
            example=["cherokee"],
        ),
        Key(
            "frontend_cherokee_prefix",
            "str",
            "Folder that the tree of the archive was made for, or where Cherokee is already.",
            default="/opt/cherokee",
            example="/srv/cherokee",
        ),
        Key(
            "frontend_cherokee_admin",
            "bool",
            "Run Cherokee's administration page on 127.0.0.1:9090; refused where the host has no Python 2.7.",
            default=False,
            example=True,
        ),
        Key(
            "frontend_cherokee_connections",
            "int",
            "Connections to visitors at a time.",
            default=8192,
            example=16384,
        ),
        Key(
            "frontend_cherokee_server_extra",
            "list",
            "Raw lines of Cherokee's configuration outside of any site.",
            default=[],
            elements="str",
            example=["server!thread_number = 8"],
        ),
        listen=("80",),
        trusts_proxies=False,
        logs_json=False,
    ),
}

# The roles' lists of items, by the name of the variable.
ITEMS: dict[str, tuple[Key, ...]] = {
    key.name: key.options for role in ROLES.values() for key in role.variables if key.elements == "dict"
}
