# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The certificates of a host's sites: each one is a folder with a chain and its key, and a link that leads there.

Private to the collection. Servers know the link alone, so whatever the certificate comes from is exchanged in one
step, and their configuration stays as it is.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import shutil
import ssl
import stat
import tempfile
import time
import typing as t
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .._errors import PyhostError
from .._fs import Node, replace, write
from .._layout import CHAIN, KEY
from .._lock import alone
from .._text import last_lines

LINEAGE = "pyhost_"
"""How the names of our certificates begin at certbot. No domain contains an underscore, so certbot gives no certificate
of the operator such a name by itself."""

NAME = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
"""A name is a file here and at certbot."""

LOCK_TIMEOUT = 600.0
"""Seconds; issuing the certificates of many sites takes minutes."""

NOT_LOADED = ".not_loaded"
"""Where certbot's hook notes that the server did not load what it has renewed."""

SELF_SIGNED_DAYS = 90
"""What Mozilla recommends for every certificate (guideline 6.0); at most 366 are allowed."""

STAND_IN_DAYS = 7

EXPOSED = (
    "Make root the owner of the file and of every folder and link on its path, and remove write permission for all"
    " others."
)
Run = Callable[[Sequence[str]], tuple[int, str]]
"""Runs a command; returns its status and its output."""


@dataclass(frozen=True)
class Wanted:
    """A certificate of a site; C(certificate) and C(key) are paths or PEM texts where the source is C(given)."""

    name: str
    domains: tuple[str, ...]
    source: str
    certificate: str = ""
    key: str = field(default="", repr=False)

    @property
    def inline(self) -> bool:
        """Whether the key itself is given, not where it is."""
        return not self.key.startswith("/")


@dataclass(frozen=True)
class Seen:
    """What a certificate says: its DNS names, and from when to when it is valid (seconds since the epoch)."""

    names: frozenset[str]
    begin: float
    end: float


@dataclass
class Outcome:
    """What was done, or in check mode would be, and how things are after that."""

    made: list[str] = field(default_factory=list)
    """Names that got another certificate."""
    removed: list[str] = field(default_factory=list)
    ready: list[str] = field(default_factory=list)
    """Names that have more than a stand-in."""
    digests: dict[str, str] = field(default_factory=dict)
    """What changes where the server has to load a certificate again; a renewal's hook lets it do that by itself."""
    units: dict[str, str] = field(default_factory=dict)
    """Units by what was done with them."""
    pending: bool = False
    """Whether there is something to issue or to remove."""
    failures: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Whether anything was done."""
        return bool(self.made or self.removed or self.units)


@dataclass(frozen=True)
class Acme:
    """The ACME server and our account there."""

    server: str = "https://acme-v02.api.letsencrypt.org/directory"
    email: str = ""


class Certbot:
    """certbot's certificates of ours, by the names of their sites; those of the operator have other names there."""

    def __init__(self, run: Run, acme: Acme, folder: Path, webroot: Path) -> None:
        self.run = run
        self.acme = acme
        self.folder = folder
        self.webroot = webroot

    def live(self, name: str) -> Path:
        """Return the folder with the newest chain and key."""
        return self.folder / "live" / f"{LINEAGE}{name}"

    def has(self, name: str) -> bool:
        """Whether certbot has such a certificate, and renews it."""
        return self._renewal(name).is_file()

    def server(self, name: str) -> str:
        """Return the ACME server that issued a certificate; empty where nothing says so."""
        text = self._renewal(name).read_text() if self.has(name) else ""
        found = re.search(r"^server = (\S+)$", text, re.MULTILINE)
        return found[1] if found else ""

    def issue(self, one: Wanted) -> tuple[int, str]:
        """Ask the ACME server; return certbot's status and output."""
        # Another server's certificate is no renewal.
        again = ["--force-renewal"] if self.server(one.name) not in ("", self.acme.server) else []
        # Every account of the host can read a command line.
        with tempfile.NamedTemporaryFile("w", prefix="pyhost-", suffix=".ini") as settings:
            settings.write(f"server = {self.acme.server}\n")
            settings.write(f"email = {self.acme.email}\n" if self.acme.email else "register-unsafely-without-email\n")
            settings.flush()
            return self.run(
                [
                    "certbot", "certonly", "--non-interactive", "--agree-tos", "--config", settings.name, "--webroot",
                    "--webroot-path", str(self.webroot), "--key-type", "ecdsa", "--cert-name", f"{LINEAGE}{one.name}",
                    "--keep-until-expiring", "--renew-with-new-domains", *again,
                    *(word for domain in one.domains for word in ("--domain", domain)),
                ]
            )  # fmt: skip

    def delete(self, name: str) -> str:
        """Delete a certificate; return certbot's words where it did not."""
        status, output = self.run(["certbot", "delete", "--non-interactive", "--cert-name", f"{LINEAGE}{name}"])
        return (output or f"status {status}") if status else ""

    def _renewal(self, name: str) -> Path:
        return self.folder / "renewal" / f"{LINEAGE}{name}.conf"


