# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module C(server_archive) with trees of shell scripts in the place of a server."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import subprocess
import tarfile
import tempfile
import typing as t
import zipfile
from pathlib import Path

import pytest
from ansible_collections.pyhost.web.plugins.module_utils._errors import PyhostError
from ansible_collections.pyhost.web.plugins.module_utils._packages.archive import Installation, Wish, error
from hypothesis import given, settings
from hypothesis import strategies as st


class FakePackages:
    """What apt would do, noted down."""

    installed: t.ClassVar[list[str]] = []

    def __init__(self, names: list[str]) -> None:
        self.names = names

    def missing(self) -> list[str]:
        return [name for name in self.names if name not in self.installed]

    def install(self, names: list[str]) -> list[str]:
        self.installed.extend(names)
        return []


@pytest.fixture(autouse=True)
def no_packages() -> None:
    FakePackages.installed.clear()


def run(command: list[str]) -> tuple[int, str, str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


class World:
    """A host below a folder: its prefix is opt/server there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.prefix = root / "opt" / "server"

    def archive(self, version: str, prefix: Path | None = None, says: str = "Server") -> Path:
        """Return an archive of a tree of that version, with a configuration beside it."""
        tree = self.root / f"tree-{version}"
        tree.mkdir()
        for name in ("server", "server-worker"):
            (tree / name).write_text(f"#!/bin/sh\necho {says} {version}\nexit 3\n")
            (tree / name).chmod(0o700)
        file = self.root / f"{version}.tar.gz"
        with tarfile.open(file, "w:gz") as tar:
            for name in ("server", "server-worker"):
                tar.add(tree / name, f"{str(prefix or self.prefix)[1:]}/sbin/{name}")
            tar.add(tree / "server", "etc/server/server.conf")
        return file

    def installation(self, archive: Path | None = None, **wish: t.Any) -> Installation:
        digest = hashlib.sha256(archive.read_bytes()).hexdigest() if archive else None
        wanted = Wish(
            program="server",
            version_command=["server-worker", "-V"],
            minimum="1.2.10",
            advice="give a server",
            prefix=self.prefix,
            packages=[],
            places=[str(self.root / "usr" / "sbin")],
            needs={},
            archive=str(archive) if archive else None,
            digest=digest,
        )
        marks = self.root / "marks"
        return Installation(dataclasses.replace(wanted, **wish), run, t.cast(t.Any, FakePackages), marks)

    def install(self, archive: Path, **wish: t.Any) -> Installation:
        there = self.installation(archive, **wish)
        there.reject()
        there.recover()
        assert there.needs_origin()
        there.verify(archive)
        there.install(there.missing_packages(), archive)
        return there

    def left_over(self) -> list[str]:
        return sorted(path.name for path in self.prefix.parent.iterdir() if path != self.prefix)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_tree_is_installed_without_what_is_beside_it(world: World) -> None:
    there = world.install(world.archive("1.2.104"))
    assert there.program() == world.prefix / "sbin" / "server"
    assert there.version() == "1.2.104"
    assert not there.needs_origin()
    assert not (world.root / "etc").exists()
    assert world.left_over() == []
    # It was packed for its owner only.
    assert (world.prefix / "sbin" / "server").stat().st_mode & 0o777 == 0o755


def test_another_archive_takes_the_place_of_the_old_tree(world: World) -> None:
    world.install(world.archive("1.2.104"))
    (world.prefix / "old").touch()
    assert world.install(world.archive("1.3")).version() == "1.3"
    assert not (world.prefix / "old").exists()
    assert world.left_over() == []


@pytest.mark.parametrize(("version", "says"), [("1.2.9", "Server"), ("none", "broken")])
def test_the_old_tree_stays_where_the_new_one_will_not_do(world: World, version: str, says: str) -> None:
    world.install(world.archive("1.2.104"))
    with pytest.raises(PyhostError, match=r"version 1\.2\.9, but must have|does not run on this host: broken none"):
        world.install(world.archive(version, says=says))
    assert world.installation().version() == "1.2.104"
    assert world.left_over() == []


def test_a_first_tree_that_will_not_do_leaves_nothing(world: World) -> None:
    with pytest.raises(PyhostError, match=r"must have 1\.2\.10 or newer"):
        world.install(world.archive("1.2.9"))
    assert not world.prefix.exists()


@pytest.mark.parametrize("swapped", [False, True])
def test_an_interrupted_run_is_recovered(world: World, swapped: bool) -> None:
    world.install(world.archive("1.2.104"))
    new, old = (world.prefix.with_name(f"server.pyhost-{name}") for name in ("new", "old"))
    world.prefix.rename(old)
    new.mkdir()
    if swapped:
        new.rename(world.prefix)
        (world.prefix / "new").touch()
    world.installation().recover()
    assert (world.prefix / "new").exists() == swapped
    assert world.left_over() == []


def test_the_old_tree_comes_back_whatever_goes_wrong(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.install(world.archive("1.2.104"))

    def fails(_installation: Installation) -> t.NoReturn:
        raise ValueError("odd")

    with monkeypatch.context() as patch:
        patch.setattr(Installation, "version", fails)
        with pytest.raises(ValueError, match="odd"):
            world.install(world.archive("1.3"))
    assert world.installation().version() == "1.2.104"
    assert world.left_over() == []


@pytest.mark.parametrize("cut", [10, 100, -20])
def test_an_archive_that_is_cut_off_is_named(world: World, cut: int) -> None:
    archive = world.archive("1.2.104")
    archive.write_bytes(archive.read_bytes()[:cut])
    with pytest.raises(PyhostError, match=r"1\.2\.104\.tar\.gz cannot be unpacked"):
        world.install(archive)
    assert world.left_over() == []


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.sampled_from(["gz", "plain", "zip"]), st.integers(0, 5000), st.binary(min_size=1, max_size=8))
def test_any_damage_to_an_archive_is_named(kind: str, place: int, damage: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        archive = _archive(Path(folder), kind)
        data = archive.read_bytes()
        place %= len(data)
        archive.write_bytes(data[:place] + damage + data[place + len(damage) :])
        world = World(Path(folder))
        with contextlib.suppress(PyhostError):
            world.install(archive)
        assert world.left_over() == []


def _archive(folder: Path, kind: str) -> Path:
    """Return an archive of one file, as the wrong server that it is refused when it is whole."""
    file = folder / f"server.{kind}"
    (folder / "word").write_bytes(b"word " * 200)
    if kind == "zip":
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.write(folder / "word", "opt/word")
    else:
        with tarfile.open(file, "w:gz" if kind == "gz" else "w") as tar:
            tar.add(folder / "word", "opt/word")
    return file


def test_a_tree_for_another_folder_is_refused(world: World) -> None:
    with pytest.raises(PyhostError, match=r"has no .*opt/server/sbin/server\. Use an archive of a tree"):
        world.install(world.archive("1.2.104", prefix=Path("/srv/elsewhere")))
    assert world.left_over() == []


def test_somebody_elses_folder_is_not_replaced(world: World) -> None:
    world.prefix.mkdir(parents=True)
    with pytest.raises(PyhostError, match="exists, and this role did not install it from an archive"):
        world.install(world.archive("1.2.104"))


def test_an_installation_that_is_there_is_found(world: World) -> None:
    sbin = world.root / "usr" / "sbin"
    sbin.mkdir(parents=True)
    for name in ("server", "server-worker"):
        (sbin / name).write_text("#!/bin/sh\necho Server 1.2.104\n")
        (sbin / name).chmod(0o755)
    there = world.installation()
    there.reject()
    assert not there.needs_origin()
    assert (there.program(), there.version()) == (sbin / "server", "1.2.104")


def test_no_server_and_no_source(world: World) -> None:
    with pytest.raises(PyhostError, match=r"^give a server$"):
        world.installation().reject()
    world.installation(packages=["server"]).reject()


def test_packages_that_bring_no_server(world: World) -> None:
    there = world.installation(packages=["server"])
    assert there.missing_packages() == ["server"]
    there.install(["server"], None)
    assert FakePackages.installed == ["server"]
    with pytest.raises(PyhostError, match=r"server did not install /usr/sbin/server\. give a server"):
        there.version()


def test_a_deb_is_installed_once(world: World) -> None:
    deb = world.root / "server.deb"
    deb.write_text("content")
    digest = hashlib.sha256(b"content").hexdigest()
    there = world.installation(deb=str(deb), digest=digest)
    assert there.needs_origin()
    there.install([], deb)
    assert FakePackages.installed == [str(deb)]
    world.prefix.joinpath("sbin").mkdir(parents=True)
    (world.prefix / "sbin" / "server").touch(0o755)
    assert not there.needs_origin()
    assert world.installation(deb=str(deb), digest="another").needs_origin()


def test_another_file_than_the_wanted_one(world: World) -> None:
    archive = world.archive("1.2.104")
    there = world.installation(deb="https://example.org/server.deb", checksum=f"sha256:{'0' * 64}")
    with pytest.raises(PyhostError, match=r"checksum: https://example\.org/server\.deb has the checksum sha256:"):
        there.verify(archive)


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"archive": "https://example.org/a", "checksum": None}, "checksum: a value is required"),
        ({"archive": "a", "deb": "b"}, "archive and deb are both given"),
        ({"archive": "a", "checksum": "md5:0"}, "'md5:0' is not a digest. Write sha256:"),
    ],
)
def test_wishes_that_are_wrong(world: World, wish: dict[str, t.Any], words: str) -> None:
    (problem,) = dataclasses.replace(world.installation().wish, **wish).problems()
    assert words in problem


def test_a_program_that_is_needed_besides(world: World) -> None:
    with pytest.raises(PyhostError, match=r"^no such thing$"):
        world.installation(packages=["server"], needs={"server-needs-this": "no such thing"}).reject()


def test_a_message_shows_no_token() -> None:
    told = str(error("https://u:p@x@example.org/a.tgz?token=s3cr3t brought no server"))
    assert told == "https://********@example.org/a.tgz?******** brought no server"
