"""Sites with every kind of certificate, on every front end that has TLS."""

from __future__ import annotations

import ssl
import urllib.request

import pytest
from testinfra.host import Host

from tests.support.certificates import ACME, issued, release, seen
from tests.support.tls import EncryptedVisitor, handshake, trusting_nobody
from tests.support.visitor import Visitor, address, meanwhile


def _names(host: Host) -> frozenset[str]:
    """Return the names in the certificate that the ACME server issued, which a visitor who trusts it accepts."""
    with urllib.request.urlopen(f"https://{address(ACME)}:15000/roots/0", context=trusting_nobody()) as answer:
        root = answer.read().decode()
    return handshake(address(host), issued(host), ssl.create_default_context(cadata=root)).names


def test_http_sends_to_https_and_nothing_of_the_url_is_lost(front_end: str, host: Host) -> None:
    for domain in (issued(host), "self.example", "x.self.example", "own.example"):
        answer = Visitor(address(host), domain).ask("/a%20b/%3F?c=%26d", "POST", b"body")
        assert (answer.status, answer.headers["Location"]) == (308, f"https://{domain}/a%20b/%3F?c=%26d")
        assert answer.headers["Strict-Transport-Security"] is None


@pytest.mark.parametrize(
    "told", [{}, {"X-Forwarded-For": "203.0.113.7"}, {"X-Forwarded-For": "192.168.0.7"}],
    ids=["nobody", "a visitor", "one who is trusted too"],
)  # fmt: skip
def test_a_proxy_that_encrypts_for_us_is_sent_nowhere(front_end: str, host: Host, told: dict[str, str]) -> None:
    """This machine is one, whomever it tells of; nobody else is."""
    own, headers = Visitor(address(host), "own.example"), {**told, "X-Forwarded-Proto": "https"}
    answer = own.ask("/env", headers=headers)
    assert (answer.status, answer.json()["wsgi.url_scheme"]) == (200, "https")
    assert answer.headers.get_all("Strict-Transport-Security") == ["max-age=63072000; includeSubDomains"]
    assert Visitor(address(host), "plain.example").ask("/env", headers=headers).json()["wsgi.url_scheme"] == "https"
    assert own.ask("/env", headers={**told, "X-Forwarded-Proto": "http"}).status == 308
    words = " ".join(f"-H '{name}: {value}'" for name, value in headers.items())
    stranger = f"curl -s -o /dev/null -w '%{{http_code}}' -H 'Host: own.example' {words} http://127.0.0.1/env"
    assert host.check_output(stranger) == "308"


def test_applications_and_files_are_there_over_tls(front_end: str, host: Host) -> None:
    for domain, mount in ((issued(host), ""), ("self.example", ""), ("self.example", "/mounted"), ("own.example", "")):
        visitor = EncryptedVisitor(address(host), domain, mount)
        answer = visitor.ask("/env", headers={"Accept-Encoding": "gzip"})
        # Its length would tell of what is in it.
        assert (answer.json()["wsgi.url_scheme"], answer.headers["Content-Encoding"]) == ("https", None)
        style = visitor.ask("/static/style.css")
        for each in (answer, style, visitor.ask("/static/none.css")):
            hsts = "max-age=63072000" + ("; includeSubDomains" if domain == "own.example" else "")
            assert each.headers.get_all("Strict-Transport-Security") == [hsts]
        assert style.headers["Cache-Control"] == "public, max-age=3600"


def test_a_site_without_tls_is_not_there_over_tls_and_nothing_else_is(front_end: str, host: Host) -> None:
    assert Visitor(address(host), "plain.example").ask("/env").json()["wsgi.url_scheme"] == "http"
    for domain in ("plain.example", "unknown.example"):
        if front_end == "nginx":
            with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
                seen(host, domain)
        else:
            assert EncryptedVisitor(address(host), domain).ask("/env").status in (404, 421)
    # Nor by the handshake of another site.
    other = EncryptedVisitor(address(host), "self.example")
    try:
        assert other.ask("/env", headers={"Host": "plain.example"}).status in (404, 421)
    except OSError:
        assert front_end == "nginx"


def test_the_newest_protocols_are_chosen(front_end: str, host: Host) -> None:
    assert seen(host, "own.example").version == "TLSv1.3"
    assert seen(host, "own.example").application == "h2"


def test_http_2_and_3_are_spoken(front_end: str, host: Host) -> None:
    ask = "curl -s -k -o /dev/null -w '%{http_version}' --resolve own.example:443:127.0.0.1 https://own.example/env"
    assert host.check_output(f"{ask} --http2") == "2"
    if (front_end, release(host)) == ("nginx", "trixie"):
        assert host.check_output(f"{ask} --http3-only") == "3"
        answer = EncryptedVisitor(address(host), "own.example").ask("/static/style.css")
        assert answer.headers["Alt-Svc"] == 'h3=":443"; ma=86400'


def test_only_root_can_read_a_key(front_end: str, host: Host) -> None:
    assert (
        host.check_output("find /etc/pyhost/tls /etc/letsencrypt/archive -type f -name 'privkey*' ! -perm 0600") == ""
    )
    for user in ("www-data", "self", "nobody"):
        tried = host.run(f"setpriv --reuid {user} --regid nogroup --clear-groups cat /etc/pyhost/tls/*/privkey.pem")
        assert (tried.rc, tried.stdout) != (0, "")
        assert "PRIVATE" not in tried.stdout
    for user in ("self", "nobody"):
        copies = host.run(f"setpriv --reuid {user} --regid nogroup --clear-groups sh -c 'cat /run/lighttpd-tls/*'")
        assert "PRIVATE" not in copies.stdout


def test_nothing_is_left_of_a_site_that_is_gone(front_end: str, host: Host) -> None:
    gone = host.check_output("find /etc/pyhost/tls /etc/letsencrypt/renewal /etc/letsencrypt/live -name '*gone-*'")
    assert (gone != "") == (front_end == "nginx")


def test_self_signed_ones_end_after_90_days(front_end: str, host: Host) -> None:
    file = "/etc/pyhost/tls/self.example/fullchain.pem"
    assert host.run(f"openssl x509 -in {file} -noout -checkend $((89 * 86400))").rc == 0
    assert host.run(f"openssl x509 -in {file} -noout -checkend $((91 * 86400))").rc == 1


def test_the_certificate_is_for_all_names_and_renews_without_a_failed_request(front_end: str, host: Host) -> None:
    """What the ACME server issues ends after 20 days, so it is always due for certbot's timer."""
    number = 1 if front_end == "nginx" else 2
    assert len(_names(host)) == number
    before = seen(host, issued(host)).certificate
    host.check_output("systemctl is-active certbot.timer && systemctl is-enabled certbot.timer")
    visitor = EncryptedVisitor(address(host), issued(host))
    statuses = meanwhile([visitor], lambda: host.check_output("systemctl start certbot.service"))
    assert set(statuses) == {200}
    assert seen(host, issued(host)).certificate != before
    assert len(_names(host)) == number
