"""tools/path/docker: what it runs by itself in a container finds all that Docker would have given it."""

from __future__ import annotations

import re
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest

OURS = str(Path(__file__).parents[2] / "tools" / "path" / "docker")
DOCKERS = next(path for path in ("/usr/bin/docker", "/usr/local/bin/docker") if shutil.which(path))
NAME = "pyhost-docker-trixie"
# Signals 32 and 33 belong to the C library: whoever runs the tests may ignore them, and no program can change that.
LIBRARY_SIGNALS = 0b11 << 31
# Numbers of processes differ each time.
SURROUNDINGS = """
cat /proc/self/cgroup /proc/self/limits /proc/self/oom_score_adj
grep -E '^(Cap|NoNewPrivs|Seccomp|Sig[BCIS]|Groups|Umask)' /proc/self/status
ls -l /proc/self/ns | sed 's/.* \\([a-z_]* ->\\)/\\1/'
readlink /proc/self/fd/0 | tr -d 0-9
ps -o tty=,nice=,cls= --pid $$
test "$(ps -o sid= --pid $$)" -eq $$ && echo leads its session
id; pwd; env | sort
"""


@pytest.fixture(scope="module")
def container() -> t.Iterator[str]:
    """One of the test hosts."""
    subprocess.run(["tools/containers", "start", "trixie", NAME], check=True)
    yield NAME
    subprocess.run(["tools/containers", "remove", NAME], check=True)


def _run(docker: str, *words: str, data: str = "") -> tuple[int, str]:
    done = subprocess.run([docker, *words], input=data, capture_output=True, text=True, check=False, timeout=60)
    ignored = re.compile(r"(?<=SigIgn:\t)[0-9a-f]+")
    return done.returncode, ignored.sub(lambda found: f"{int(found[0], 16) & ~LIBRARY_SIGNALS:016x}", done.stdout)


@pytest.mark.parametrize("command", [SURROUNDINGS, "cat", "exit 3"], ids=["surroundings", "input", "status"])
@pytest.mark.parametrize("options", [[], ["-i"], ["-u", "nobody"]], ids=["plain", "input", "user"])
def test_exec_is_dockers(container: str, options: list[str], command: str) -> None:
    words = ["exec", *options, container, "/bin/sh", "-c", command]
    assert _run(OURS, *words, data="given") == _run(DOCKERS, *words, data="given")


def test_after_a_restart_it_is_the_same_container(container: str) -> None:
    boot = ["exec", container, "/bin/sh", "-c", "stat --format %Y /proc/1"]
    assert _run(OURS, *boot) == _run(DOCKERS, *boot)
    subprocess.run([DOCKERS, "restart", "--time", "30", container], check=True)
    assert _run(OURS, *boot) == _run(DOCKERS, *boot)
    assert _run(OURS, "exec", "pyhost-nowhere", "true")[0] == 1
