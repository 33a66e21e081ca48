# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What follows from the variables of a front end's role, and from what its modules have reported."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.pyhost.web.plugins.module_utils._catalog import FRONT_ENDS
from ansible_collections.pyhost.web.plugins.plugin_utils._items.front_end import front_end
from ansible_collections.pyhost.web.plugins.plugin_utils._items.roles import ROLES
from ansible_collections.pyhost.web.plugins.plugin_utils._keys.key import Invalid

MOUNT: dict[str, t.Any] = {"app": "shop", "endpoints": ["/run/pyhost/shop.sock"]}
WITH_TLS = [name for name, row in FRONT_ENDS.items() if row.tls]


def _role(
    name: str, *sites: dict[str, t.Any], reported: dict[str, t.Any] | None = None, **variables: t.Any
) -> dict[str, t.Any]:
    """Return what the role of a front end works with, all variables not given at their defaults."""
    role = f"frontend_{name}"
    defaults = {key.name.removeprefix(f"{role}_"): key.default for key in ROLES[role].variables}
    return front_end(
        role, {**defaults, "sites": [{"mounts": [MOUNT], **site} for site in sites], **variables}, reported or {}
    )


@pytest.mark.parametrize("name", FRONT_ENDS)
def test_every_variable_reaches_the_templates(name: str) -> None:
    role = f"frontend_{name}"
    variables = {key.name.removeprefix(f"{role}_") for key in ROLES[role].variables}
    assert variables <= _role(name).keys()


@pytest.mark.parametrize("name", FRONT_ENDS)
def test_a_front_end_replaces_all_others_or_those_that_are_named(name: str) -> None:
    assert {f"frontend_{name}", *_role(name)["replaces"]} == {f"frontend_{other}" for other in FRONT_ENDS}
    assert _role(name, replaces=[])["replaces"] == []


@pytest.mark.parametrize("name", FRONT_ENDS)
def test_without_tls_nothing_is_made_for_it(name: str) -> None:
    found = _role(name, {"domains": ["shop.example"]})
    assert not found["has_tls"]
    assert (found["certificates"], found["renewals"]) == ([], [])
    assert found["listening"] == list(FRONT_ENDS[name].listen)
    assert not {"openssl", "certbot"} & {*found["install"]}


@pytest.mark.parametrize("name", WITH_TLS)
@pytest.mark.parametrize(("tls", "packages"), [("self_signed", {"openssl"}), ("acme", {"openssl", "certbot"})])
def test_tls_needs_its_packages_and_ports(name: str, tls: str, packages: set[str]) -> None:
    found = _role(name, {"domains": ["shop.example"], "tls": tls}, listen=["8080"], listen_tls=["8443", "[::]:8443"])
    assert found["has_tls"]
    assert {"openssl", "certbot"} & {*found["install"]} == packages
    assert found["renewals"] == ([FRONT_ENDS[name].unit] if tls == "acme" else [])
    assert found["listening"] == ["8080", "8443", "[::]:8443"]
    assert (found["ports_tls"], found["https_port"]) == (["8443"], "8443")


@pytest.mark.parametrize("name", WITH_TLS)
def test_tls_without_a_port_is_rejected(name: str) -> None:
    assert not _role(name, {"domains": ["shop.example"]}, listen_tls=[])["has_tls"]
    with pytest.raises(Invalid, match=f"frontend_{name}_listen_tls: empty, but a site has TLS. List ports"):
        _role(name, {"domains": ["shop.example"], "tls": "self_signed"}, listen_tls=[])


@pytest.mark.parametrize(("name", "more"), [("nginx", []), ("lighttpd", ["_unknown"]), ("apache", ["_unknown"])])
def test_some_need_a_certificate_to_reject_what_no_site_names(name: str, more: list[str]) -> None:
    found = _role(name, {"domains": ["shop.example"], "tls": "self_signed"}, {"domains": ["blog.example"]})
    assert [certificate["name"] for certificate in found["certificates"]] == ["shop.example", *more]


@pytest.mark.parametrize(
    ("sites", "default", "default_tls"),
    [
        ([{"domains": ["a.example"], "tls": "self_signed"}], False, False),
        ([{"domains": ["a.example"], "tls": "self_signed"}, {"default": True}], True, False),
        ([{"default": True, "tls": "self_signed"}], True, True),
    ],
)
def test_who_answers_for_hosts_of_no_site(sites: list[dict[str, t.Any]], default: bool, default_tls: bool) -> None:
    found = _role("nginx", *sites)
    assert (found["has_default"], found["has_default_tls"]) == (default, default_tls)


@pytest.mark.parametrize("name", WITH_TLS)
@pytest.mark.parametrize(("debian", "is_new"), [("12", False), ("13", True), ("14", True), (None, True)])
def test_curves_are_those_that_the_release_of_debian_knows(name: str, debian: str | None, is_new: bool) -> None:
    reported = {"debian": debian} if debian else {}
    assert ("X25519MLKEM768" in _role(name, reported=reported)["curves"]) == is_new


