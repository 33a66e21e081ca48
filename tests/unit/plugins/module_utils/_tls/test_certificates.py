# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates below a folder: openssl is the real one, certbot a stand-in that issues what it is asked for."""

from __future__ import annotations

import fcntl
import os
import re
import stat
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.pyhost.web.plugins.module_utils._errors import PyhostError
from ansible_collections.pyhost.web.plugins.module_utils._layout import CHAIN, KEY
from ansible_collections.pyhost.web.plugins.module_utils._tls.certificates import (
    NOT_LOADED,
    Acme,
    Certificates,
    Outcome,
    Wanted,
)

DAY = 86400
SERVER = "https://acme.example/dir"


def self_signed(folder: Path, days: int, *names: str) -> None:
    """Make a pair of certbot's names."""
    folder.mkdir(parents=True)
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"]
    command += ["-config", "/dev/null", "-subj", "/CN=test", "-days", str(days)]
    command += ["-addext", f"subjectAltName={','.join(f'DNS:{name}' for name in names)}"]
    files = ["-keyout", str(folder / KEY), "-out", str(folder / CHAIN)]
    subprocess.run([*command, *files], check=True, capture_output=True)


class World:
    """A host, its certbot and its timer."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.tls = root / "etc/pyhost/tls"
        self.letsencrypt = root / "etc/letsencrypt"
        self.refuses: set[str] = set()
        self.timer = False
        self.calls: list[str] = []
        self.settings: list[str] = []
        (root / "run").mkdir()

    def run(self, command: Sequence[str]) -> tuple[int, str]:
        """Run what is real, and stand in for the rest."""
        if command[0] == "openssl":
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            return done.returncode, done.stdout + done.stderr
        self.calls.append(" ".join(command))
        if command[0] == "systemctl":
            self.timer = self.timer or "enable" in command
            return (0 if self.timer else 1), ""
        name = command[command.index("--cert-name") + 1]
        if command[1] == "delete":
            (self.letsencrypt / "renewal" / f"{name}.conf").unlink()
            return 0, ""
        settings = Path(command[command.index("--config") + 1])
        assert stat.S_IMODE(settings.stat().st_mode) == 0o600
        self.settings.append(settings.read_text())
        server = re.search(r"^server = (\S+)$", self.settings[-1], re.MULTILINE)
        assert server
        domains = [command[place + 1] for place, word in enumerate(command) if word == "--domain"]
        if self.refuses & set(domains):
            return 1, "Challenge failed for domain"
        self.issued(name, *domains, server=server[1])
        return 0, ""

    def issued(self, name: str, *domains: str, server: str = SERVER) -> None:
        """Leave what certbot leaves; the name is that at certbot."""
        place = self.letsencrypt / "archive" / f"{name}{time.monotonic_ns()}"
        self_signed(place, 90, *domains)
        live = self.letsencrypt / "live" / name
        live.mkdir(parents=True, exist_ok=True)
        for file in (CHAIN, KEY):
            (live / file).unlink(missing_ok=True)
            (live / file).symlink_to(place / file)
        (self.letsencrypt / "renewal").mkdir(exist_ok=True)
        (self.letsencrypt / "renewal" / f"{name}.conf").write_text(f"server = {server}\n")

    def prepare(self, *wanted: Wanted, check: bool = False, server: str = SERVER) -> Outcome:
        return Certificates(self.run, wanted, Acme(server), check, self.root).prepare()

    def issue(self, *wanted: Wanted, check: bool = False, server: str = SERVER) -> Outcome:
        return Certificates(self.run, wanted, Acme(server), check, self.root).issue()

    def text(self, name: str) -> str:
        """Return the certificate that a server would load."""
        return (self.tls / name / CHAIN).read_text()

    def kind(self, name: str) -> str:
        return str((self.tls / name).readlink()).partition("/")[0]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a host without certificates."""
    return World(tmp_path)


