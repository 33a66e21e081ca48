# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Users and passwords in addresses reach git, pip and uv by files: these programs put addresses into arguments.

Every account of a host can read the arguments of every process.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_LOGIN = re.compile(r"(?P<scheme>(?:git\+)?(?:https?|ftps?)://)(?P<user>[^/?#\s]*)@(?P<host>[^/?#\s@]+)", re.IGNORECASE)
# A password with a character that ends the host in an address; a number or a variable there is a port.
_CUT = re.compile(r"://[^/?#\s:@\[\]]*:(?!\d*[/?#]|\$\{)[^/?#\s@]*[/?#]\S*@")
# A scheme of which no login is taken out; a user alone, as in git+ssh://git@HOST, is no secret.
_OTHER = re.compile(r"://[^/?#\s:@]*:[^/?#\s]*@")
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")

# A program whose proxy has a password gets it from the environment; pip hands this one on as an argument.
_PIP_PROXY = "PIP_PROXY"


@dataclass(frozen=True)
class Login:
    """A user and a password, as a server gets them, for `address` (scheme, host and port)."""

    address: str
    user: str
    password: str
    is_git: bool = False

    @property
    def host(self) -> str:
        """The host, as a netrc file names it."""
        return urllib.parse.urlsplit(self.address).hostname or ""


def take_out(text: str, env: Mapping[str, str] | None = None) -> tuple[str, list[Login]]:
    """Return a text whose addresses have no login, and the logins that they had.

    Variables of `env` may stand in a login, as pip allows it.
    """
    found: list[Login] = []

    def without(match: re.Match[str]) -> str:
        login = _VARIABLE.sub(lambda name: (env or {}).get(name[1], name[0]), match["user"])
        user, _colon, password = login.partition(":")
        # git knows no other spelling.
        given = match["scheme"].lower()
        scheme = given.removeprefix("git+")
        found.append(
            Login(
                scheme + match["host"],
                urllib.parse.unquote(user),
                urllib.parse.unquote(password),
                scheme != given,
            )
        )
        return given + match["host"]

    return _LOGIN.sub(without, text), found


def left_in(text: str) -> str:
    """Return why a text still has a password after `take_out`; empty where it has none."""
    left = take_out(text)[0]
    if _CUT.search(left):
        return "a password in a URL contains /, ? or #. Write / as %2F, ? as %3F and # as %23."
    if _OTHER.search(left):
        return (
            "a URL contains a password, which every account of the host could read. Remove it. Only http, https, ftp"
            " and ftps URLs may contain one."
        )
    return ""


def is_setting(name: str) -> bool:
    """Whether a variable is a setting of pip or uv."""
    return name.startswith(("PIP_", "UV_"))


def of_installers(env: Mapping[str, str]) -> tuple[dict[str, str], list[Login]]:
    """Return an environment in which the settings of pip and uv have no login, and the logins that they had."""
    kept, logins = dict(env), []
    if "@" in kept.get(_PIP_PROXY, ""):
        proxy = kept.pop(_PIP_PROXY)
        kept = {"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy, **kept}
    for name, value in kept.items():
        if is_setting(name):
            kept[name], found = take_out(value)
            logins += found
    return kept, logins


def problems(logins: Iterable[Login]) -> list[str]:
    """Return which logins cannot be handed over."""
    found: dict[str, str] = {}
    seen: dict[tuple[bool, str], Login] = {}
    for login in logins:
        first = seen.setdefault((login.is_git, login.host), login)
        if (first.user, first.password) != (login.user, login.password):
            found[login.host] = (
                f"requirements and build_env have two logins for {login.host}. Use the same one for both."
            )
        if re.search(r"[\0-\x1f\x7f]", login.user + login.password):
            found[login.host] = f"the login for {login.host} contains control characters. Remove them."
    return sorted(found.values())


def netrc(logins: Iterable[Login]) -> str:
    """Return the text of a netrc file, which pip and uv read."""

    def quoted(text: str) -> str:
        return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'

    return "".join(
        f"machine {login.host}\nlogin {quoted(login.user)}\npassword {quoted(login.password)}\n"
        for login in dict.fromkeys(logins)
    )


def git_config(logins: Iterable[Login]) -> tuple[str, dict[str, str]]:
    """Return a configuration of git, which has no secret in it, and the environment from which it takes them."""
    text = ""
    env: dict[str, str] = {}
    for number, login in enumerate(dict.fromkeys(logins)):
        user, password = f"PYHOST_USER_{number}", f"PYHOST_PASSWORD_{number}"
        env |= {user: login.user, password: login.password}
        helper = rf"printf 'username=%s\\npassword=%s\\n' \"${user}\" \"${password}\""
        text += f'[credential "{login.address}"]\n\thelper = "!f() {{ {helper}; }}; f"\n'
    return text, env
