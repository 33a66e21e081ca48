# Copyright (c) 2026, the pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host in a folder: real files, and a service manager that remembers what each unit has loaded."""

from __future__ import annotations

import errno
import grp
import json
import os
import pwd
import shutil
import stat
import sys
import tempfile
import typing as t
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pytest
from ansible_collections.pyhost.web.plugins.module_utils._errors import PyhostError
from ansible_collections.pyhost.web.plugins.module_utils._transaction.host import Host
from ansible_collections.pyhost.web.plugins.module_utils._transaction.run import Outcome, Transaction
from ansible_collections.pyhost.web.plugins.module_utils._transaction.stage import READY, SCRIPT
from ansible_collections.pyhost.web.plugins.module_utils._transaction.wish import Entry, Probe, Test, Wish

USER = pwd.getpwuid(os.geteuid()).pw_name
GROUP = grp.getgrgid(os.getegid()).gr_name
SERVER, RIVAL = "server.service", "rival.service"
PROBE_HOST = "generation.invalid"
MEMORY = Path("/dev/shm")


WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
STEPS = {"os.rename", "os.link", "os.remove", "os.rmdir", "os.mkdir", "os.symlink", "os.chmod", "open", "fake.run"}
NEED_SPACE = {"os.link", "os.mkdir", "os.symlink", "os.chmod", "open"}


WATCHES: list[t.Callable[[str, tuple[t.Any, ...]], None]] = []


def _audit(event: str, arguments: tuple[t.Any, ...]) -> None:
    for watch in WATCHES:
        watch(event, arguments)


# Python tells its audit hooks of every file that is about to change; a hook cannot be removed, so there is one for all.
sys.addaudithook(_audit)


class Killed(BaseException):
    """The end of a process: nothing may handle it, and all that is open gets closed."""


@dataclass
class FakeUnit:
    """A unit, and the files that it read when it last started or reloaded."""

    active: str = "inactive"
    enabled: bool = False
    masked: bool = False
    restarts: int = 0
    loaded: dict[str, str] = field(default_factory=dict)


