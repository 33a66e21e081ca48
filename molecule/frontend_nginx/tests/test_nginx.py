"""What the host and another tool say of nginx; what visitors see is in test_claims."""

from __future__ import annotations

import json
import subprocess
import typing as t

from testinfra.host import Host

from tests.http.visitor import scenario_hosts

testinfra_hosts = scenario_hosts()

TRAVERSAL = "location /files { alias /srv/files/; }"


def _gixy(dump: str) -> t.Any:
    done = subprocess.run(["gixy", "--format", "json", "-"], input=dump, capture_output=True, text=True, check=False)
    return json.loads(done.stdout)


def test_gixy_finds_nothing(host: Host) -> None:
    dump = host.check_output("nginx -T")
    assert _gixy(dump) == []
    # It does look into the files of the sites.
    site = dump.rindex("location / {")
    assert [found["plugin"] for found in _gixy(f"{dump[:site]}{TRAVERSAL}\n{dump[site:]}")] == ["alias_traversal"]


def test_it_may_open_the_logs_of_many_sites_twice(host: Host) -> None:
    main = host.check_output("systemctl show --value --property MainPID nginx.service")
    limit = host.check_output("grep 'Max open files' /proc/%s/limits", main).split()[3]
    assert int(limit) > 4 * 1000
