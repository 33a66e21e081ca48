# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a server adds to its row in the catalog, and where it is found: each file of this folder is one server's."""

from __future__ import annotations

import importlib
import typing as t
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .._keys.key import Key

Item = dict[str, t.Any]

Fact = t.TypeVar("Fact")

CURVES = {"12": "X25519:prime256v1:secp384r1", "13": "X25519MLKEM768:X25519:prime256v1:secp384r1"}
"""Curves of Mozilla's guideline that OpenSSL knows, by Debian's release."""


def on_release(facts: Mapping[str, Fact], debian: str | None) -> Fact:
    """Return what is so on a release of Debian; one that the facts do not have is like the newest of them."""
    return facts.get(debian or "", facts[max(facts, key=int)])


@dataclass(frozen=True)
class Refusal:
    """What a server gets wrong of a site: the application, the key below its mount, and a sentence."""

    app: str
    key: str
    message: str


@dataclass(frozen=True)
class Origin:
    """Variables of a role that say where a server comes from which Debian does not package."""

    files: tuple[str, ...]
    """Each names a file on the controller, or a URL; at most one of them is set."""
    checksum: str
    """The digest of that file; a URL needs it."""
    others: tuple[str, ...]
    """With one of these, the host has the server, or gets it from a repository."""
    advice: str
    """What to do where none of them is set."""


@dataclass(frozen=True)
class FrontEndServer:
    """What only this front end has."""

    packages: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Packages by what needs them: ``always``, a protocol, ``tls`` or ``acme``."""
    variables: tuple[Key, ...] = ()
    """Variables of its role."""
    origin: Origin | None = None
    """Where it comes from, if Debian does not have it."""
    answers_unknown_names: bool = False
    """Whether it completes a TLS handshake for a name of no site before it rejects the request."""
    refuses: Callable[[Mapping[str, t.Any]], Iterable[Refusal]] = lambda _site: ()
    """What it would get wrong of a site whose keys are all right."""
    complete: Callable[[list[Item]], None] = lambda _sites: None
    """Adds what its templates print to completed sites."""
    derive: Callable[[Item], Item] = lambda _front_end: {}
    """Returns what its templates print beside what all front ends have, of which it is given the whole."""


@dataclass(frozen=True)
class BackEndServer:
    """What only this back end has."""

    keys: tuple[Key, ...] = ()
    """Keys of an item of its role's list."""
    derive: Callable[[Item], Item] = lambda _item: {}
    """Returns what its templates print of a completed item."""


def front_end(name: str) -> FrontEndServer:
    """Return the front end of that name in the catalog."""
    return t.cast(FrontEndServer, importlib.import_module(f".{name}", __package__).SERVER)


def back_end(name: str) -> BackEndServer:
    """Return the back end of that name in the catalog."""
    return t.cast(BackEndServer, importlib.import_module(f".{name}", __package__).SERVER)


def mounts(site: Mapping[str, t.Any]) -> Sequence[Mapping[str, t.Any]]:
    """Return the applications of a site."""
    return t.cast(Sequence[Mapping[str, t.Any]], site["mounts"])