def test_nginx_has_http_3_where_the_release_of_debian_has_it() -> None:
    assert _role("nginx", reported={"debian": "12"})["http2"] == "listen"
    assert _role("nginx", reported={"debian": "13"}, http3=True)["http2"] == "directive"
    with pytest.raises(
        Invalid, match=r"^frontend_nginx_http3: nginx of Debian 12 does not support HTTP/3. Remove this setting.$"
    ):
        _role("nginx", reported={"debian": "12"}, http3=True)


def test_what_the_host_reports_reaches_the_templates_and_nothing_else_does() -> None:
    reported = {"ready": ["shop.example"], "digests": {"shop.example": "1"}, "changed": True, "failed": False}
    found = _role("nginx", reported=reported)
    assert {key: found[key] for key in ("ready", "digests")} == {
        "ready": ["shop.example"],
        "digests": {"shop.example": "1"},
    }
    assert not {"changed", "failed"} & found.keys()
    # A template that comes before them fails, and prints no empty value.
    assert "ready" not in _role("nginx")


def test_apache_loads_what_its_sites_need_and_no_module_twice() -> None:
    daemon = {"user": "shop", "venv": "/srv/venv", "script": "/srv/shop.wsgi"}
    inside = {"app": "inside", "protocol": "wsgi", "daemon": daemon}
    private = {**MOUNT, "private": {"/private/": "/srv/private"}}
    several = {**MOUNT, "protocol": "scgi", "endpoints": ["10.0.0.1:1", "10.0.0.2:1"]}
    for mounts, modules, packages in (
        ([MOUNT], {"proxy", "proxy_uwsgi"}, set()),
        ([inside], {"wsgi"}, {"libapache2-mod-wsgi-py3"}),
        ([private], {"proxy", "proxy_uwsgi", "xsendfile"}, set()),
        ([several], {"proxy", "proxy_scgi", "proxy_balancer", "slotmem_shm", "lbmethod_byrequests"}, set()),
        ([{**MOUNT, "htaccess": True}], {"proxy", "proxy_uwsgi", "auth_basic"}, set()),
    ):
        found = _role("apache", {"domains": ["shop.example"], "mounts": mounts}, modules=["ratelimit", "alias"])
        always = {*_role("apache")["modules"]}
        more = {"ratelimit", *modules}
        assert {*found["modules"]} - always >= more
        assert ("xsendfile" in found["modules"], "wsgi" in found["modules"]) == (
            "xsendfile" in modules,
            "wsgi" in modules,
        )
        assert len({*found["modules"]}) == len(found["modules"])
        assert {*found["install"]} - {*_role("apache")["install"]} == packages


def test_apache_has_each_daemon_once() -> None:
    daemon = {"user": "shop", "venv": "/srv/venv", "script": "/srv/shop.wsgi"}
    mount = {"app": "shop", "protocol": "wsgi", "daemon": daemon}
    found = _role("apache", *({"domains": [name], "mounts": [mount]} for name in ("a.example", "b.example")))
    assert [daemon["name"] for daemon in found["daemons"]] == ["shop"]


def test_apache_listens_where_it_was_told_and_has_its_hosts_there() -> None:
    found = _role("apache", listen=["80", "[::]:80", "10.0.0.1:81"], listen_tls=["[::]:443", "443", "[fe80::1]:444"])
    assert found["listen"] == ["0.0.0.0:80", "[::]:80", "10.0.0.1:81"]
    assert found["addresses"] == ["*:80", "10.0.0.1:81"]
    assert found["addresses_tls"] == ["*:443", "[fe80::1]:444"]


def test_apaches_hosts_are_in_an_order_in_which_the_first_that_matches_is_right() -> None:
    found = _role(
        "apache",
        {"domains": ["*.example", "shop.example"]},
        {"domains": ["*.a.example", "a.b.example"]},
        {"domains": ["b.a.example", "*.b.example"], "default": True},
    )
    assert [(host["names"], host["site"]) for host in found["virtual_hosts"]] == [
        (["b.a.example"], "b.a.example"),
        (["a.b.example"], "_.a.example"),
        (["shop.example"], "_.example"),
        (["*.a.example"], "_.a.example"),
        (["*.b.example"], "b.a.example"),
        (["*.example"], "_.example"),
    ]


def test_cherokee_has_raw_lines_and_its_administration_where_they_are_asked_for() -> None:
    found = _role(
        "cherokee", {"domains": ["shop.example"], "mounts": [MOUNT, {**MOUNT, "path": "/b", "extra": "a = 1\n"}]}
    )
    assert [mount["lines"] for mount in found["extras"]] == [["a = 1"]]
    assert found["admin_units"] == []
    assert _role("cherokee", admin=True)["admin_units"] == ["cherokee-admin.service"]


def test_lighttpd_keeps_each_set_of_headers_once() -> None:
    other = {**MOUNT, "path": "/b", "headers": {"X-Frame-Options": "DENY"}}
    found = _role("lighttpd", {"domains": ["a.example"], "mounts": [MOUNT, other]}, {"domains": ["b.example"]})
    names = [each["name"] for each in found["header_sets"]]
    assert len(names) == len({*names}) == 2
    assert {mount["headers_id"] for site in found["sites"] for mount in site["mounts"]} == {*names}
