# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Cherokee needs of a site beside what every front end needs, and what it cannot publish.

Its configuration is a tree of numbered nodes, of which the higher number is tried first.
"""

from __future__ import annotations

import hashlib
import itertools
import posixpath
import re
import typing as t
from collections.abc import Iterator, Mapping

from .._keys import checks
from .._keys.key import Key
from .server import FrontEndServer, Item, Origin, Refusal, mounts

_ADVICE = (
    "Debian does not package Cherokee. Set frontend_cherokee_archive to an archive of an installed Cherokee,"
    " frontend_cherokee_deb to a package, or frontend_cherokee_packages to its name in a repository of the host. If"
    " Cherokee is installed already, set frontend_cherokee_prefix to its folder."
)

# Node 1 answers what no other site does. Both kinds of numbers have to stay below 2**31.
_FIRST, _NUMBERS, _SOURCES = 10, 2 * 10**6, 1000

# Cherokee cannot change a request, but refuse it by an expression that fits its head; the request line comes first.
_LINE, _NAME_ENDS, _LINE_ENDS = r"[^\r\n]+\r?\n", r"[ \t]*:", r"[ \t]*[\r\n]"
_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_HEADER = rf"(?i)\A(?:{_LINE})+?"
_REFUSED = (
    (r"(?i)\ATRACE ", 405, "The answer would contain what a proxy has added."),
    (
        r"(?i)\A[^ ]+ [^ ?\r\n]*%(?:00|(?![0-9a-f]{2}))",
        400,
        "A wrong encoding would reach the application as another path.",
    ),
    (
        rf"{_HEADER}(?:proxy|forwarded|x-real-ip|x-forwarded-[a-z]+|[^:\r\n]*_[^:\r\n]*){_NAME_ENDS}",
        400,
        "Only a proxy may send these headers, or names that look like them to applications.",
    ),
    (rf"{_HEADER}transfer-encoding{_NAME_ENDS}", 411, "Applications would not get the body."),
    (rf"{_HEADER}content-length{_NAME_ENDS}(?![ \t]*[0-9]+{_LINE_ENDS})", 400, "A length must be a number."),
    (rf"\A(?:{_LINE})+?(?!{_NAME}{_NAME_ENDS})[^\r\n]", 400, "Other servers might read such a line as another header."),
    *(
        (
            rf"{_HEADER}{name}{_NAME_ENDS}{_LINE}(?:{_LINE})*?{name}{_NAME_ENDS}",
            400,
            "Servers would choose different ones.",
        )
        for name in ("host", "content-length")
    ),
)


def _complete(sites: list[Item]) -> None:
    taken: set[int] = set()
    for site in sites:
        site["host_regexes"] = [rf"^{re.escape(name)}(?::[0-9]+)?$" for name in site["names"]] + site["wildcards"]
        site["number"] = 1 if site["default"] else _number(site["name"], taken)
        site["refused"] = [
            {"number": 99990 + number, "regex": regex, "status": status, "why": why}
            for number, (regex, status, why) in enumerate(_REFUSED)
        ]
        # A mount is one node, with its mount point.
        site["locations"] = [each for each in site["locations"] if each["kind"] != "mount" or each["folder"]]
        for number, location in enumerate(reversed(site["locations"]), 1):
            location["number"] = number
            location["url_folder"] = posixpath.dirname(location["url"])
        sources = itertools.count(site["number"] * _SOURCES)
        for mount in site["mounts"]:
            mount["sources"] = [{"number": next(sources), "endpoint": endpoint} for endpoint in mount["endpoints"]]
            mount["site"] = {"name": site["name"], "number": site["number"]}
            mount["over_limit"] = rf"{_HEADER}content-length{_NAME_ENDS}[ \t]*{_more_than(mount['body'])}{_LINE_ENDS}"
            mount["lines"] = [line for line in map(str.strip, mount["extra"].splitlines()) if line and line[0] != "#"]


def _derive(front_end: Item) -> Item:
    return {
        "extras": [mount for site in front_end["sites"] for mount in site["mounts"] if mount["lines"]],
        "advice": _ADVICE,
        "admin_units": ["cherokee-admin.service"] if front_end["admin"] else [],
    }


def _refuses(site: Mapping[str, t.Any]) -> Iterator[Refusal]:
    for mount in mounts(site):
        for url, file in mount["static"].items():
            if not url.endswith("/") and posixpath.basename(url) != posixpath.basename(file):
                yield Refusal(
                    mount["app"],
                    f"static.{url}",
                    "Cherokee can serve a file only under its own name, which is"
                    f" '{posixpath.basename(file)}'. Rename the file, or change the URL.",
                )


def _number(name: str, taken: set[int]) -> int:
    """Return a number that stays the same whatever other sites come and go."""
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    while (unique := _FIRST + number % _NUMBERS) in taken:
        number += 1
    taken.add(unique)
    return unique


def _more_than(limit: int) -> str:
    """Return a regular expression for the decimal numbers above ``limit``."""
    least = str(limit + 1)
    longer = [rf"[1-9][0-9]{{{len(least)},}}", least]
    higher = [
        f"{least[:place]}[{int(digit) + 1}-9][0-9]{{{len(least) - place - 1}}}"
        for place, digit in enumerate(least)
        if digit != "9"
    ]
    return f"0*(?:{'|'.join([*longer, *higher])})"


SERVER = FrontEndServer(
    variables=(
        Key(
            "frontend_cherokee_archive",
            "str",
            "Archive of an installed Cherokee: a file on the controller, or a URL. Only files below the prefix are"
            " used.",
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
            "Digest of the archive or package. Required for a URL.",
            check=checks.digest,
            example="sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        ),
        Key(
            "frontend_cherokee_packages",
            "list",
            "Packages from a repository of the host: Cherokee itself, or libraries that an archive needs.",
            default=[],
            elements="str",
            example=["cherokee"],
        ),
        Key(
            "frontend_cherokee_prefix",
            "str",
            "Folder for which the tree of the archive was built, or in which Cherokee is installed already.",
            default="/opt/cherokee",
            example="/srv/cherokee",
        ),
        Key(
            "frontend_cherokee_admin",
            "bool",
            "Whether to run Cherokee's administration page on 127.0.0.1:9090. It needs Python 2.7 on the host.",
            default=False,
            example=True,
        ),
        Key(
            "frontend_cherokee_connections",
            "int",
            "Maximum number of simultaneous connections to visitors.",
            default=8192,
            example=16384,
            check=checks.at_least(64, 1048576),
        ),
        Key(
            "frontend_cherokee_server_extra",
            "list",
            "Raw lines of Cherokee's configuration outside of any site.",
            default=[],
            elements="str",
            example=["server!thread_number = 8"],
        ),
    ),
    origin=Origin(
        files=("frontend_cherokee_archive", "frontend_cherokee_deb"),
        checksum="frontend_cherokee_checksum",
        others=("frontend_cherokee_packages", "frontend_cherokee_prefix"),
        advice=_ADVICE,
    ),
    refuses=_refuses,
    complete=_complete,
    derive=_derive,
)