class Certificates:
    """The certificates below C(root)."""

    def __init__(
        self, run: Run, wanted: Sequence[Wanted], acme: Acme, check: bool = False, root: Path = Path("/")
    ) -> None:
        problems = list(_wrong(wanted, acme))
        if problems:
            raise PyhostError("\n".join(problems))
        self.run = run
        self.wanted = {one.name: one for one in wanted}
        self.acme = acme
        self.check = check
        self.folder = root / "etc/pyhost/tls"
        self.webroot = root / "var/lib/pyhost/.acme"
        self.certbot = Certbot(run, acme, root / "etc/letsencrypt", self.webroot)
        self.lock = root / "run/pyhost-certificates.lock"
        self.lock_timeout = LOCK_TIMEOUT
        self.foretold: dict[str, str] = {}
        """In check mode, where names would lead."""

    @contextlib.contextmanager
    def _alone(self) -> t.Iterator[None]:
        """Keep other runs out; check mode, which writes nothing, neither waits nor lets others wait."""
        if self.check:
            yield
            return
        with alone(self.lock, self.lock_timeout):
            yield

    # Before the server has them

    def prepare(self) -> Outcome:
        """Give every name a certificate that the server can begin with; raise PyhostError where that fails."""
        with self._alone():
            return self._prepare()

    def _prepare(self) -> Outcome:
        outcome = Outcome()
        problems = list(filter(None, map(self._complaint, self.wanted.values())))
        if problems:
            raise PyhostError("\n".join(problems))
        if any(one.source == "acme" for one in self.wanted.values()) and not self.check:
            self.webroot.mkdir(parents=True, exist_ok=True)
            self.webroot.chmod(0o755)
        for one in self.wanted.values():
            before = self._target(one.name)
            after = self._prepared(one, before)
            if after != before:
                outcome.made.append(one.name)
                self._lead(one.name, after)
        self._describe(outcome)
        outcome.pending = bool(self._to_issue() or self._left() or not self._renews())
        return outcome

    def _complaint(self, one: Wanted) -> str:
        """Return what is wrong with a certificate that is given."""
        if one.source != "given":
            return ""
        where = f"the certificate of {one.name}"
        if not one.inline:
            missing = [path for path in (one.certificate, one.key) if not Path(path).is_file()]
            # An earlier task may bring them.
            if missing:
                return (
                    ""
                    if self.check
                    else f"{where}: this host has no file {' and no file '.join(missing)}. Copy it there first."
                )
            for path in (one.certificate, one.key):
                exposed = _exposed(Path(path))
                if exposed:
                    return f"{where}: root reads {path}, but other accounts can change {exposed}. {EXPOSED}"
            return _mismatch(where, Path(one.certificate), Path(one.key))
        with tempfile.TemporaryDirectory(prefix="pyhost-") as folder:
            _give(one, Path(folder))
            return _mismatch(where, Path(folder, CHAIN), Path(folder, KEY))

    def _prepared(self, one: Wanted, before: str) -> str:
        """Return where the name's link shall lead; what is not there yet is made."""
        if one.source == "given":
            # What is in another file is another certificate.
            digest = hashlib.sha256(f"{one.certificate}\n{one.key}".encode()).hexdigest()[:16]
            return self._made(f".given/{one.name}.{digest}", lambda folder: _give(one, folder))
        if one.source == "self_signed":
            return self._self_signed(one, ".self_signed", before, SELF_SIGNED_DAYS)
        if self._live(one.name):
            return f".acme/{one.name}"
        if before and not before.startswith(".stand_in/") and self._look(self.folder / before):
            return before
        return self._self_signed(one, ".stand_in", before, STAND_IN_DAYS)

    def _self_signed(self, one: Wanted, kind: str, before: str, days: int) -> str:
        seen = self._look(self.folder / before) if before.startswith(f"{kind}/") else None
        if seen and seen.names == set(one.domains) and seen.end - time.time() > (seen.end - seen.begin) / 3:
            return before
        return self._made(
            f"{kind}/{one.name}.{secrets.token_hex(8)}", lambda folder: self._sign(one.domains, days, folder)
        )

    def _sign(self, domains: Sequence[str], days: int, folder: Path) -> None:
        # A common name has 64 characters at most; what counts are the others.
        subject = f"/CN={domains[0][:64]}"
        extensions = [
            f"subjectAltName={','.join(f'DNS:{domain}' for domain in domains)}",
            "basicConstraints=critical,CA:FALSE",
            "keyUsage=critical,digitalSignature",
            "extendedKeyUsage=serverAuth",
        ]
        command = [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-sha256",
            "-days", str(days), "-subj", subject, "-config", "/dev/null",
            "-keyout", str(folder / KEY), "-out", str(folder / CHAIN),
        ]  # fmt: skip
        status, output = self.run([*command, *(word for extension in extensions for word in ("-addext", extension))])
        if status:
            raise PyhostError(f"openssl created no certificate for {domains[0]}: {output}")
        (folder / KEY).chmod(0o600)

    def _made(self, target: str, fill: Callable[[Path], None]) -> str:
        """Make the folder of a certificate in one step, unless it is there."""
        folder = self.folder / target
        if folder.is_dir() or self.check:
            return target
        for parent in (self.folder, folder.parent):
            parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            parent.chmod(0o700)
        # The folders above them are for others too.
        self.folder.parent.chmod(0o755)
        new = folder.with_name(f".new.{folder.name}")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        fill(new)
        new.rename(folder)
        return target

    def _lead(self, name: str, target: str) -> None:
        """Let the name lead to another certificate, and remove those of ours that it has no use for."""
        if self.check:
            self.foretold[name] = target
            return
        replace(self.folder / name, Node(target.encode()))
        for kind in (".given", ".self_signed", ".stand_in"):
            for folder in self._folders(kind):
                if _owner(folder) == name and f"{kind}/{folder.name}" != target:
                    shutil.rmtree(folder)

    # When the server answers

    def issue(self) -> Outcome:
        """Have certificates issued, and remove what is left of names that are wanted no more.

        One that is not issued is among the C(failures) and leaves its site what it has.
        """
        with self._alone():
            return self._issue()

    def _issue(self) -> Outcome:
        outcome = Outcome()
        for one in self._to_issue():
            words = "" if self.check else self._ask(one)
            if words:
                temporary = self._target(one.name).startswith(".stand_in/")
                has = "a temporary self-signed certificate" if temporary else "its old certificate"
                outcome.failures.append(
                    f"{one.name}: {self.acme.server} issued no certificate for {', '.join(one.domains)}. The site uses"
                    f" {has}. certbot: {words}"
                )
            else:
                outcome.made.append(one.name)
                self._lead(one.name, f".acme/{one.name}")
        for name in self._left():
            outcome.removed.append(str(self.folder / name))
            words = "" if self.check else self._remove(name)
            if words:
                outcome.failures.append(f"{name}: certbot did not delete {LINEAGE}{name}: {words}")
        if not self._renews():
            outcome.units["certbot.timer"] = "start"
            status, output = (0, "") if self.check else self.run(["systemctl", "enable", "--now", "certbot.timer"])
            if status:
                outcome.failures.append(
                    f"certbot.timer could not be started, so certificates are not renewed: {output}"
                )
        self._describe(outcome)
        return outcome

    def _ask(self, one: Wanted) -> str:
        """Have a certificate issued; return certbot's words where it was not."""
        issued = f".acme/{one.name}"
        if self.certbot.has(one.name) and not (self.folder / issued).is_dir():
            return (
                f"a certificate {LINEAGE}{one.name} exists, and pyhost.web did not request it. Remove it with"
                f" `certbot delete --cert-name {LINEAGE}{one.name}`, and run again."
            )
        # Before certbot runs: an interrupted run must not leave a certificate that nobody knows to be ours.
        self._made(issued, lambda folder: _link_all(self.certbot.live(one.name), folder))
        status, output = self.certbot.issue(one)
        if status:
            return last_lines(output) or f"status {status}"
        seen = self._live(one.name)
        return (
            ""
            if seen and seen.names == set(one.domains)
            else f"it reported no error, but issued no certificate: {last_lines(output)}"
        )

    def _to_issue(self) -> list[Wanted]:
        """Return those that an ACME server has to issue, or issue for other names."""
        asked = [one for one in self.wanted.values() if one.source == "acme"]
        return [
            one
            for one in asked
            for seen in [self._live(one.name)]
            if not seen or seen.names != set(one.domains) or self.certbot.server(one.name) not in ("", self.acme.server)
        ]

    def _renews(self) -> bool:
        """Whether certbot's timer runs, where there is something to renew."""
        if all(one.source != "acme" for one in self.wanted.values()):
            return True
        status, _output = self.run(["systemctl", "is-active", "--quiet", "certbot.timer"])
        return status == 0 and self.run(["systemctl", "is-enabled", "--quiet", "certbot.timer"])[0] == 0

    def _left(self) -> list[str]:
        """Return names whose certificates nobody wants any more, or not from the ACME server."""
        links = {path.name for path in self._entries(self.folder) if path.is_symlink()}
        ours = {path.name for path in self._folders(".acme")}
        asked = {name for name, one in self.wanted.items() if one.source == "acme"}
        return sorted((links - set(self.wanted)) | (ours - asked))

    def _remove(self, name: str) -> str:
        """Remove a name; return certbot's words where it did not delete what would be renewed for ever, in vain."""
        issued = self.folder / ".acme" / name
        if issued.is_dir():
            words = self.certbot.delete(name) if self.certbot.has(name) else ""
            if words:
                return words
            shutil.rmtree(issued)
        if name not in self.wanted:
            (self.folder / name).unlink(missing_ok=True)
            for kind in (".given", ".self_signed", ".stand_in"):
                for folder in self._folders(kind):
                    if _owner(folder) == name:
                        shutil.rmtree(folder)
        return ""

    # Looking

    def _describe(self, outcome: Outcome) -> None:
        for name in self.wanted:
            target = self._target(name)
            kind = target.partition("/")[0]
            if kind and kind != ".stand_in":
                outcome.ready.append(name)
            seen = self._look(self.folder / target) if target else None
            if kind == ".acme" and seen:
                text = f"{kind} {' '.join(sorted(seen.names))}{self._not_loaded()}".encode()
            else:
                text = (self.folder / target / CHAIN).read_bytes() if seen else b""
            outcome.digests[name] = hashlib.sha256(text).hexdigest()

    def _not_loaded(self) -> str:
        """Return when the hook of a renewal has failed to have the server load it; empty where it never has."""
        path = self.folder / NOT_LOADED
        return path.read_text() if path.is_file() else ""

    def _live(self, name: str) -> Seen | None:
        """Return what the certificate says that the ACME server issued to us; others of certbot do not count."""
        return self._look(self.folder / ".acme" / name)

    def _look(self, folder: Path) -> Seen | None:
        """Return what the certificate in a folder says; None where there is none that a server could load."""
        if not (folder / CHAIN).is_file() or _mismatch("", folder / CHAIN, folder / KEY):
            return None
        command = ["openssl", "x509", "-in", str(folder / CHAIN), "-noout", "-dates", "-ext", "subjectAltName"]
        status, output = self.run(command)
        dates = dict(re.findall(r"^(notBefore|notAfter)=(.+)$", output, re.MULTILINE))
        if status or len(dates) < 2:
            return None
        begin, end = (float(ssl.cert_time_to_seconds(dates[date])) for date in ("notBefore", "notAfter"))
        return Seen(frozenset(re.findall(r"DNS:([^,\s]+)", output)), begin, end)

    def _target(self, name: str) -> str:
        """Return where a name leads, or in check mode would lead; empty where it does not."""
        if name in self.foretold:
            return self.foretold[name]
        link = self.folder / name
        return str(link.readlink()) if link.is_symlink() else ""

    def _folders(self, kind: str) -> list[Path]:
        return [path for path in self._entries(self.folder / kind) if not path.name.startswith(".new.")]

    @staticmethod
    def _entries(folder: Path) -> list[Path]:
        return sorted(folder.iterdir()) if folder.is_dir() else []


