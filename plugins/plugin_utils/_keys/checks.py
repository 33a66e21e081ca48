# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of single values.

Each returns the accepted value, perhaps normalised, or raises ValueError with what would be right.
"""

from __future__ import annotations

import fnmatch
import ipaddress
import posixpath
import re
import typing as t

from ...module_utils._catalog import BACK_ENDS
from ...module_utils._contents import CHECKSUM
from .key import show

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


def pattern(expression: str, right: str) -> t.Callable[[t.Any], t.Any]:
    """Return a check that takes text matching the whole expression."""
    compiled = re.compile(expression)

    def check(value: t.Any) -> t.Any:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            raise ValueError(f"{show(value)} is not valid. Write {right}.")
        return value

    return check


def at_least(minimum: int, maximum: int) -> t.Callable[[t.Any], t.Any]:
    """Return a check that takes whole numbers of the range."""

    def check(value: t.Any) -> t.Any:
        if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= maximum:
            raise ValueError(f"{show(value)} is not valid. Write a whole number from {minimum} to {maximum}.")
        return value

    return check


def parse_size(text: str) -> int:
    """Return the bytes of a size such as ``10M`` (powers of 1024, as systemd and nginx count)."""
    return int(text.rstrip("KMGT")) * _SIZES[text.lstrip("0123456789")]


name = pattern(
    r"[a-z][a-z0-9_-]{0,30}",
    "a name of at most 31 lower-case letters, digits, '-' and '_' that begins with a letter",
)

# Of these, the units of an application would be the collection's own.
_RESERVED_NAMES = frozenset(("http",))


def app_name(value: t.Any) -> str:
    """Take the name of an application."""
    if value in _RESERVED_NAMES:
        raise ValueError(f"the unit pyhost-{value} belongs to pyhost.web itself. Choose another name.")
    return str(name(value))


def check_user(value: t.Any) -> str:
    """Take the name of an account that may run an application."""
    if value in SYSTEM_ACCOUNTS or str(value).startswith("systemd-"):
        raise ValueError(
            f"'{value}' is an account or a group of the system. Choose another one, such as `user: app-{value}`."
        )
    return str(name(value))


# For these letters the two standards of international names differ.
_TWO_FORMS = re.compile("[ßς\u200c\u200d]")


def _ascii_form(domain: str) -> str:
    """Return an international name as clients send it; empty where it is none, or where clients differ."""
    if _TWO_FORMS.search(domain):
        return ""
    try:
        return domain.encode("idna").decode()
    except UnicodeError:
        return ""


def domain(value: t.Any) -> str:
    label = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
    domain = str(value).lower().removesuffix(".")
    if not domain.isascii() and (ascii_form := _ascii_form(domain)):
        raise ValueError(f"{value!r} has letters beyond ASCII. Write '{ascii_form}'.")
    if len(domain) > 253 or not re.fullmatch(rf"(\*\.)?{label}(\.{label})*", domain):
        raise ValueError(
            f"{show(value)} is not a valid domain. Write a host name without scheme, port and path, such as"
            " shop.example.org or '*.shop.example.org'. Write an international name in its xn-- form."
        )
    if domain == "default":
        raise ValueError(
            "'default' is reserved for the site that answers unknown hosts. Write `default: true`, or another domain."
        )
    return domain


def mount_path(value: t.Any) -> str:
    path = "/" + str(value).strip("/")
    if (
        not str(value).startswith("/")
        or not re.fullmatch(r"/([A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*)?", path)
        or {".", ".."} & set(path.split("/"))
    ):
        raise ValueError(f"{show(value)} is not a valid mount point. Write a URL path, such as / or /shop.")
    return path


def url(value: t.Any) -> str:
    if (
        not re.fullmatch(r"/[A-Za-z0-9._~/-]*", str(value))
        or {".", ".."} & set(str(value).split("/"))
        or "//" in str(value)
    ):
        raise ValueError(f"{show(value)} is not a valid URL path. Write one such as /static/ or /favicon.ico.")
    return str(value)


def without_slash(url: str) -> str:
    """Return what a URL and the same one as a folder have in common."""
    return url.rstrip("/")


def normal(path: str) -> str:
    """Return a path without needless parts; POSIX keeps two slashes at the beginning, here they mean one."""
    return re.sub("^//", "/", posixpath.normpath(path))


def file_path(value: t.Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9._~+@/ -]+", value) or ".." in value.split("/"):
        raise ValueError(
            f"{show(value)} is not a valid path. Write a path inside the release, such as static, or an absolute path."
        )
    return normal(value)


def absolute_path(value: t.Any) -> str:
    """Take a path that does not depend on a release."""
    path = file_path(value)
    if not path.startswith("/"):
        raise ValueError(f"{show(value)} is not an absolute path. Write one such as /srv/shop/static.")
    return path


# What is not an application's to write, or is another folder in its sandbox than on the host.
_CLOSED = (
    "/bin /boot /dev /etc /home /lib /lib64 /proc /root /run /sbin /srv/pyhost /sys /tmp /usr /var/cache/pyhost"
    " /var/lib/pyhost /var/log /var/tmp"
).split()


def writable_path(value: t.Any) -> str:
    path = normal(str(value))
    # systemd would take these for something else than a name.
    if not re.fullmatch(r"/[A-Za-z0-9._+@/-]+", path) or ".." in str(value).split("/"):
        raise ValueError(f"{show(value)} is not a valid absolute path. Write one such as /srv/uploads.")
    for closed in _CLOSED:
        if f"{path}/".startswith(f"{closed}/"):
            raise ValueError(f"{show(value)} is in {closed}, where no application may write. Choose another folder.")
        if closed.startswith(f"{path}/"):
            raise ValueError(
                f"{show(value)} contains {closed}, where no application may write. Choose a folder that does not."
            )
    return path


def wsgi(value: t.Any) -> str:
    name = r"[A-Za-z_][A-Za-z0-9_]*"
    if not re.fullmatch(rf"{name}(\.{name})*:{name}(\.{name})*", str(value)):
        raise ValueError(f"{show(value)} is not a WSGI callable. Write module:callable, such as shop.wsgi:application.")
    return str(value)


def python(value: t.Any) -> str:
    if not re.fullmatch(r"python3(\.[0-9]+)?|/[A-Za-z0-9._/+-]+", str(value)):
        raise ValueError(f"{show(value)} is not a valid interpreter. Write python3, python3.N or an absolute path.")
    return str(value)


def line(value: t.Any) -> str:
    if not isinstance(value, str) or not value.strip() or "\n" in value or "\0" in value:
        raise ValueError(f"{show(value)} is not valid. Write one line of text that is not empty.")
    return value


def header_name(value: t.Any) -> str:
    name = str(value).lower()
    if not re.fullmatch(r"[A-Za-z0-9-]+", str(value)):
        raise ValueError(f"{show(value)} is not a valid header name. Write one such as Content-Security-Policy.")
    if name in _HAVE_A_KEY:
        raise ValueError(f"'{value}' has its own key. Remove it here, and set `{_HAVE_A_KEY[name]}` instead.")
    if name in _NOT_A_SITES:
        raise ValueError(f"the server or the application sets '{value}' for each answer. Remove it.")
    return str(value)


def header_value(value: t.Any) -> str:
    # Beside what HTTP forbids, the two characters that mean something to one server or the other.
    if not isinstance(value, str) or not re.fullmatch(r"([!-~]([ -~]*[!-~])?)?", value) or re.search(r"[\\$]", value):
        raise ValueError(
            f"{show(value)} is not a valid header value. Write one line of ASCII text without '$' and backslash,"
            " or '' to remove the header."
        )
    return value


_SET_BY_SYSTEMD = frozenset(
    """
    CACHE_DIRECTORY CONFIGURATION_DIRECTORY CREDENTIALS_DIRECTORY INVOCATION_ID JOURNAL_STREAM LISTEN_FDNAMES LISTEN_FDS
    LISTEN_PID LOGS_DIRECTORY MAINPID MANAGERPID NOTIFY_SOCKET RUNTIME_DIRECTORY STATE_DIRECTORY SYSTEMD_EXEC_PID
    WATCHDOG_PID WATCHDOG_USEC
    """.split()
)

# With these, Python would not start as the venv's.
_OTHER_PYTHON = frozenset(("PYTHONHOME", "PYTHONPLATLIBDIR", "PYTHONEXECUTABLE", "__PYVENV_LAUNCHER__"))


def env_name(value: t.Any) -> str:
    """Take the name of an environment variable that nobody else sets."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", str(value)):
        raise ValueError(
            f"{show(value)} is not a valid name of an environment variable. Write letters, digits and '_'."
        )
    if value in _SET_BY_SYSTEMD:
        raise ValueError(f"'{value}' is set by systemd. Choose another name.")
    if value in _OTHER_PYTHON:
        raise ValueError(
            f"'{value}' would make Python ignore the venv. Remove it. To choose an interpreter, set `python`."
        )
    if str(value).startswith("PYHOST_"):
        raise ValueError(f"'{value}' is reserved, as are all names that begin with PYHOST_. Choose another name.")
    return str(value)


