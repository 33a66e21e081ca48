"""A deploy that is killed again and again, each time a little later on each host, until it gets through."""

from __future__ import annotations

import os
import signal
import subprocess
import typing as t

from tests.support.deploying import CHOSEN, HOSTS, everywhere, left_behind, no_request_fails, words
from tests.support.playbook import PLAIN, command, converge, messages, run

# Kills the module that holds a lock as soon as something is the case.
KILLER = """import os, signal, subprocess, sys, time
condition, lock = sys.argv[1:]

def holds(process):
    try:
        return any(os.path.realpath(f"{process}/fd/{number}") == lock for number in os.listdir(f"{process}/fd"))
    except OSError:
        return False

while subprocess.run(["sh", "-c", condition], stdout=subprocess.DEVNULL).returncode:
    time.sleep(0.05)
for process in [entry.path for entry in os.scandir("/proc") if entry.name.isdigit() and holds(entry.path)]:
    os.kill(int(process.rpartition("/")[2]), signal.SIGKILL)
"""
BUILD, SWITCH = "/run/pyhost-releases.lock", "/var/lib/pyhost/.manifest/.lock"
IN_THIS_RUN = "-newer /run/begin | grep ."


def _in_service(app: str, back_end: str) -> str:
    journal = f"find /var/lib/pyhost/.manifest/{back_end}.journal {IN_THIS_RUN}"
    folder = f"/srv/pyhost/{app}"
    return f'{journal} && [ "$(readlink {folder}/current)" = "$(readlink {folder}/next)" ]'


# What a host is about when its part of the run is killed: how it shows, and the lock that the module holds.
MOMENTS = {
    "fills the venv": (f"find /srv/pyhost/on-uwsgi/releases -path '*/venv/bin/python' {IN_THIS_RUN}", BUILD),
    "takes a setup step": (f"find /var/lib/pyhost/on-uwsgi/in-setup {IN_THIS_RUN}", BUILD),
    "tries the release": ("pgrep -u on-uwsgi -f faulthandler", BUILD),
    "has built the first release": (f"find /srv/pyhost/*/releases -name .complete {IN_THIS_RUN}", BUILD),
    "prepares the switch": (f"find /var/lib/pyhost/.manifest/backend_uwsgi.journal {IN_THIS_RUN}", SWITCH),
    "replaces uWSGI's workers": (f"{_in_service('on-uwsgi', 'backend_uwsgi')} && sleep 0.3", SWITCH),
    "restarts flup": (_in_service("on-flup", "backend_flup"), SWITCH),
    "has touched mod_wsgi's script": (f"{_in_service('on-mod-wsgi', 'backend_mod_wsgi')} && sleep 0.1", SWITCH),
}
VARIABLES: dict[str, t.Any] = {
    "playbook": "pyhost.web.deploy",
    "pyhost_only": CHOSEN,
    "pyhost_serial": "100%",
    # What one host does not survive is no reason for the other one to stop before its own end.
    "pyhost_max_fail_percentage": 100,
    "word": "killed",
    "spoil": ["touch $STATE_DIRECTORY/in-setup; sleep 1"],
}


def _all_are_whole(before: set[str]) -> None:
    everywhere("for app in /srv/pyhost/*; do [ -e $app/current/.complete ] || exit 1; done")
    assert words() <= before | {"killed"}


def _killed_when_they(moments: t.Sequence[str]) -> None:
    """Kill what works on each host at a moment of its own."""
    for host, moment in zip(HOSTS, moments, strict=True):
        condition, lock = MOMENTS[moment]
        host.check_output("touch /run/begin")
        host.check_output(
            "systemd-run --quiet --collect --unit pyhost-killer python3 -c %s %s %s", KILLER, condition, lock
        )
    code, output = run(*HOSTS, **VARIABLES)
    assert code != 0, moments
    assert len(messages(output)) == len(HOSTS), output


def _killed_at_the_task(name: str) -> None:
    """Kill the run itself, on the controller."""
    process = subprocess.Popen(
        command(HOSTS, VARIABLES), stdout=subprocess.PIPE, text=True, start_new_session=True, env=PLAIN
    )
    assert process.stdout
    assert any(name in line for line in process.stdout)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_kills() -> None:
    before = words()
    with no_request_fails():
        for moments in zip(*[iter(MOMENTS)] * len(HOSTS), strict=True):
            if "prepares the switch" in moments:
                _killed_at_the_task("Activate releases")
            _killed_when_they(moments)
            _all_are_whole(before)
        converge(*HOSTS, **VARIABLES)
    assert words() == {"killed"}
    assert left_behind() == []
    converge(*HOSTS)
