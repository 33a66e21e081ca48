# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is worked out of a role's sites for servers that take the first that fits."""

from __future__ import annotations

import re
import typing as t

import pytest
from ansible_collections.pyhost.web.plugins.plugin_utils._items.processes import processes
from ansible_collections.pyhost.web.plugins.plugin_utils._items.releases import releases
from ansible_collections.pyhost.web.plugins.plugin_utils._items.sites import sites
from ansible_collections.pyhost.web.plugins.plugin_utils._keys.key import Invalid

MOUNT = {"app": "shop", "endpoints": ["/run/pyhost/shop.sock"]}


def _sites(*items: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    return sites("frontend_lighttpd_sites", [{"mounts": [MOUNT], **item} for item in items])


@pytest.mark.parametrize(
    ("host", "site"),
    [
        ("shop.example", "shop.example"),
        ("shop.example:8080", "shop.example"),
        ("a.shop.example", "shop.example"),
        ("a.b.shop.example:8080", "shop.example"),
        ("blog.shop.example", "blog.shop.example"),
        ("blog.shop.example:8080", "blog.shop.example"),
        ("x.blog.shop.example", "shop.example"),
        ("x.wiki.shop.example", "_.wiki.shop.example"),
        ("wiki.shop.example", "shop.example"),
        ("notblog.shop.example", "shop.example"),
        ("shopxexample", None),
        ("shop.example.evil", None),
        ("xshop.example", None),
        (".shop.example", None),
        ("", None),
    ],
)
def test_each_host_fits_the_site_that_names_it_best(host: str, site: str | None) -> None:
    published = _sites(
        {"domains": ["shop.example", "*.shop.example"]},
        {"domains": ["blog.shop.example"]},
        {"domains": ["*.wiki.shop.example"]},
    )
    fits = [
        published_site["name"]
        for published_site in published
        if host.partition(":")[0] in published_site["names"]
        or any(re.search(wildcard, host) for wildcard in published_site["wildcards"])
    ]
    assert fits == ([site] if site else [])


def test_the_most_special_url_comes_first() -> None:
    (site,) = _sites(
        {
            "domains": ["shop.example"],
            "mounts": [
                {**MOUNT, "static": {"/static/": "/srv/static", "/sub/static/": "/srv/other"}},
                {**MOUNT, "path": "/sub", "private": {"/private/": "/srv/private"}},
            ],
        }
    )
    assert [(location["kind"], location["url"]) for location in site["locations"]] == [
        ("static", "/sub/static/"),
        ("private", "/sub/private/"),
        ("mount", "/sub/"),
        ("mount", "/sub"),
        ("static", "/static/"),
        ("mount", "/"),
    ]


def test_headers_lie_over_those_of_every_site_whatever_their_case() -> None:
    headers = {"x-frame-options": "DENY", "REFERRER-POLICY": "", "Content-Security-Policy": 'report-to "a"'}
    (site,) = _sites(
        {"domains": ["a.example"], "mounts": [{**MOUNT, "headers": headers}, {**MOUNT, "path": "/sub"}]},
    )
    assert [(header["name"], header["quoted"]) for header in site["mounts"][0]["headers"]] == [
        ("Content-Security-Policy", 'report-to \\"a\\"'),
        ("X-Content-Type-Options", "nosniff"),
        ("x-frame-options", "DENY"),
    ]
    # Outside of both, what both say.
    assert [header["key"] for header in site["headers"]] == ["x_content_type_options", "x_frame_options"]
    variables = [[header["variable"] for header in mount["headers"]] for mount in site["mounts"]]
    assert set(variables[0]) & set(variables[1]) == {site["headers"][0]["variable"]}


@pytest.mark.parametrize(
    ("requests", "rate"),
    [(None, None), ("10/s", {"rate": "10r/s", "burst": "10"}), ("600/m", {"rate": "600r/m", "burst": "600"})],
)
def test_a_rate_as_nginx_takes_it(requests: str | None, rate: dict[str, str] | None) -> None:
    site = {"domains": ["a.example"], "mounts": [{**MOUNT, "limits": {"requests": requests}}]}
    assert sites("frontend_nginx_sites", [site])[0]["mounts"][0]["rate"] == rate


def test_limits_for_visitors_need_a_front_end_that_counts() -> None:
    with pytest.raises(Invalid, match=r"mounts\[0\].limits.connections: unknown key"):
        _sites({"domains": ["a.example"], "mounts": [{**MOUNT, "limits": {"connections": 3}}]})


@pytest.mark.parametrize(("body", "kib"), [("1", 1), ("1024", 1), ("1025", 2), ("10M", 10240)])
def test_a_body_limit_is_never_rounded_down_to_none(body: str, kib: int) -> None:
    (site,) = _sites({"domains": ["shop.example"], "mounts": [{**MOUNT, "limits": {"body": body}}]})
    assert site["mounts"][0]["body_kib"] == kib


def test_endpoints_are_taken_apart() -> None:
    endpoints = ["/run/pyhost/shop.sock", "10.0.0.1:9001", "[::1]:9001"]
    (site,) = _sites({"domains": ["shop.example"], "mounts": [{**MOUNT, "endpoints": endpoints}]})
    assert site["mounts"][0]["backends"] == [
        {"socket": "/run/pyhost/shop.sock", "host": "", "port": ""},
        {"socket": "", "host": "10.0.0.1", "port": "9001"},
        {"socket": "", "host": "::1", "port": "9001"},
    ]


@pytest.mark.parametrize(
    ("front_end", "mount", "words"),
    [
        ("nginx", {"protocol": "wsgi", "endpoints": []}, "mounts\\[0\\].protocol: 'wsgi' is not a valid protocol"),
        ("apache", {"protocol": "wsgi"}, "'wsgi' works with `daemon`, and without `endpoints`"),
        ("nginx", {"protocol": "http", "endpoints": []}, "'http' works with `endpoints`, and without `daemon`"),
        ("cherokee", {"protocol": "http"}, "Cherokee does not support 'http' over a unix socket"),
    ],
)
def test_the_way_to_an_application_has_to_lead_there(front_end: str, mount: dict[str, t.Any], words: str) -> None:
    with pytest.raises(Invalid, match=words):
        sites(f"frontend_{front_end}_sites", [{"domains": ["shop.example"], "mounts": [{**MOUNT, **mount}]}])


def test_lighttpd_cannot_tell_private_folders_in_a_release_from_others() -> None:
    private = {"/a/": "/srv/pyhost/shop/current/public/a", "/b/": "/var/lib/pyhost/shop/b"}
    site = {"domains": ["shop.example"], "mounts": [{**MOUNT, "private": private}]}
    with pytest.raises(Invalid, match=r"mounts\[0\].private: lighttpd cannot serve folders inside and outside"):
        _sites(site)
    assert sites("frontend_nginx_sites", [site])


@pytest.mark.parametrize(
    ("given", "mount", "endpoint"),
    [
        ({}, "", "http+unix://%2Frun%2Fpyhost%2Fshop.sock"),
        ({"listen": ["192.0.2.1:80", "/run/a.sock"], "protocol": "http"}, "/sub", "http+unix://%2Frun%2Fa.sock"),
        ({"listen": ["192.0.2.1:80"]}, "", ""),
        # The front end has its processes.
        ({"protocol": "wsgi"}, "", ""),
    ],
)
def test_what_a_new_release_is_asked(given: dict[str, t.Any], mount: str, endpoint: str) -> None:
    health = {"path": "/up", "status": [200], "timeout": 5, "mount": f"{mount}/", "host": "shop.example"}
    item = {"name": "shop", "wsgi": "shop:app", "release": "/srv/pyhost/shop", "health": health, "protocol": "http"}
    (complete,) = processes("backend_mod_wsgi_apps", [{**item, **given}])
    assert complete["request"] == {
        "file": "/srv/pyhost/shop/current",
        "endpoint": endpoint,
        "mount": mount,
        "path": "/up",
        "host": "shop.example",
        "status": [200],
        "timeout": 5,
        "unit": "pyhost-shop.service",
        "https": False,
    }


def test_a_site_with_tls_has_what_its_certificate_is_made_of() -> None:
    given = {"certificate": "/etc/ssl/shop.pem", "key": "/etc/ssl/shop.key"}
    published = _sites(
        {"domains": ["a.example"]},
        {"domains": ["b.example", "*.b.example"], "tls": "self_signed"},
        {"domains": ["c.example"], "tls": given},
        {"default": True, "tls": "self_signed"},
    )
    nothing = {"certificate": "", "key": ""}
    assert [site["certificate"] for site in published] == [
        None,
        {"name": "b.example", "domains": ["b.example", "*.b.example"], "source": "self_signed", **nothing},
        {"name": "c.example", "domains": ["c.example"], "source": "given", **given},
        {"name": "default", "domains": ["default"], "source": "self_signed", **nothing},
    ]


@pytest.mark.parametrize(
    ("front_end", "site", "words"),
    [
        (
            "nginx",
            {"domains": ["*.example"], "tls": "acme"},
            r"\[0\].tls: 'acme' cannot get a certificate for \*.example,",
        ),
        ("nginx", {"default": True, "tls": "acme"}, r"\[0\].tls: 'acme' needs the names of the site"),
        ("cherokee", {"domains": ["a.example"], "tls": "self_signed"}, "\\[0\\].tls: unknown key"),
    ],
)
def test_certificates_that_a_site_cannot_have(front_end: str, site: dict[str, t.Any], words: str) -> None:
    with pytest.raises(Invalid, match=words):
        sites(f"frontend_{front_end}_sites", [{"mounts": [MOUNT], **site}])


def _process(**given: t.Any) -> dict[str, t.Any]:
    base = {"name": "shop", "wsgi": "shop:app", "release": "/srv/pyhost/shop", "protocol": "http"}
    return processes("backend_mod_wsgi_apps", [{**base, **given}])[0]


@pytest.mark.parametrize(
    ("make", "path", "limit"),
    [
        (releases, "app_apps", "timeout"),
        (processes, "backend_uwsgi_apps", "body"),
        (processes, "backend_flup_apps", "requests"),
        (processes, "backend_mod_wsgi_apps", "connections"),
    ],
)
def test_a_role_takes_only_the_limits_that_it_keeps(make: t.Callable[..., t.Any], path: str, limit: str) -> None:
    item = {"name": "shop", "wsgi": "shop:app", "limits": {"memory": "1G", limit: "1"}}
    with pytest.raises(Invalid, match=re.escape(f"{path}[0].limits.{limit}: ")):
        make(path, [item])


def test_what_a_service_has_in_memory_is_a_part_of_its_own() -> None:
    sandbox = _process(limits={"memory": "256M", "tasks": 700, "cpu": "50%"})["sandbox"]
    quarter, eighth = (f"mode=1777,size={size << 20},nr_inodes={size << 6}" for size in (64, 32))
    wanted = {f"TemporaryFileSystem=/tmp:{quarter} /var/tmp:{eighth}", f"TemporaryFileSystem=/dev/shm:{eighth}"}
    assert wanted <= {*sandbox}
    assert {f"MemoryMax={256 << 20}", f"MemorySwapMax={256 << 20}", "TasksMax=700", "CPUQuota=50%"} <= {*sandbox}


def test_a_check_inside_apache_has_a_unit_as_every_step() -> None:
    check = _process(protocol="wsgi", user="merchant", writable_paths=["/srv/x"], env={"TOKEN": "a-secret"})["check"]
    assert check[:2] == ["sh", "-c"]
    wanted = {"User=merchant", "NoNewPrivileges=yes", f"MemoryMax={512 << 20}", "RuntimeMaxSec=600"}
    assert wanted <= {word.removeprefix("--property=") for word in check}
    assert "--property=ReadWritePaths=-/var/lib/pyhost/shop -/srv/x" in check
    assert "a-secret" not in " ".join(check)


@pytest.mark.parametrize(
    ("items", "problem"),
    [
        (
            [{"domains": ["a.example"]}, {"name": "other", "domains": ["b.example", "A.example"]}],
            "frontend_lighttpd_sites[1]: 'a.example' belongs to frontend_lighttpd_sites[0] too",
        ),
        (
            [{"default": True}, {"name": "other", "domains": ["b.example"], "default": True}],
            "frontend_lighttpd_sites[1]: 'default: true' belongs to frontend_lighttpd_sites[0] too",
        ),
        (
            [{"domains": ["a.example"], "mounts": [MOUNT, {**MOUNT, "app": "blog"}]}],
            "frontend_lighttpd_sites[0].mounts[1].path: / is the mount point of mounts[0] too",
        ),
        (
            [{"domains": ["a.example"], "mounts": [{**MOUNT, "static": {"/sub/": "/srv"}}, {**MOUNT, "path": "/sub"}]}],
            "frontend_lighttpd_sites[0].mounts[0].static./sub/: /sub/ belongs to the application shop",
        ),
    ],
)
def test_nothing_belongs_to_two(items: list[dict[str, t.Any]], problem: str) -> None:
    with pytest.raises(Invalid) as caught:
        _sites(*items)
    assert [str(one).startswith(problem) for one in caught.value.problems] == [True], caught.value


def test_the_group_of_the_front_end_reads_what_is_published() -> None:
    item = {"name": "shop", "published": ["/var/lib/pyhost/shop/media"]}
    for group, given in (("www-data", []), ("caddy", ["caddy"])):
        (complete,) = releases("app_apps", [item], *given)
        folders = {folder["path"]: folder["group"] for folder in complete["folders"]}
        assert folders["/var/lib/pyhost/shop"] == group
        assert [folder["group"] for folder in complete["inner"]] == [group]


def test_folders_that_lead_to_a_published_one_belong_to_the_application() -> None:
    data = "/var/lib/pyhost/shop"
    published = [f"{data}/a/b/c/", f"{data}/a/b", f"{data}/d"]
    (item,) = releases("app_apps", [{"name": "shop", "wsgi": "shop:app", "published": published}])
    own = {"user": "shop", "group": "www-data"}
    leading, shown = {"mode": ":0710", **own}, {"mode": "2750", **own}
    assert item["inner"] == [
        {"path": f"{data}/a", **leading},
        {"path": f"{data}/a/b", **shown},
        {"path": f"{data}/a/b/c", **shown},
        {"path": f"{data}/d", **shown},
    ]
    # What belongs to all applications together names nothing that one of them may change.
    assert [folder["path"] for folder in item["folders"]] == ["/srv/pyhost/shop", "/var/cache/pyhost/shop", data]
