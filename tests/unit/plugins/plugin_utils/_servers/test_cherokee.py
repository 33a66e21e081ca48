# Copyright: pyhost.web contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Cherokee's configuration is made of: numbers that last, and expressions for what it must refuse."""

from __future__ import annotations

import re
import typing as t

import pytest
from ansible_collections.pyhost.web.plugins.plugin_utils._items.sites import sites
from ansible_collections.pyhost.web.plugins.plugin_utils._keys.key import Invalid

MOUNT: dict[str, t.Any] = {"app": "shop", "endpoints": ["/run/pyhost/shop.sock"]}
HEAD = "POST /a?b=100% HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 10\r\nX-Real: x_y: z\r\n"


def _sites(*names: str, **mount: t.Any) -> list[dict[str, t.Any]]:
    return sites("frontend_cherokee_sites", [{"domains": [name], "mounts": [MOUNT | mount]} for name in names])


def _status(head: str) -> int | None:
    """Return the status with which a request is refused; higher numbers are tried first."""
    (site,) = _sites("shop.example")
    rules = sorted(site["refused"], key=lambda rule: -rule["number"])
    return next((rule["status"] for rule in rules if re.search(rule["regex"], head)), None)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (f"{HEAD}\r\n", None),
        # The body may come with the head.
        (f"{HEAD}\r\nX-Forwarded-For: 6.6.6.6\r\na_b: c\r\n", None),
        (f"{HEAD}X-Forwarded-Proto: https\r\n\r\n", 400),
        (f"{HEAD}x-real-ip : 6.6.6.6\r\n\r\n", 400),
        (f"{HEAD}PROXY: x\r\n\r\n", 400),
        (f"{HEAD}X_Forwarded_For: x\r\n\r\n", 400),
        ("GET / HTTP/1.1\nForwarded: x\n\n", 400),
        (f"{HEAD}Content-Length: 11\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nContent-Length: +3\r\n\r\nabc", 400),
        ("POST / HTTP/1.1\r\nContent-Length: 3, 3\r\n\r\nabc", 400),
        (f"{HEAD}: x\r\n\r\n", 400),
        (f"{HEAD}Transfer-Encoding\r\n\r\n", 400),
        (f"{HEAD}\r\nbody without a colon\r\n", None),
        (f"{HEAD}host: other.example\r\n\r\n", 400),
        (f"{HEAD}Transfer-Encoding: chunked\r\n\r\n", 411),
        ("TRACE / HTTP/1.1\r\nHost: shop.example\r\n\r\n", 405),
        ("GET /a%2 HTTP/1.1\r\n\r\n", 400),
        ("GET /a%00 HTTP/1.1\r\n\r\n", 400),
        ("GET /a%2Fb HTTP/1.1\r\n\r\n", None),
    ],
)
def test_requests_that_are_refused(head: str, status: int | None) -> None:
    assert _status(head) == status


@pytest.mark.parametrize("limit", [1, 9, 10, 999, 1024, 10 * 1024**2, 19999, 5 * 1024**3])
def test_bodies_above_the_limit(limit: int) -> None:
    (site,) = _sites("shop.example", limits={"body": str(limit)})
    over = site["mounts"][0]["over_limit"]
    lengths = {0, 1, limit - 1, limit, limit + 1, limit + 9, limit * 2, limit * 10, limit * 10 + 9, int("9" * 12)}
    for length in lengths:
        head = f"POST / HTTP/1.1\r\nContent-Length: {length:013}\r\n\r\n"
        assert bool(re.search(over, head)) == (length > limit), length


def test_numbers_stay_when_other_sites_come() -> None:
    before = {site["name"]: site["number"] for site in _sites("a.example", "c.example")}
    after = {site["name"]: site["number"] for site in _sites("a.example", "b.example", "c.example")}
    assert before.items() <= after.items()
    assert len(set(after.values())) == 3


def test_numbers_are_unique_and_fit_into_31_bits() -> None:
    many = _sites(*(f"site-{number}.example" for number in range(3000)))
    assert len({site["number"] for site in many}) == 3000
    sources = [source["number"] for site in many for mount in site["mounts"] for source in mount["sources"]]
    assert len(set(sources)) == 3000
    assert max(sources) < 2**31


def test_the_most_special_url_has_the_highest_number() -> None:
    (site,) = _sites("shop.example", path="/sub", static={"/static/": "/srv/static", "/static/x/": "/srv/x"})
    by_number = sorted(site["locations"], key=lambda location: -location["number"])
    assert [location["url"] for location in by_number] == ["/sub/static/x/", "/sub/static/", "/sub/"]


def test_comments_among_the_lines_of_an_application_are_left_out() -> None:
    (site,) = _sites("shop.example", extra="# why\n\n  keepalive = 0\n")
    assert site["mounts"][0]["lines"] == ["keepalive = 0"]


def test_what_it_cannot_publish() -> None:
    mounts = [
        MOUNT | {"static": {"/robots.txt": "/srv/robots-live.txt", "/favicon.ico": "/srv/favicon.ico"}},
    ]
    with pytest.raises(Invalid) as caught:
        sites("frontend_cherokee_sites", [{"domains": ["shop.example"], "mounts": mounts}])
    assert [str(problem).split(": ")[0] for problem in caught.value.problems] == [
        "frontend_cherokee_sites[0].mounts[0].static./robots.txt",
    ]
