# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Looking at what a run will read on the controller, before any host is connected to."""

from __future__ import annotations

import contextlib
import datetime
import typing as t
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from ..module_utils._contents import file_digest, wrong_checksum
from ._keys.key import Problem
from ._model.inventory import Needed, Pair
from ._source_folder import FolderError, find, source

# ansible-core requires it, but ansible-test imports plugins without what ansible-core requires.
with contextlib.suppress(ImportError):
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

Folders = Callable[[str], Sequence[Path]]
"""Returns where relative paths of a host begin."""


def file_problems(needed: Iterable[Needed], folders: Folders) -> Iterator[Problem]:
    """Yield what is wrong with files and folders; each is looked at once, whatever the number of hosts."""
    seen: dict[tuple[Path, bool, str], str] = {}
    for one in needed:
        try:
            path = find(one.origin, folders(one.host))
        except FolderError as error:
            yield Problem(one.path, str(error))
            continue
        key = (path, one.is_folder, one.checksum)
        if key not in seen:
            seen[key] = _complaint(path, one)
        if seen[key]:
            yield Problem(one.path, seen[key])


def _complaint(path: Path, one: Needed) -> str:
    """Return what is wrong with a file or folder that is there; empty where all is well."""
    try:
        if one.is_folder:
            if not path.is_dir():
                return f"{path} is a file. Write the folder that holds the code, or use `archive`."
            source(path)
            return ""
        if path.is_dir():
            return f"{path} is a folder. Write the path of a file."
        with path.open("rb"):
            digest = f"sha256:{file_digest(path)}" if one.checksum else ""
    except FolderError as error:
        return f"{path}: {error}"
    except OSError as error:
        return f"{error.filename or path} cannot be read: {error.strerror}. Check its permissions."
    if one.checksum and digest != one.checksum:
        return wrong_checksum(path, digest, one.checksum)
    return ""


def pair_problems(pairs: Iterable[Pair], warn: Callable[[str], None]) -> Iterator[Problem]:
    """Yield certificates and keys that no server could load; ``warn`` gets what visitors would be warned of."""
    for one in dict.fromkeys(pairs):
        certificate, key = _certificate(one.certificate), _public_key(one.key)
        if certificate is None:
            yield Problem(f"{one.path}.certificate", "this is not a certificate in PEM form. Check the text.")
        if not key:
            yield Problem(
                f"{one.path}.key",
                "this is not a private key in PEM form, or it has a password. Write a PEM key without a password.",
            )
        if certificate and key:
            if _encoded(certificate.public_key()) != key:
                yield Problem(
                    f"{one.path}.key",
                    "this key does not belong to the first certificate in `certificate`. Write the site's certificate"
                    " first, those of its issuers after it, and here the key of the site's certificate.",
                )
            for doubt in _doubts(certificate, one.domains):
                warn(f"{one.path}.certificate: {doubt}")


def _certificate(text: str) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(text.encode())
    except ValueError:
        return None


def _public_key(text: str) -> bytes:
    try:
        return _encoded(serialization.load_pem_private_key(text.encode(), None).public_key())
    except (ValueError, TypeError):
        return b""


def _encoded(key: t.Any) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return bytes(key.public_bytes(serialization.Encoding.DER, form))


def _doubts(certificate: x509.Certificate, domains: Sequence[str]) -> Iterator[str]:
    """Yield why browsers would warn of a certificate."""
    end = certificate.not_valid_after_utc
    if end < datetime.datetime.now(datetime.UTC):
        yield f"the certificate expired on {end:%Y-%m-%d}, so browsers warn visitors. Replace it."
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        covered = {name.lower() for name in names.get_values_for_type(x509.DNSName)}
    except x509.ExtensionNotFound:
        covered = set()
    missing = [name for name in domains if not {name, f"*.{name.partition('.')[2]}"} & covered]
    if missing:
        yield f"the certificate does not cover {', '.join(missing)}, so browsers warn visitors. Replace it."
