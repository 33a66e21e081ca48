"""What the role refuses before it changes anything: no Cherokee is needed to see that."""

from __future__ import annotations

import subprocess
import tarfile
import typing as t
from pathlib import Path

import pytest
from testinfra.host import Host

from tests.support.playbook import PLAIN, command
from tests.support.visitor import scenario_hosts

testinfra_hosts = scenario_hosts()

NOWHERE = "/srv/none"


def _run(host: Host, **variables: t.Any) -> str:
    """Run the role, which must fail and change nothing; return its output."""
    given = {"frontend_cherokee_prefix": NOWHERE, "frontend_cherokee_archive": "", **variables}
    run = subprocess.run(
        command([host], given, "role.yml"), capture_output=True, text=True, check=False, timeout=120, env=PLAIN
    )
    said = run.stdout + run.stderr
    assert run.returncode == 2, said
    assert " changed=0 " in said
    return said


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """An archive of a tree that was made for another folder."""
    program = tmp_path / "cherokee"
    program.write_text("#!/bin/sh\n")
    archive = tmp_path / "tree.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(program, "opt/elsewhere/sbin/cherokee")
    return archive


def test_no_source_at_all(host: Host) -> None:
    said = _run(host)
    assert "Debian does not package Cherokee. Set frontend_cherokee_archive to" in said


def test_archive_that_does_not_exist(host: Host) -> None:
    assert "'none.tar.gz' does not exist on the controller" in _run(host, frontend_cherokee_archive="none.tar.gz")


def test_wrong_checksum(host: Host, tree: Path) -> None:
    said = _run(host, frontend_cherokee_archive=str(tree), frontend_cherokee_checksum=f"sha256:{'0' * 64}")
    assert f"checksum: {tree} has the checksum sha256:" in said


def test_url_without_checksum(host: Host) -> None:
    said = _run(host, frontend_cherokee_archive="https://example.org/cherokee.tar.gz")
    assert "checksum: a value is required, as https://example.org/cherokee.tar.gz will run as root" in said


def test_archive_and_package(host: Host, tree: Path) -> None:
    said = _run(host, frontend_cherokee_archive=str(tree), frontend_cherokee_deb="cherokee.deb")
    assert "archive and deb are both given. Remove one of them." in said


def test_tree_for_another_folder(host: Host, tree: Path) -> None:
    said = _run(host, frontend_cherokee_archive=str(tree))
    assert f"{tree} has no srv/none/sbin/cherokee" in said
    assert not host.file(NOWHERE).exists


def test_administration_page_without_python_2(host: Host, tree: Path) -> None:
    said = _run(host, frontend_cherokee_archive=str(tree), frontend_cherokee_admin=True)
    assert "the administration page needs Python 2.7, which Debian 12 and 13 do not have" in said