@pytest.fixture
def given(tmp_path: Path) -> dict[str, str]:
    """Return paths of a pair that the user made."""
    self_signed(tmp_path / "own", 30, "shop.example")
    return {"certificate": str(tmp_path / "own" / CHAIN), "key": str(tmp_path / "own" / KEY)}


def texts(given: dict[str, str]) -> dict[str, str]:
    return {name: Path(path).read_text() for name, path in given.items()}


def asked(source: str, *domains: str, **more: str) -> Wanted:
    return Wanted("shop", domains or ("shop.example",), source, **more)


def test_a_self_signed_one_is_made_once_and_only_root_can_read_it(world: World) -> None:
    wanted = asked("self_signed", "shop.example", "*.shop.example")
    first = world.prepare(wanted)
    assert (first.made, first.ready, first.pending) == (["shop"], ["shop"], False)
    made = world.text("shop")
    again = world.prepare(wanted)
    assert (again.changed, again.digests, world.text("shop")) == (False, first.digests, made)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (world.tls, world.tls / "shop" / KEY)}
    assert modes == {"tls": 0o700, KEY: 0o600}


def test_a_self_signed_one_is_made_again_for_other_names(world: World) -> None:
    first = world.prepare(asked("self_signed"))
    second = world.prepare(asked("self_signed", "shop.example", "www.shop.example"))
    assert second.made == ["shop"]
    assert first.digests != second.digests
    assert len(list((world.tls / ".self_signed").iterdir())) == 1


@pytest.mark.parametrize(("later", "made"), [(59 * DAY, []), (61 * DAY, ["shop"])])
def test_a_self_signed_one_is_made_again_in_the_last_third_of_its_90_days(
    world: World, monkeypatch: pytest.MonkeyPatch, later: float, made: list[str]
) -> None:
    world.prepare(asked("self_signed"))
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + later)
    assert world.prepare(asked("self_signed")).made == made


def test_what_is_given_is_taken_whether_as_text_or_by_its_path(world: World, given: dict[str, str]) -> None:
    for one in (asked("given", **given), asked("given", **texts(given))):
        assert world.prepare(one).made == ["shop"]
        assert world.text("shop") == Path(given["certificate"]).read_text()
        assert not world.prepare(one).changed
    assert stat.S_IMODE((world.tls / "shop" / KEY).lstat().st_mode) == 0o600
    assert len(list((world.tls / ".given").iterdir())) == 1


def test_a_file_that_somebody_else_renews_has_another_digest(world: World, given: dict[str, str]) -> None:
    before = world.prepare(asked("given", **given))
    folder = Path(given["key"]).parent
    folder.rename(f"{folder}.old")
    self_signed(folder, 30, "shop.example")
    after = world.prepare(asked("given", **given))
    assert not after.changed
    assert after.digests != before.digests


def test_what_no_server_could_load_is_refused_before_anything_is_made(world: World, given: dict[str, str]) -> None:
    self_signed(world.root / "other", 30, "other.example")
    strange = {**given, "key": str(world.root / "other" / KEY)}
    for wrong, words in (
        (strange, "the certificate of shop: the certificate and its key cannot be loaded"),
        (texts(strange), "the certificate of shop: the certificate and its key cannot be loaded"),
        ({**given, "key": "/nonexistent"}, "the certificate of shop: this host has no file /nonexistent"),
    ):
        with pytest.raises(PyhostError, match=words) as caught:
            world.prepare(Wanted("first", ("first.example",), "self_signed"), asked("given", **wrong))
        assert "PRIVATE" not in str(caught.value)
    assert not world.tls.exists()


def test_an_acme_server_is_asked_when_the_site_has_a_stand_in_of_a_week(world: World) -> None:
    wanted = asked("acme")
    first = world.prepare(wanted)
    assert (first.made, first.ready, first.pending, world.kind("shop")) == (["shop"], [], True, ".stand_in")
    assert world.calls == []
    issued = world.issue(wanted)
    assert (issued.made, issued.ready, issued.failures) == (["shop"], ["shop"], [])
    assert issued.units == {"certbot.timer": "start"}
    assert (world.kind("shop"), world.timer) == (".acme", True)
    assert list((world.tls / ".stand_in").iterdir()) == []
    assert world.prepare(wanted).digests == issued.digests
    assert not (outcome := world.prepare(wanted)).changed
    assert not outcome.pending