def _wrong(wanted: Sequence[Wanted], acme: Acme) -> t.Iterator[str]:
    """Yield what is wrong with the names, which become files, and with what goes into certbot's settings."""
    names = [one.name for one in wanted]
    for name in sorted(set(names)):
        if not re.fullmatch(NAME, name):
            yield f"{name!r} is not a valid name of a certificate. Use letters, digits, '.', '-' and '_'."
        if names.count(name) > 1:
            yield f"{names.count(name)} certificates have the name {name}. Give each one its own name."
    for option, value in (("acme_server", acme.server), ("acme_email", acme.email)):
        if re.search(r"\s", value):
            yield f"{option}: {value!r} contains white space. Remove it."


def _exposed(path: Path) -> Path | None:
    """Return the file, folder or link on the way to what an absolute path leads to that others than root may change."""
    here, names = Path("/"), list(path.parts[:0:-1])
    while names:
        name = names.pop()
        here = here.parent if name == ".." else here / name
        seen = here.lstat()
        is_link = stat.S_ISLNK(seen.st_mode)
        # In a folder with the sticky bit nobody replaces what belongs to another.
        shared = not is_link and not (stat.S_ISDIR(seen.st_mode) and seen.st_mode & stat.S_ISVTX)
        writers = stat.S_IWOTH | (stat.S_IWGRP if seen.st_gid else 0)
        if seen.st_uid not in (0, os.geteuid()) or (shared and seen.st_mode & writers):
            return here
        if is_link:
            target = here.readlink()
            here = Path("/") if target.is_absolute() else here.parent
            names += [name for name in target.parts[::-1] if name != "/"]
    return None


def _mismatch(where: str, chain: Path, key: Path) -> str:
    """Return why no server could load the pair; empty where one can."""
    try:
        # Without a password it would ask for one.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(chain, key, password=lambda: "")
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
        return (
            f"{where}: the certificate and its key cannot be loaded ({reason}). Provide both in PEM form: the"
            " certificate followed by its chain, and its key without a password."
        )
    return ""


def _give(one: Wanted, folder: Path) -> None:
    for name, text in ((CHAIN, one.certificate), (KEY, one.key)):
        if one.inline:
            write(folder / name, Node((text if text.endswith("\n") else f"{text}\n").encode(), 0o600))
        else:
            (folder / name).symlink_to(text)


def _link_all(live: Path, folder: Path) -> None:
    for name in (CHAIN, KEY):
        (folder / name).symlink_to(live / name)


def _owner(folder: Path) -> str:
    """Return the name that a folder of ours was made for."""
    return folder.name.rpartition(".")[0]


def wanted_of(certificates: Iterable[t.Mapping[str, t.Any]]) -> list[Wanted]:
    """Return what the module's option asks for."""
    return [
        Wanted(one["name"], tuple(one["domains"]), one["source"], one["certificate"], one["key"])
        for one in certificates
    ]