def app_env_name(value: t.Any) -> str:
    """Take the name of an environment variable that no back end reads as a setting of its own."""
    name = env_name(value)
    for row in BACK_ENDS.values():
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in row.reads):
            raise ValueError(
                f"{row.title} would read '{name}' as one of its settings. Choose another name. To change a setting"
                " of the server, use the keys of the application, such as `processes`."
            )
    return name


def env_value(value: t.Any) -> str:
    # The value may be a secret: no message repeats it.
    if "\0" in value:
        raise ValueError("the value contains a NUL character, which an environment cannot hold. Remove it.")
    return str(value)


def batches(value: t.Any) -> t.Any:
    for batch in value if isinstance(value, list) and value else [value]:
        if isinstance(batch, bool) or not re.fullmatch(r"[1-9][0-9]*|[1-9][0-9]?%|100%", str(batch)):
            raise ValueError(
                f"{show(value)} is not a number of hosts. Write a number, such as 2 or 25%, or a list of them."
            )
    return value


def names(value: t.Any) -> list[str]:
    if isinstance(value, str):
        return value.replace(",", " ").split()
    if isinstance(value, list):
        return [str(name) for name in value]
    raise ValueError(
        f"{show(value)} is neither a list nor text. Write names with commas between them, such as shop,blog."
    )