def test_a_renewal_is_not_the_servers_to_load_again_but_another_name_is(world: World) -> None:
    world.prepare(asked("acme"))
    before = world.issue(asked("acme"))
    world.issued("pyhost_shop", "shop.example")
    assert world.prepare(asked("acme")).digests == before.digests
    more = asked("acme", "shop.example", "www.shop.example")
    prepared = world.prepare(more)
    assert (prepared.changed, prepared.pending, prepared.ready) == (False, True, ["shop"])
    assert world.issue(more).digests != before.digests


def test_what_the_hook_of_a_renewal_could_not_have_loaded_is_the_servers_to_load(world: World) -> None:
    wanted = (asked("acme"), Wanted("own", ("own.example",), "self_signed"))
    world.prepare(*wanted)
    before = world.issue(*wanted).digests
    world.issued("pyhost_shop", "shop.example")
    (world.tls / NOT_LOADED).write_text("yesterday\n")
    after = world.prepare(*wanted).digests
    assert {name for name in after if after[name] != before[name]} == {"shop"}
    # It stays, so that nothing is loaded twice.
    assert world.prepare(*wanted).digests == after


@pytest.mark.parametrize("before", ["nothing", "self_signed", "given", "acme"])
def test_what_is_not_issued_leaves_what_was_there(world: World, given: dict[str, str], before: str) -> None:
    if before != "nothing":
        world.prepare(asked(before, **(given if before == "given" else {})))
        world.issue(asked(before))
    world.refuses = {"new.example"}
    wanted = asked("acme", "new.example")
    other = Wanted("other", ("other.example",), "acme")
    world.prepare(wanted, other)
    was = world.text("shop")
    outcome = world.issue(wanted, other)
    has = "a temporary self-signed certificate" if before == "nothing" else "its old certificate"
    (failure,) = outcome.failures
    assert failure == (
        f"shop: {SERVER} issued no certificate for new.example. The site uses {has}. certbot: Challenge failed for"
        " domain"
    )
    assert world.text("shop") == was
    assert ("shop" in outcome.ready) == (before != "nothing")
    assert "other" in outcome.ready
    assert world.prepare(wanted, other).pending


def test_another_acme_server_is_asked_anew(world: World) -> None:
    world.prepare(asked("acme"), server="https://staging.example/dir")
    world.issue(asked("acme"), server="https://staging.example/dir")
    assert world.prepare(asked("acme")).pending
    world.issue(asked("acme"))
    assert ["--force-renewal" in call for call in world.calls if call.startswith("certbot")] == [False, True]
    assert not world.prepare(asked("acme")).pending


def test_what_nobody_wants_any_more_goes_at_certbot_too(world: World) -> None:
    own = Wanted("own", ("own.example",), "self_signed")
    world.prepare(asked("acme"), own)
    world.issue(asked("acme"), own)
    gone = world.prepare(own)
    assert (gone.changed, gone.pending, world.kind("shop")) == (False, True, ".acme")
    assert world.issue(own).removed == [str(world.tls / "shop")]
    assert sorted(path.name for path in world.tls.iterdir() if path.is_symlink()) == ["own"]
    assert list((world.letsencrypt / "renewal").iterdir()) == []
    assert not world.prepare(own).pending


def test_who_turns_away_from_the_acme_server_has_nothing_renewed(world: World) -> None:
    world.prepare(asked("acme"))
    world.issue(asked("acme"))
    assert world.prepare(asked("self_signed")).pending
    assert world.issue(asked("self_signed")).removed == [str(world.tls / "shop")]
    assert (world.kind("shop"), list((world.letsencrypt / "renewal").iterdir())) == (".self_signed", [])
    assert not world.prepare(asked("self_signed")).pending


