# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Processes of an account end, whatever they do against it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from ansible_collections.pyhost.web.plugins.module_utils._release.processes import end_processes, processes

UID = 61234


def test_processes_of_an_account(tmp_path: Path) -> None:
    uids = {1: "0\t0\t0\t0", 2: "7\t0\t0\t0", 3: "0\t7\t0\t0", 4: "0\t0\t7\t0", 5: "0\t0\t0\t7", 6: "77\t77\t77\t77"}
    for pid, uid in uids.items():
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "status").write_text(f"Name:\tuwsgi\nState:\tS (sleeping)\nUid:\t{uid}\n")
    (tmp_path / "8").mkdir()
    (tmp_path / "8/status").write_text("Name:\tuwsgi\nState:\tZ (zombie)\nUid:\t7\t7\t7\t7\n")
    (tmp_path / "8/task/8").mkdir(parents=True)
    (tmp_path / "8/task/8/status").write_text("Name:\tuwsgi\nState:\tZ (zombie)\nUid:\t7\t7\t7\t7\n")
    assert processes(7, tmp_path) == ["2 (uwsgi)", "3 (uwsgi)", "4 (uwsgi)", "5 (uwsgi)"]


def test_processes_end_however_often_they_fork() -> None:
    forks = "while :; do sleep 1000 & sleep 0.01; done"
    with subprocess.Popen(["/bin/sh", "-c", forks], user=UID, group=UID, extra_groups=[]) as process:
        while len(processes(UID)) < 3:
            time.sleep(0.05)
        end_processes("shop", UID)
        assert processes(UID) == []
        assert process.wait(5) == -signal.SIGKILL


def _run(code: str) -> subprocess.Popen[bytes]:
    # The account may not be allowed to read this Python.
    begin = f"import ctypes, os, signal, threading, time; os.setgroups([]); os.setgid({UID}); os.setuid({UID})"
    return subprocess.Popen([sys.executable, "-c", f"{begin}\n{code}"], stdout=subprocess.PIPE)


ENDED_LEADER = """
threading.Thread(target=time.sleep, args=(1000,)).start()
print(flush=True)
ctypes.CDLL(None).pthread_exit(None)
"""


def test_a_process_whose_first_thread_has_ended_goes_on() -> None:
    with _run(ENDED_LEADER) as process:
        status = Path(f"/proc/{process.pid}/status")
        while "State:\tZ" not in status.read_text():
            time.sleep(0.05)
        assert len(processes(UID)) == 1
        end_processes("shop", UID)
        assert processes(UID) == []
        assert process.wait(5) == -signal.SIGKILL


STOPS_OTHERS = """
print(flush=True)
while True:
    try:
        os.kill(-1, signal.SIGSTOP)
    except ProcessLookupError:
        pass
"""


def test_a_process_that_stops_all_others_ends() -> None:
    with _run(STOPS_OTHERS) as process:
        assert process.stdout
        process.stdout.readline()
        end_processes("shop", UID)
        assert processes(UID) == []
        assert process.wait(5) == -signal.SIGKILL


def test_nobody_else_ends() -> None:
    with subprocess.Popen(["sleep", "1000"], user=UID + 1, group=UID, extra_groups=[]) as other:
        end_processes("shop", UID)
        assert other.poll() is None
        other.kill()


def test_a_process_that_has_just_gone_is_none(tmp_path: Path) -> None:
    """Its status was read, and its folder of threads is no longer there."""
    (tmp_path / "4711").mkdir()
    (tmp_path / "4711" / "status").write_text("Name:\tgone\nState:\tZ (zombie)\nUid:\t1\t1\t1\t1\n")
    assert processes(1, tmp_path) == []
