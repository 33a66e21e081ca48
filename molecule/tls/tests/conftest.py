"""The front ends, one after the other; which releases of Debian each test asks."""

from __future__ import annotations

import subprocess

import pytest
from testinfra.host import Host

from tests.support.certificates import ACME, FRONT_ENDS_WITH_TLS, LATER, WEB, release
from tests.support.playbook import PLAIN, command, converge, would


@pytest.fixture(scope="session", params=FRONT_ENDS_WITH_TLS)
def front_end(request: pytest.FixtureRequest) -> str:
    """Each takes over from the one before, and has something to do besides."""
    name = str(request.param)
    if name == FRONT_ENDS_WITH_TLS[0]:
        assert "Nothing would change." in would(*WEB)
    elif name != LATER["frontend"]:
        converge(*WEB, **{key: value for key, value in LATER.items() if key != "own"} | {"frontend": name})
    else:
        words = [*command(WEB, LATER), "--diff", "-vvv"]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=600, env=PLAIN)
        assert done.returncode == 0, done.stdout
        journals = "".join(host.check_output("journalctl --no-pager --output cat") for host in WEB)
        for line in ACME.file("/etc/pebble/own.key").content_string.splitlines()[1:-1]:
            assert line not in done.stdout + done.stderr + journals
    return name


@pytest.fixture(params=WEB, ids=release)
def host(request: pytest.FixtureRequest) -> Host:
    """One of the two releases."""
    found: Host = request.param
    return found