def text(value: t.Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{show(value)} is not text. Write the lines as one block, which begins with `|`.")
    return value if value.endswith("\n") or not value else value + "\n"


def _pem_or_path(value: t.Any) -> bool:
    return isinstance(value, str) and (
        bool(re.fullmatch(r"/[A-Za-z0-9._~+@/-]+", value)) or value.startswith("-----BEGIN ")
    )


def tls(value: t.Any) -> t.Any:
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
        f"the value is not valid. Write one of: {', '.join(TLS)}. Or write `{{certificate: …, key: …}}`, with two"
        " absolute paths on the front-end host, or with two PEM texts."
    )


def step(value: t.Any) -> dict[str, t.Any]:
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
            f"{show(value)} is not a valid step. Write a command line, or `{{run: …, once: true}}` for a step that"
            " runs on one host only."
        )
    return {"run": str(value["run"]), "once": value.get("once", False)}


_size = pattern(r"[1-9][0-9]{0,15}[KMGT]?", "a size such as 512M")
_LARGEST = 1 << 50


def size(value: t.Any) -> str:
    """Take a size that every server can count."""
    if parse_size(_size(value)) > _LARGEST:
        raise ValueError(f"{show(value)} is more than 1024T. Write a smaller size, such as 512M.")
    return str(value)


def memory(value: t.Any) -> str:
    """Take a size with which a Python process can start."""
    if parse_size(size(value)) < 16 << 20:
        raise ValueError(
            f"{show(value)} is less than 16M, which is too little to start an application. A size without a unit is in"
            " bytes. Write a size with a unit, such as 512M."
        )
    return str(value)


def network(value: t.Any) -> str:
    """Take an address or network, which becomes the form that every server reads."""
    try:
        found = ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise ValueError(
            f"{show(value)} is not an address or network. Write one such as 192.0.2.1 or 10.0.0.0/8."
        ) from None
    return str(found) if "/" in value else str(found.network_address)


def digest(value: t.Any) -> str:
    """Take the SHA-256 digest of a file."""
    if CHECKSUM.fullmatch(f"sha256:{value}"):
        raise ValueError(f"{show(value)} is a digest without its algorithm. Write `sha256:` before it.")
    if not CHECKSUM.fullmatch(str(value)):
        raise ValueError(f"{show(value)} is not valid. Write sha256: and 64 hexadecimal digits.")
    return str(value)


listening = pattern(
    r"((\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.*_-]+):)?[0-9]{1,5}",
    "a port, address:port or [address]:port",
)
