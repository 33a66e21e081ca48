"""Runs that are killed at random moments, on both releases at once, while visitors keep asking."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time

from tests.support.playbook import command, converge
from tests.support.visitor import Visitor, address, hosts, visiting

DOMAINS = ("shop.example", "blog.example")
HOSTS = hosts()


def test_kill_at_ten_moments() -> None:
    """Each two of them, one on top of the other, are followed by a normal run, which ends converged."""
    seed = int(os.environ.get("PYHOST_SEED", time.time()))
    print(f"PYHOST_SEED={seed}")
    moments = random.Random(seed)

    def change(number: int) -> dict[str, dict[str, object]]:
        # Every run has work to do in each part: release, service and site.
        app = {"threads": 2 + number % 2, "static_max_age": 10 + number, "setup": [f"echo {seed} {number}"]}
        return {"shop": app, "blog": app}

    begun = time.monotonic()
    converge(*HOSTS, **change(-1))
    duration = time.monotonic() - begun
    with visiting(HOSTS, *DOMAINS) as failures:
        for number in range(10):
            process = subprocess.Popen(
                command(HOSTS, change(number)),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            # Its beginning touches no host and is the same in every run.
            time.sleep(moments.uniform(0.2 * duration, duration))
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if number % 2 == 0:
                continue
            converge(*HOSTS, **change(number))
            for host in HOSTS:
                answer = Visitor(address(host), "shop.example").ask("/static/style.css")
                assert answer.headers["Cache-Control"] == f"public, max-age={10 + number}"
        assert converge(*HOSTS, **change(9)).count("changed=0 ") == len(HOSTS)
    assert failures == []
    left = "find / -xdev \\( -name '.*.pyhost-*' -o -path '/var/lib/pyhost/.manifest/*.journal*' \\) -print"
    for host in HOSTS:
        assert host.check_output(left) == ""
