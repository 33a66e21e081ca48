"""What becomes of sites over TLS when something fails, and when applications get new releases."""

from __future__ import annotations

import re

import pytest

from tests.support.certificates import LATER, WEB, issued, release, seen
from tests.support.playbook import converge, run, told
from tests.support.tls import EncryptedVisitor
from tests.support.visitor import Visitor, address, traffic, visiting

LATE = {"late": {"domains": ["late-{{ release }}.example"], "tls": "acme"}}
BROKEN = "/etc/apache2/conf.d/broken.conf"


@pytest.fixture(scope="module")
def not_loaded() -> str:
    """A renewal that Apache could not load, as somebody was at work there; then a run for names that nobody knows."""
    before = [seen(host, issued(host)) for host in WEB]
    for host in WEB:
        host.check_output(f"mkdir -p /etc/apache2/conf.d && echo Nonsense >{BROKEN}")
        host.check_output("systemctl start certbot.service")
        host.check_output(f"rm {BROKEN}")
    assert [seen(host, issued(host)) for host in WEB] == before
    more = [*LATER["more"], "nowhere-{{ release }}.example"]
    with visiting(WEB, "plain.example") as failures:
        code, output = run(*WEB, **{**LATER, "more": more}, pyhost_apps__late=LATE, pyhost_tls_profile="modern")
    assert (code != 0, failures) == (True, [])
    assert all(seen(host, issued(host)) != was for host, was in zip(WEB, before, strict=True))
    return output


def test_what_the_hook_of_a_renewal_could_not_have_loaded_the_next_run_does(not_loaded: str) -> None:
    for host in WEB:
        file = f"/etc/letsencrypt/live/pyhost_{issued(host)}/fullchain.pem"
        served = host.check_output(f"openssl x509 -in {file} -outform DER | sha256sum | cut -d ' ' -f 1")
        assert seen(host, issued(host)).certificate == served


def test_what_is_not_issued_leaves_every_site_what_it_had(not_loaded: str) -> None:
    """Nobody knows these names, so the ACME server cannot ask for them."""
    for host in WEB:
        late, nowhere = (f"{word}-{release(host)}.example" for word in ("late", "nowhere"))
        names = f"{issued(host)}, more-{release(host)}.example, {nowhere}"
        none = "https://pebble.example:14000/dir issued no certificate for"
        assert f"{late}: {none} {late}. The site uses a temporary self-signed certificate" in not_loaded
        assert f"{none} {names}. The site uses its old certificate" in not_loaded
        # What has no certificate yet is where it was, and nobody is sent away from there.
        assert Visitor(address(host), late).ask("/env").json()["wsgi.url_scheme"] == "http"
        assert EncryptedVisitor(address(host), late).ask("/env").json()["wsgi.url_scheme"] == "https"
        assert Visitor(address(host), issued(host)).ask("/env").status == 308
        assert EncryptedVisitor(address(host), issued(host)).ask("/env").status == 200


def test_modern_is_tls_1_3_alone(not_loaded: str) -> None:
    for host in WEB:
        assert seen(host, "own.example").version == "TLSv1.3"
        ask = "echo | openssl s_client -connect 127.0.0.1:443 -servername own.example -cipher ALL:@SECLEVEL=0"
        assert "Cipher is (NONE)" in host.run(f"{ask} -tls1_2").stdout


def test_a_release_comes_into_service_and_goes_back_over_tls(not_loaded: str) -> None:
    """To HTTP the answer is a redirect, which is none of those that these applications call healthy."""
    chosen = {"own": ("own.example", ""), "mounted": ("self.example", "/mounted")}
    visitors = [EncryptedVisitor(address(host), *place) for host in WEB for place in chosen.values()]
    now = {**LATER, "pyhost_apps__late": LATE, "pyhost_only": ",".join(chosen)}
    with traffic(visitors, ("short", "kept")) as requests:
        deployed = converge(*WEB, **now, playbook="pyhost.web.deploy", word="second")
        assert {visitor.ask("/static/word.txt").body for visitor in visitors} == {b"second\n"}
        back = converge(*WEB, **now, playbook="pyhost.web.rollback", word="second")
        assert {visitor.ask("/static/word.txt").body for visitor in visitors} == {b"first\n"}
    assert requests.failures == []
    for output in (deployed, back):
        for host in WEB:
            for app, (domain, mount) in chosen.items():
                change, answer, url = told(output, host)[app]
                assert (change.startswith("release "), answer[:6]) == (True, "200 in")
                assert url == f"https://{domain}{mount}/env"
            late = re.escape(f"{host.backend.hostname}: late-{release(host)}.example has only a temporary")
            assert re.search(late + r" self-signed certificate, until [0-9-]{10}\. Run pyhost.web.site", output)
