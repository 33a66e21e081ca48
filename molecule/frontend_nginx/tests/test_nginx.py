"""What the host and another tool say of nginx; what visitors see is in tests/claims."""

from __future__ import annotations

import json
import os
import subprocess
import typing as t
from pathlib import Path

import pytest
from testinfra.host import Host

from tests.support.access_log import HOSTILE, hostile_line
from tests.support.processes import exposure, main_process_of
from tests.support.visitor import probes, scenario_hosts

testinfra_hosts = scenario_hosts()

TRAVERSAL = "location /files { alias /srv/files/; }"


INSTALLED = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"], ".cache", "scanners")
# Two scanners of one name: the one that goes on, among the tools, and the one that it came from.
SCANNERS = ("gixy", f"{INSTALLED}/gixy/bin/gixy")


def _gixy(scanner: str, dump: str) -> t.Any:
    command = [scanner, "--format", "json", "/dev/stdin"]
    done = subprocess.run(command, input=dump, capture_output=True, text=True, check=False)
    return json.loads(done.stdout)


@pytest.mark.parametrize("scanner", SCANNERS, ids=["gixy-ng", "gixy"])
def test_gixy_finds_nothing(host: Host, scanner: str) -> None:
    dump = host.check_output("nginx -T")
    # Files, private ones, TLS, headers, limits: all that a site may have.
    for word in ("alias", "internal", "ssl_certificate", "add_header", "limit_req", "limit_conn"):
        assert word in dump
    assert _gixy(scanner, dump) == []
    # It does look into the files of the sites.
    site = dump.rindex("location / {")
    found = _gixy(scanner, f"{dump[:site]}{TRAVERSAL}\n{dump[site:]}")
    assert [each["plugin"] for each in found] == ["alias_traversal"]


def test_wapiti_finds_nothing(host: Host, tmp_path: Path) -> None:
    site = probes()[0].visitor(host)
    url, report = f"http://{site.address}/env?a=b", tmp_path / "report.json"
    command = [f"{INSTALLED}/wapiti/bin/wapiti", "--url", url, "--header", f"Host: {site.domain}", "--scope", "folder"]
    command += ["--module", "methods,ssl,htaccess,crlf,backup,shellshock", "--max-scan-time", "120"]
    command += ["--store-session", str(tmp_path), "--format", "json", "--output", str(report)]
    subprocess.run(command, capture_output=True, text=True, check=True)
    told = json.loads(report.read_text())
    found = {**told["vulnerabilities"], **told["anomalies"]}
    assert (told["infos"]["crawled_pages_nbr"] > 0, [name for name, each in found.items() if each]) == (True, [])


# Asks with an address for each request, as a proxy in front would tell it; what comes back is counted.
ASK = """
import collections, concurrent.futures, http.client, sys
path, *addresses = sys.argv[1:]
def ask(address):
    connection = http.client.HTTPConnection("127.0.0.1")
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-For": address}
    connection.request("GET", path, headers={"Host": "limited.example", **forwarded})
    answer = connection.getresponse()
    return f"{answer.status} {answer.headers['X-Frame-Options']} {answer.headers['Permissions-Policy']}"
with concurrent.futures.ThreadPoolExecutor(len(addresses)) as pool:
    for answer, number in sorted(collections.Counter(pool.map(ask, addresses)).items()):
        print(number, answer)
"""


def _ask(host: Host, path: str, *addresses: str) -> list[str]:
    return host.check_output("python3 -c %s %s " + " ".join(addresses), ASK, path).splitlines()


def test_limits_are_for_each_address_and_do_not_count_files(host: Host) -> None:
    one, many = ["192.0.2.1"] * 70, [f"192.0.2.{number}" for number in range(2, 72)]
    said = 'SAMEORIGIN geolocation=(self "https://a.example")'
    assert _ask(host, "/static/style.css", *one) == [f"70 200 {said}"]
    assert _ask(host, "/env", *many) == [f"70 200 {said}"]
    # As many at once as in a minute, and one that is due; three at a time.
    assert _ask(host, "/sleep?1", *one[:8]) == [f"3 200 {said}", f"5 429 {said}"]
    answered, refused = _ask(host, "/env", *one)
    assert int(refused.split()[0]) >= 70 - 61 + 3
    assert (answered.split()[1], refused.split()[1]) == ("200", "429")
    # The other application of the domain has limits of its own.
    assert _ask(host, "/sub/sleep?1", *one[:5]) == ["2 200 SAMEORIGIN None", "3 429 SAMEORIGIN None"]


def test_it_may_open_the_logs_of_many_sites_twice(host: Host) -> None:
    main = main_process_of(host, "nginx.service")
    limit = host.check_output("grep 'Max open files' /proc/%s/limits", main).split()[3]
    assert int(limit) > 4 * 1000


def test_sandbox_exposure_is_at_most_four(host: Host) -> None:
    assert exposure(host, "nginx.service") <= 4.0


def test_the_access_log_is_json_whatever_visitors_send(host: Host) -> None:
    line = hostile_line(host, probes()[0].visitor(host), "/var/log/nginx")
    held = HOSTILE.partition(b"\xc3(")[0].decode() + "\N{REPLACEMENT CHARACTER}"
    assert (line["user_agent"], line["referer"]) == (held, held)
    # nginx takes the two from clocks of its own, each in milliseconds.
    assert 0 <= line["upstream_time"] <= line["request_time"] + 0.01
