"""What a front end sends by itself: static files, uploads and private files."""

from __future__ import annotations

import gzip

from testinfra.host import Host

from tests.claims.claims import app, claim_of, requests
from tests.support.visitor import Visitor


@claim_of("static")
def test_static_files_never_reach_the_application(visitor: Visitor, host: Host) -> None:
    before = len(requests(host, visitor))
    answer = visitor.ask("/static/style.css")
    assert (answer.status, answer.body) == (200, b"body { color: black }\n")
    assert answer.headers["Content-Type"].startswith("text/css")
    assert answer.headers["Cache-Control"] == "public, max-age=600"
    assert visitor.ask("/favicon.ico").body == b"icon\n"
    assert visitor.ask("/static/none.css").status == 404
    assert visitor.ask("/static/").status in (403, 404)
    for hidden in (".hidden", "deeper/.hidden"):
        assert host.file(f"/srv/pyhost/{app(visitor)}/current/public/static/{hidden}").exists
        for path in (hidden, hidden.replace(".", "%2e"), f"none/../{hidden}"):
            assert visitor.ask(f"/static/{path}").status == 404
    # A folder that is published by its name is not.
    assert visitor.ask("/.well-known/style.css").status == 200
    assert visitor.ask("/.well-known/.hidden").status == 404
    assert visitor.ask("/static/style.css", "POST", body=b"x").status == 405
    assert len(requests(host, visitor)) == before


@claim_of("static")
def test_static_file_conditional_range_and_head(visitor: Visitor) -> None:
    whole = visitor.ask("/static/style.css")
    assert visitor.ask("/static/style.css", headers={"If-None-Match": whole.headers["ETag"]}).status == 304
    assert visitor.ask("/static/style.css", headers={"If-Modified-Since": whole.headers["Last-Modified"]}).status == 304
    part = visitor.ask("/static/style.css", headers={"Range": "bytes=0-3"})
    assert (part.status, part.body, part.headers["Content-Range"]) == (206, b"body", f"bytes 0-3/{len(whole.body)}")
    assert visitor.ask("/static/style.css", headers={"Range": "bytes=9999-"}).status == 416
    head = visitor.ask("/static/style.css", "HEAD")
    assert (head.headers["Content-Length"], head.body) == (str(len(whole.body)), b"")


@claim_of("static")
def test_static_file_precompressed(visitor: Visitor) -> None:
    answer = visitor.ask("/static/large.js", headers={"Accept-Encoding": "gzip"})
    if visitor.differs("precompressed"):
        assert b"plain" in (gzip.decompress(answer.body) if "Content-Encoding" in answer.headers else answer.body)
    else:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(answer.body) == b"// made beforehand\n"
    assert visitor.ask("/static/large.js").body == b"// plain\n"


@claim_of("static")
def test_files_of_the_data_folder_but_no_links_out_of_it(visitor: Visitor, host: Host) -> None:
    name = app(visitor)
    media = f"/var/lib/pyhost/{name}/media"
    host.check_output(
        "runuser -u %s -- sh -c %s", name, f"umask 027; echo picture > {media}/new; ln -sfn /etc {media}/link"
    )
    assert visitor.ask("/media/new").body == b"picture\n"
    assert visitor.ask("/media/link/passwd").status in ((500,) if visitor.differs("link") else (403, 404))


@claim_of("private")
def test_private_file_is_sent_where_the_application_says_so(visitor: Visitor) -> None:
    answer = visitor.ask("/secret")
    assert answer.body == b"a bill\n"
    # The words to any front end are not for visitors.
    assert not {"x-accel-redirect", "x-sendfile"} & {name.lower() for name in answer.headers}
    assert visitor.ask("/private/bill.txt").status == 404