def test_check_mode_tells_all_and_touches_nothing(world: World, given: dict[str, str]) -> None:
    wanted = (asked("acme"), Wanted("own", ("own.example",), "given", **texts(given)))
    there = set(world.root.rglob("*"))
    prepared = world.prepare(*wanted, check=True)
    assert (prepared.made, prepared.pending) == (["shop", "own"], True)
    issued = world.issue(*wanted, check=True)
    assert (issued.made, issued.units) == (["shop"], {"certbot.timer": "start"})
    assert set(world.root.rglob("*")) == there


def test_a_key_is_in_no_representation(given: dict[str, str]) -> None:
    assert "PRIVATE" not in repr(asked("given", **texts(given)))


def test_a_run_that_was_killed_while_it_made_one_is_made_up_for(world: World) -> None:
    def killed(command: Sequence[str]) -> tuple[int, str]:
        Path(command[command.index("-keyout") + 1]).write_text("half a key")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Certificates(killed, [asked("self_signed")], Acme(SERVER), root=world.root).prepare()
    assert not (world.tls / "shop").exists()
    assert world.prepare(asked("self_signed")).made == ["shop"]


def test_a_certificate_of_the_operator_is_left_alone_whatever_its_name(world: World) -> None:
    world.issued("shop", "shop.example", "mail.example")
    theirs = {path: path.read_bytes() for path in world.letsencrypt.rglob("*") if path.is_file()}
    assert world.prepare(asked("acme")).pending
    assert world.kind("shop") == ".stand_in"
    assert world.issue(asked("acme")).made == ["shop"]
    assert world.issue().removed == [str(world.tls / "shop")]
    assert {path: path.read_bytes() for path in theirs} == theirs
    names = [call.split("--cert-name ")[1].split()[0] for call in world.calls if call.startswith("certbot")]
    assert names == ["pyhost_shop", "pyhost_shop"]


def test_one_with_our_name_that_we_did_not_issue_is_neither_used_nor_deleted(world: World) -> None:
    world.issued("pyhost_shop", "shop.example")
    world.prepare(asked("acme"))
    assert world.kind("shop") == ".stand_in"
    (failure,) = world.issue(asked("acme")).failures
    assert "a certificate pyhost_shop exists, and pyhost.web did not request it. Remove it with `certbot" in failure
    world.prepare()
    world.issue()
    assert [call for call in world.calls if call.startswith("certbot")] == []
    assert (world.letsencrypt / "renewal" / "pyhost_shop.conf").exists()


def test_what_an_interrupted_run_had_issued_is_ours(world: World) -> None:
    def killed(command: Sequence[str]) -> tuple[int, str]:
        done = world.run(command)
        if command[0] == "certbot":
            raise KeyboardInterrupt
        return done

    for wanted in ([asked("acme")], []):
        world.prepare(asked("acme"))
        with pytest.raises(KeyboardInterrupt):
            Certificates(killed, [asked("acme")], Acme(SERVER), root=world.root).issue()
        world.prepare(*wanted)
        outcome = world.issue(*wanted)
        assert outcome.failures == []
        assert (world.letsencrypt / "renewal" / "pyhost_shop.conf").exists() == bool(wanted)
        world.issue()


def test_one_that_certbot_does_not_delete_is_told_of_and_tried_again(world: World) -> None:
    def refuses(command: Sequence[str]) -> tuple[int, str]:
        return (1, "no") if command[:2] == ["certbot", "delete"] else world.run(command)

    world.prepare(asked("acme"))
    world.issue(asked("acme"))
    outcome = Certificates(refuses, [], Acme(SERVER), root=world.root).issue()
    assert outcome.failures == ["shop: certbot did not delete pyhost_shop: no"]
    assert world.prepare().pending
    assert world.issue().failures == []
    assert list((world.letsencrypt / "renewal").iterdir()) == []


