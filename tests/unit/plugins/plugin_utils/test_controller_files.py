"""What a run reads on the controller is looked at before any host: files, folders, digests, certificates and keys."""

from __future__ import annotations

import datetime
import hashlib
from pathlib import Path

import pytest
from ansible_collections.pyhost.web.plugins.plugin_utils._controller_files import file_problems, pair_problems
from ansible_collections.pyhost.web.plugins.plugin_utils._model.inventory import Needed, Pair
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

NOW = datetime.datetime.now(datetime.UTC)
PLAIN = serialization.NoEncryption()


def _told(folder: Path, *needed: Needed) -> list[str]:
    return list(map(str, file_problems(needed, lambda _host: [folder])))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "app.py").write_text("")
    (tmp_path / "shop.tgz").write_text("archive")
    (tmp_path / "leads").mkdir()
    (tmp_path / "leads" / "out").symlink_to("/etc/passwd")
    return tmp_path


def test_what_is_there_is_no_problem_and_read_once(folder: Path) -> None:
    digest = f"sha256:{hashlib.sha256(b'archive').hexdigest()}"
    needed = [
        one
        for host in ("one", "two")
        for one in (Needed("a", host, "code", is_folder=True), Needed("b", host, "./shop.tgz", checksum=digest))
    ]
    assert _told(folder, *needed) == []


@pytest.mark.parametrize(
    ("origin", "is_folder", "checksum", "told"),
    [
        ("none", True, "", "p: 'none' does not exist on the controller"),
        ("none.tgz", False, "", "p: 'none.tgz' does not exist on the controller"),
        (
            "shop.tgz",
            True,
            "",
            "p: {folder}/shop.tgz is a file. Write the folder that holds the code, or use `archive`.",
        ),
        ("code", False, "", "p: {folder}/code is a folder. Write the path of a file."),
        ("shop.tgz", False, f"sha256:{'0' * 64}", "p: {folder}/shop.tgz has the checksum sha256:"),
        ("leads", True, "", "p: {folder}/leads: the link 'out' leads out of the folder"),
    ],
)
def test_what_is_wrong_is_told(folder: Path, origin: str, is_folder: bool, checksum: str, told: str) -> None:
    (problem,) = _told(folder, Needed("p", "one", origin, is_folder=is_folder, checksum=checksum))
    assert problem.startswith(told.format(folder=folder)), problem


def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _pem(key: ec.EllipticCurvePrivateKey, encryption: serialization.KeySerializationEncryption = PLAIN) -> str:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, encryption).decode()


def _certificate(key: ec.EllipticCurvePrivateKey, *names: str, days: int = 9) -> str:
    subject = x509.Name([])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 5)
    builder = builder.not_valid_before(NOW - datetime.timedelta(99)).not_valid_after(NOW + datetime.timedelta(days))
    builder = builder.add_extension(x509.SubjectAlternativeName(list(map(x509.DNSName, names))), critical=True)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def _seen(certificate: str, key: str, *domains: str) -> tuple[list[str], list[str]]:
    warned: list[str] = []
    return list(map(str, pair_problems([Pair("p.tls", domains, certificate, key)], warned.append))), warned


def test_a_pair_that_visitors_accept() -> None:
    key = _key()
    certificate = _certificate(key, "a.example", "*.b.example")
    assert _seen(certificate + _certificate(_key(), "ca"), _pem(key), "a.example", "x.b.example") == ([], [])


def test_pairs_that_no_server_could_load() -> None:
    key, other = _key(), _key()
    certificate = _certificate(key, "a.example")
    assert _seen(certificate, _pem(other), "a.example")[0] == [
        "p.tls.key: this key does not belong to the first certificate in `certificate`. Write the site's certificate"
        " first, those of its issuers after it, and here the key of the site's certificate."
    ]
    secret = _pem(key, serialization.BestAvailableEncryption(b"x"))
    for bad in (secret, certificate, "-----BEGIN PRIVATE KEY-----\nhunter2\n"):
        (problem,), _warned = _seen(certificate, bad, "a.example")
        assert problem.startswith(
            "p.tls.key: this is not a private key in PEM form, or it has a password. Write a PEM key"
        )
    (problem,), _warned = _seen("-----BEGIN CERTIFICATE-----\nx", _pem(key), "a.example")
    assert problem.startswith("p.tls.certificate: this is not a certificate")


def test_what_visitors_would_be_warned_of_stops_no_run() -> None:
    key = _key()
    problems, warned = _seen(_certificate(key, "a.example", days=-1), _pem(key), "a.example", "b.example")
    assert problems == []
    assert [text.split(" ")[3] for text in warned] == ["expired", "does"]
    assert "does not cover b.example, " in warned[1]