class FakeHost(Host):
    """What files say is what happens.

    C(SYNTAX) fails the server's test, C(WARNS) makes it print a warning, C(DIES) fails a start or reload, C(CRASHES)
    lets a process die again and again, C(DEAF) lets a reload do nothing, C(HANGS) never gets ready, C(FALLS) lets a
    process die when it is asked something. C(PORT) is held by whoever has it in a file and started first; nobody else
    who has it can start. There are two servers; the second one has never run.
    """

    def __init__(self, root: Path) -> None:
        self.root = root / "host"
        self.memory = root / "systemd.json"
        self.etc = self.root / "etc/server"
        self.system = self.root / "etc/systemd/system"
        self.state = self.root / "var/lib/pyhost/.manifest"
        self.calls: list[str] = []
        self.namespaces = True
        self.commands = {"servertest", "rivaltest"}
        self.time = 0.0
        self.shown: set[str] = set()
        """What the last test of a copy had lying over /etc."""
        if not self.root.exists():
            for folder in (self.etc / "sites", self.system, self.root / "var/lib"):
                folder.mkdir(parents=True)
            for name in (SERVER, RIVAL):
                (self.system / name).write_text("stock unit\n", encoding="utf-8")
            (self.root / "etc/rival").mkdir()
            (self.root / "etc/rival/main.conf").write_text("stock\n", encoding="utf-8")
            (self.etc / "main.conf").write_text("stock\n", encoding="utf-8")
            (self.etc / "main.conf").chmod(0o640)
            (self.etc / "sites/default").symlink_to("../stock-site")
            self.save({SERVER: FakeUnit("active", True)})

    # What a test looks at

    def units(self) -> dict[str, FakeUnit]:
        """Return every unit that has ever been seen."""
        known = json.loads(self.memory.read_text(encoding="utf-8"))
        return {name: FakeUnit(**values) for name, values in known.items()}

    def save(self, units: dict[str, FakeUnit]) -> None:
        """Remember."""
        self.memory.write_text(json.dumps({name: asdict(unit) for name, unit in units.items()}), encoding="utf-8")

    def change_unit(self, name: str, **values: t.Any) -> None:
        """Change a unit behind the collection's back."""
        units = self.units()
        units[name] = FakeUnit(**{**asdict(units.get(name, FakeUnit())), **values})
        self.save(units)

    def tree(self, everything: bool = False) -> dict[str, t.Any]:
        """Return what is on the disk; `everything`: with times, and with the collection's own records."""
        found: dict[str, t.Any] = {}
        for path in sorted(self.root.rglob("*")):
            if not everything and path.is_relative_to(self.state.parent):
                continue
            info = path.lstat()
            name = str(path.relative_to(self.root))
            if path.is_symlink():
                found[name] = f"-> {path.readlink()}"
            elif path.is_dir():
                found[name] = "folder"
            else:
                found[name] = (stat.S_IMODE(info.st_mode), path.read_text("utf-8", "backslashreplace"))
            if everything:
                found[name] = (found[name], info.st_mtime_ns, info.st_ino)
        return found

    def running(self) -> dict[str, t.Any]:
        """Return what runs, with which files."""
        return {name: (unit.enabled, unit.loaded) for name, unit in self.units().items() if unit.active == "active"}

    def current(self) -> dict[str, t.Any]:
        """Return what would run if everything that runs had the files that are there."""
        return {name: (enabled, self._files(name)) for name, (enabled, _) in self.running().items()}

    def litter(self) -> list[str]:
        """Return what a transaction should have cleared up."""
        return [
            str(path) for path in self.root.rglob("*") if path.name.endswith((".pyhost-new", ".pyhost-old", ".journal"))
        ]

    # What the transaction uses

    def clock(self) -> float:
        self.time += 0.001
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    def has(self, command: str) -> bool:
        return command in self.commands

    def fetch(self, url: str, host: str | None, timeout: float) -> str:
        assert (url, host, timeout) == ("http://127.0.0.1/", PROBE_HOST, 3)
        for name, unit in self.units().items():
            if "FALLS" in " ".join(unit.loaded.values()):
                self.change_unit(name, active="failed", loaded={})
        answers = [
            text.strip()
            for unit in self.units().values()
            if unit.active == "active"
            for path, text in unit.loaded.items()
            if path.endswith("/generation")
        ]
        return answers[0] if answers else "Connection refused"

    def run(self, command: t.Sequence[str], timeout: int = 900) -> tuple[int, str]:
        words = list(command)
        if words[0] == "cp":
            shutil.copytree(words[-2], words[-1], symlinks=True, dirs_exist_ok=True)
            return 0, ""
        if words[0] == "openssl":
            for option in ("-keyout", "-out"):
                Path(words[words.index(option) + 1]).touch()
            return 0, ""
        if words[0] == "unshare":
            start = words.index(SCRIPT)
            return self._staged(*words[start + 2 :]) if self.namespaces else (1, "unshare: Operation not permitted")
        if words[0].endswith("test"):
            return self._test(self.etc.with_name(words[0].removesuffix("test")))
        if words[0] == "journalctl":
            return 0, f"words of {words[1].removeprefix('--unit=')} in the journal"
        # A point at which a run can be killed, as those that Python itself tells.
        if words[1] != "show":
            sys.audit("fake.run", " ".join(words))
            self.calls.append(" ".join(word for word in words if word != "--"))
        if words[0] != "systemctl":
            return self._adopt(words)
        end = words.index("--") if "--" in words else len(words)
        verb, names = " ".join(words[1:end]), words[end + 1 :]
        if words[1] == "show":
            return 0, "\n\n".join(self._show(name) for name in names)
        units = self.units()
        try:
            return self._systemctl(verb, names, units)
        finally:
            self.save(units)

    def _adopt(self, words: list[str]) -> tuple[int, str]:
        text = Path(words[1]).read_text(encoding="utf-8")
        if "NONSENSE" in text:
            return 1, f"{words[1]}:1: nonsense"
        (self.root / "etc/adopted").write_text(text, encoding="utf-8")
        return 0, ""

    def _staged(self, copy: str, folder: str, _empty: str, over: str, count: str, *rest: str) -> tuple[int, str]:
        self.shown = (
            {str(path.relative_to(over)) for path in Path(over).rglob("*") if path.is_file()} if over else set()
        )
        assert (rest[: int(count)], rest[int(count) :]) == (("/run",), (f"{Path(folder).name}test", "-t"))
        status, output = self._test(Path(copy), Path(folder))
        return status, f"{READY}\n{output}"

    def _test(self, folder: Path, shown: Path | None = None) -> tuple[int, str]:
        for path in sorted(folder.rglob("*.conf")):
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                if "SYNTAX" in line:
                    return 1, f"bad word in {(shown or folder) / path.relative_to(folder)}:{number}"
                if "WARNS" in line:
                    return 0, "warning: unknown key"
        return 0, "fine"

    def _files(self, name: str) -> dict[str, str]:
        """Return the files that a unit reads."""
        if name not in (SERVER, RIVAL):
            unit = self.system / name
            return {name: unit.read_text(encoding="utf-8")} if unit.exists() else {}
        folder = self.etc.with_name(name.removesuffix(".service"))
        return {
            str(path.relative_to(self.root)): path.read_text(encoding="utf-8")
            for path in sorted(folder.rglob("*"))
            if path.is_file() and not path.name.startswith(".")
        }

    def _show(self, name: str) -> str:
        units = self.units()
        unit = units.get(name, FakeUnit())
        text = " ".join(unit.loaded.values())
        if unit.active == "active" and "CRASHES" in text:
            unit.restarts += 1
            self.save(units)
        active = "activating" if unit.active == "active" and "HANGS" in text else unit.active
        there = (self.system / name).exists()
        load = "masked" if unit.masked else "loaded" if there else "not-found"
        file = "masked" if unit.masked else ("enabled" if unit.enabled else "disabled") if there else ""
        stale = unit.active == "active" and name not in (SERVER, RIVAL) and there and unit.loaded != self._files(name)
        return "\n".join(
            (
                f"LoadState={load}",
                f"ActiveState={active}",
                "SubState=fake",
                f"UnitFileState={file}",
                f"NRestarts={unit.restarts}",
                f"NeedDaemonReload={'yes' if stale else 'no'}",
                f"CanReload={'no' if name.endswith('.socket') else 'yes'}",
            )
        )

    def _systemctl(self, verb: str, names: list[str], units: dict[str, FakeUnit]) -> tuple[int, str]:
        complaints = []
        verb = verb.removesuffix(" --no-block")
        for name in names:
            unit = units.setdefault(name, FakeUnit())
            if verb not in ("stop", "reset-failed", "mask", "unmask") and not (self.system / name).exists():
                complaints.append(f"Unit {name} not found.")
                continue
            files = self._files(name)
            text = " ".join(files.values())
            held = any("PORT" in " ".join(other.loaded.values()) for other in units.values() if other is not unit)
            if verb in ("start", "restart", "reload"):
                if verb == "reload" and unit.active != "active":
                    complaints.append(f"Job for {name} failed.")
                elif unit.masked or "DIES" in text or (held and "PORT" in text):
                    unit.active = "failed"
                    complaints.append(f"Job for {name} failed.")
                elif not (verb == "start" and unit.active == "active") and not (verb == "reload" and "DEAF" in text):
                    unit.active, unit.loaded = "active", files
            elif verb in ("stop", "disable --now"):
                unit.active, unit.loaded = "inactive", {}
            elif verb == "reset-failed" and unit.active == "failed":
                unit.active = "inactive"
            if verb in ("enable", "disable", "disable --now"):
                unit.enabled = verb == "enable"
            if verb in ("mask", "unmask"):
                unit.masked = verb == "mask"
        return (1, "\n".join(complaints)) if complaints else (0, "")

    # How a test drives it

    def wish(
        self, files: dict[str, t.Any], units: tuple[str, ...] = (SERVER,), part: str = "server", **options: t.Any
    ) -> Wish:
        """Return a wish from a short form of files: path below the host -> content, None for nothing, or a dictionary.

        It has the server's test, and its probe where there is a file C(generation).
        """
        generation = next((files[name] for name in files if name.endswith("/generation")), None)
        if generation:
            options.setdefault("probe", Probe("http://127.0.0.1/", generation, PROBE_HOST, 3))
        server = "rival" if RIVAL in units else "server"
        folder = self.etc.with_name(server)
        options.setdefault("test", Test(folder, (f"{server}test", "-t"), ("/run",), "^warning"))
        return Wish(component=part, entries=tuple(self._entries(files)), units=units, **options)

    def _entries(self, files: dict[str, t.Any]) -> t.Iterator[Entry]:
        for number, (name, given) in enumerate(files.items()):
            values = dict(given) if isinstance(given, dict) else {"content": given}
            if values.get("content") is not None:
                values = {"owner": USER, "group": GROUP, **values}
            server = next((unit for unit in (SERVER, RIVAL) if name.startswith(f"etc/{Path(unit).stem}/")), None)
            if server and "unit" not in values:
                values.update(unit=server, verb="reload")
            yield Entry(path=str(self.root / name), where=f"files[{number}]", **values)

    def apply(self, wanted: Wish, check: bool = False) -> Outcome:
        """Run a transaction."""
        self.calls.clear()
        return Transaction(self, self.state, wanted, check).run()

    def refuse(self, wanted: Wish) -> PyhostError:
        """Run a transaction that has to fail."""
        with pytest.raises(PyhostError) as caught:
            self.apply(wanted)
        return caught.value

    def fail_at(self, wanted: Wish, step: int, how: str) -> str | None:
        """Run a transaction in which the step of that number does not succeed.

        `how`: C(kill) ends the run before the step; C(full) lets it, and C(fuller) also every later one, find the disk
        full. Returns how the run ended, None when it had no step of that number.
        """
        count = 0

        def watch(event: str, arguments: tuple[t.Any, ...]) -> None:
            nonlocal count
            if not self._is_step(event, arguments) or (how != "kill" and event not in NEED_SPACE):
                return
            count += 1
            if how == "kill" and count == step:
                raise Killed
            if count == step or (how == "fuller" and count > step):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), arguments[0])

        WATCHES.append(watch)
        try:
            self.apply(wanted)
        except PyhostError:
            return "refused"
        except Killed:
            return "killed"
        finally:
            WATCHES.clear()
        return "done" if count >= step else None

    def _is_step(self, event: str, arguments: tuple[t.Any, ...]) -> bool:
        """Whether something on the host is about to change."""
        if event not in STEPS:
            return False
        where, how = arguments[0], arguments[-1]
        if event == "open" and not (isinstance(how, int) and how & WRITES):
            return False
        if event == "fake.run" or isinstance(where, int):
            return True
        # What a command writes is its own affair.
        path = Path(os.fsdecode(where))
        return path.is_relative_to(self.root) and path != self.root / "etc/adopted"


@pytest.fixture
def tmp_path(tmp_path: Path) -> t.Iterator[Path]:
    """A folder in memory: these tests write many thousand files, and a disk would be most of their time."""
    if not os.access(MEMORY, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="pyhost-", dir=MEMORY) as folder:
        yield Path(folder)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    """A host that has a server with a configuration of its distribution."""
    # These tests end processes, not machines; waiting for the disk would be most of their time.
    monkeypatch.setattr(os, "fsync", lambda _handle: None)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return FakeHost(tmp_path)
