"""The front ends, one after the other; which releases of Debian each test asks."""

from __future__ import annotations

import subprocess

import pytest
from testinfra.host import Host

from tests.support.certificates import ACME, FRONT_ENDS_WITH_TLS, LATER, WEB, release
from tests.support.playbook import PLAIN, changes, command, foretold, told, would


@pytest.fixture(scope="session", params=FRONT_ENDS_WITH_TLS)
def front_end(request: pytest.FixtureRequest) -> str:
    """Each takes over from the one before, and has something to do besides."""
    name = str(request.param)
    if name == FRONT_ENDS_WITH_TLS[0]:
        assert "Nothing would change." in would(*WEB)
        # The server runs, and what it would have to load is yet to come.
        new = {"new": {"domains": ["new.example"], "tls": "self_signed", "backend": "mod_wsgi"}}
        assert all("new" in told(would(*WEB, pyhost_apps__new=new), host) for host in WEB)
    elif name != LATER["frontend"]:
        foretold(*WEB, **{key: value for key, value in LATER.items() if key != "own"} | {"frontend": name})
    else:
        dry = would(*WEB, **LATER)
        words = [*command(WEB, LATER), "--diff", "-vvv"]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=600, env=PLAIN)
        assert done.returncode == 0, done.stdout
        assert [changes(dry, host) for host in WEB] == [changes(done.stdout, host) for host in WEB]
        journals = "".join(host.check_output("journalctl --no-pager --output cat") for host in WEB)
        for line in ACME.file("/etc/pebble/own.key").content_string.splitlines()[1:-1]:
            assert line not in done.stdout + done.stderr + journals
    return name


@pytest.fixture(params=WEB, ids=release)
def host(request: pytest.FixtureRequest) -> Host:
    """One of the two releases."""
    found: Host = request.param
    return found