def test_the_account_at_the_acme_server_is_in_no_command_line(world: World) -> None:
    acme = Acme("https://acme.example/dir?token=s3cret", "root@shop.example")
    Certificates(world.run, [asked("acme")], acme, root=world.root).prepare()
    Certificates(world.run, [asked("acme")], acme, root=world.root).issue()
    assert [call for call in world.calls if "s3cret" in call or "root@" in call] == []
    assert world.settings == ["server = https://acme.example/dir?token=s3cret\nemail = root@shop.example\n"]


@pytest.mark.parametrize(
    ("wanted", "acme", "words"),
    [
        ([asked("acme"), asked("self_signed")], Acme(SERVER), "2 certificates have the name shop. Give"),
        (
            [Wanted("../shop", ("shop.example",), "acme")],
            Acme(SERVER),
            "'../shop' is not a valid name of a certificate",
        ),
        ([Wanted(".acme", ("shop.example",), "acme")], Acme(SERVER), "'.acme' is not a valid name of a certificate"),
        ([asked("acme")], Acme(SERVER, "a@b\npost-hook = id"), "acme_email: 'a@b.*' contains white space"),
    ],
    ids=["twice", "elsewhere", "hidden", "another setting"],
)
def test_names_that_would_meet_or_lead_elsewhere_are_rejected(
    world: World, wanted: list[Wanted], acme: Acme, words: str
) -> None:
    with pytest.raises(PyhostError, match=words):
        Certificates(world.run, wanted, acme, root=world.root).prepare()
    assert not world.tls.exists()


def test_one_run_at_a_time_makes_certificates(world: World) -> None:
    certificates = Certificates(world.run, [asked("self_signed")], Acme(SERVER), root=world.root)
    certificates.lock_timeout = 0
    with (world.root / "run" / "pyhost-certificates.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        for step in (certificates.prepare, certificates.issue):
            with pytest.raises(PyhostError, match=r"pyhost-certificates\.lock for more than 0 seconds. Wait"):
                step()
        assert world.prepare(asked("self_signed"), check=True).made == ["shop"]
    assert not world.tls.exists()
    assert certificates.prepare().made == ["shop"]


@pytest.mark.parametrize("exposed", ["file", "folder", "link"])
def test_a_path_that_others_may_lead_elsewhere_is_not_read_as_root(
    world: World, given: dict[str, str], exposed: str
) -> None:
    key = Path(given["key"])
    if exposed == "file":
        key.chmod(0o622)
    elif exposed == "folder":
        key.parent.chmod(0o777)
    else:
        # As its owner might lead it to any file of root.
        link = world.root / "link.pem"
        link.symlink_to(key)
        os.chown(link, 65534, -1, follow_symlinks=False)
        given = {**given, "key": str(link)}
    with pytest.raises(
        PyhostError, match=r"root reads .*, but other accounts can change .*\. Make root the owner of the file"
    ):
        world.prepare(asked("given", **given))
    assert not world.tls.exists()


def test_links_of_root_lead_to_what_is_given(world: World, given: dict[str, str]) -> None:
    (world.root / "current").symlink_to("own")
    (world.root / "key.pem").symlink_to(Path("current", "..", "own", KEY))
    assert world.prepare(asked("given", **{**given, "key": str(world.root / "key.pem")})).made == ["shop"]


@pytest.mark.parametrize("source", ["self_signed", "given", "acme"])
def test_check_mode_foretells_what_the_run_says(world: World, given: dict[str, str], source: str) -> None:
    """By `ready` and `digests` the front ends' files differ."""
    world.prepare(Wanted("old.example", ("old.example",), "self_signed"))
    wanted = [
        Wanted("old.example", ("old.example", "new.example"), "self_signed"),
        Wanted("shop.example", ("shop.example",), source, **(given if source == "given" else {})),
    ]
    for step in (world.prepare, world.issue):
        before = world.prepare(Wanted("old.example", ("old.example",), "self_signed"), check=True).digests
        foretold = step(*wanted, check=True)
        done = step(*wanted)
        assert (foretold.changed, foretold.made, foretold.ready) == (done.changed, done.made, done.ready)
        assert [foretold.digests[name] != digest for name, digest in before.items()] == [
            done.digests[name] != digest for name, digest in before.items()
        ]
