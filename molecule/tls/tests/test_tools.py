"""What independent tools say of the front ends, to whom nobody has told how they are configured."""

from __future__ import annotations

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from testinfra.host import Host

from tests.support.certificates import ACME, WEB, release
from tests.support.visitor import address

TOP = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
# The profile "intermediate" of https://ssl-config.mozilla.org/guidelines/6.0.json, as sslyze reads it.
INTERMEDIATE = TOP / "tests/support/mozilla-6.0-intermediate.json"
AUTHORITY = "/etc/pebble/ca.pem"

# Of testssl.sh's checks, those that its grade needs and all of vulnerabilities.
CHECKS = "--protocols --std --fs --server-preference --server-defaults --headers --vulnerable"


def test_sslyze_finds_all_as_mozilla_wants_it(front_end: str, tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text(ACME.file(AUTHORITY).content_string)
    words = [TOP / ".cache/scanners/sslyze/bin/python", "-m", "sslyze", "--certinfo_ca_file", authority]
    words += ["--custom_tls_config", INTERMEDIATE]
    done = subprocess.run(
        [*words, *(f"own.example:443{{{address(host)}}}" for host in WEB)],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.stdout.count("own.example:443: OK - Compliant.") == len(WEB), done.stdout + done.stderr
    assert done.returncode == 0


def _report(front_end: str, host: Host) -> list[dict[str, str]]:
    report = f"/root/{front_end}-{release(host)}.json"
    options = f"--quiet --color 0 --warnings off --add-ca {AUTHORITY} --ip {address(host)} --jsonfile {report}"
    # Its status is the number of its findings.
    ACME.run(f"rm -f {report}; testssl {options} {CHECKS} own.example:443")
    findings: list[dict[str, str]] = json.loads(ACME.file(report).content_string)
    return findings


@pytest.fixture(scope="module")
def reports(front_end: str) -> dict[str, list[dict[str, str]]]:
    """What testssl.sh reports of each release, both asked at once."""
    with ThreadPoolExecutor() as pool:
        return dict(zip(map(release, WEB), pool.map(lambda host: _report(front_end, host), WEB), strict=True))


def test_testssl_gives_its_best_grade_and_finds_nothing(
    front_end: str, host: Host, reports: dict[str, list[dict[str, str]]]
) -> None:
    findings = reports[release(host)]
    (grade,) = (found["finding"] for found in findings if found["id"] == "overall_grade")
    assert grade == "A+"
    wrong = {found["id"] for found in findings if found["severity"] in ("LOW", "MEDIUM", "HIGH", "CRITICAL")}
    # The test's own authority takes nothing back, and no public name server knows the name.
    assert wrong == {"cert_revocation", "DNS_CAArecord"}
