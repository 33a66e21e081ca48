"""The web page of the playbook status as a browser draws it, in light and dark, on a wide and a narrow window."""

from __future__ import annotations

import base64
import html
import json
import re
import typing as t
from pathlib import Path

import pytest
from testinfra.host import Host

from tests.support.playbook import converge
from tests.support.visitor import hosts

HOSTS = hosts()
BROWSER = HOSTS[-1]
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[str]:
    """The page about all hosts, with an application that is down, and a script at its end that measures it."""
    file = tmp_path_factory.mktemp("status") / "status.html"
    BROWSER.check_output("apt-get install --yes --no-install-recommends chromium-headless-shell")
    BROWSER.check_output("systemctl stop pyhost-hello.socket pyhost-hello.service")
    converge(*HOSTS, playbook="pyhost.web.status", pyhost_status_format="html", pyhost_status_file=str(file))
    BROWSER.check_output("systemctl start pyhost-hello.socket")
    text = file.read_text()
    assert text.count(POLICY) == 1
    script = Path(__file__).with_name("measure.js").read_text()
    text = text.replace(POLICY, f"{POLICY}; script-src 'unsafe-inline'")
    yield text.replace("</body>", f"<script>{script}</script></body>")
    BROWSER.check_output("apt-get purge --yes --auto-remove chromium-headless-shell")


def _measured(host: Host, page: str, dark: bool, width: int) -> dict[str, t.Any]:
    host.check_output("echo %s | base64 --decode > /var/tmp/status.html", base64.b64encode(page.encode()).decode())
    drawn = host.check_output(
        "timeout 120 chromium-headless-shell --no-sandbox --disable-gpu --disable-dev-shm-usage"
        f" --window-size={width},1200 --blink-settings=preferredColorScheme={0 if dark else 1}"
        " --dump-dom file:///var/tmp/status.html 2>/dev/null"
    )
    (result,) = re.findall('<pre id="measured">(.*?)</pre>', drawn, re.DOTALL)
    return t.cast("dict[str, t.Any]", json.loads(html.unescape(result)))


@pytest.mark.parametrize("width", [1400, 500])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_is_readable(page: str, dark: bool, width: int) -> None:
    measured = _measured(BROWSER, page, dark, width)
    assert (measured["ground"] < 0.05, measured["ground"] > 0.8) == (dark, not dark)
    assert measured["seen"] > 50
    assert measured["faint"] == []
    assert measured["overflow"] == 0
    assert measured["astray"] == []
    assert measured["loaded"] == []
    # Each host has its front end, four applications and four processes.
    assert measured["titles"].count("nginx") == len(HOSTS)
    assert {"django", "hello", "hello-mounted", "httpbin"} <= set(measured["titles"])
    assert measured["ways"] >= 4 * len(HOSTS)
