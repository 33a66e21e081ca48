"""What the servers' own tests say of the files of the golden cases, in one container for each release of Debian.

Each host's files are laid over the container's own, where nobody else sees them, and the command that its role hands
over as the test judges them. systemd judges the units, uWSGI, Python and the Apache of an application what these read.
Debian has no Cherokee, so that one's own files are judged by the scenario frontend_cherokee alone.
"""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import subprocess
import tarfile
import typing as t
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.golden import cases

RELEASES = {"12": "bookworm", "13": "trixie"}
PACKAGES = (
    "apache2 libapache2-mod-wsgi-py3 libapache2-mod-xsendfile lighttpd lighttpd-mod-deflate lighttpd-mod-openssl"
    " lighttpd-modules-lua nftables nginx openssl python3 systemd uwsgi-core uwsgi-plugin-python3"
)
# Debian has none.
CHEROKEE = "/etc/cherokee"
UNIT = re.compile(r"/etc/systemd/system/([^/]+\.(?:service|socket))(?:\.d/.*)?")
MARK = "pyhost: now the server"
ROOT = "/golden"
KEYS = f"{ROOT}/keys"

INSTALL = f"""
set -eu
dpkg --status {PACKAGES} >/dev/null 2>&1 || {{
    printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d
    chmod +x /usr/sbin/policy-rc.d
    cp /var/cache/pyhost-apt/*.deb /var/cache/apt/archives/ 2>/dev/null || true
    apt-get update --quiet
    DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends {PACKAGES}
}}
mkdir -p {KEYS}
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days 2 -subj /CN=golden -config /dev/null \\
    -keyout {KEYS}/privkey.pem -out {KEYS}/fullchain.pem
"""

# Over what the container has: its own files come through, and what is written is gone when the shell ends.
LAY_OVER = f"""
set -eu
layers=$(mktemp -d)
mount -t tmpfs tmpfs "$layers"
for folder in etc srv opt run var; do
    upper=$layers/$folder/upper work=$layers/$folder/work
    mkdir -p "$upper" "$work"
    mount -t overlay overlay -o "lowerdir=/$folder,upperdir=$upper,workdir=$work" "/$folder"
done
cp -r "{ROOT}/$1/." /
"""

# Programs of venvs that nobody has built, and folders that units would make.
UNITS = """
cd /etc/systemd/system
cat -- *.service *.service.d/*.conf 2>/dev/null |
sed -n 's|^Exec[A-Za-z]*=\\(/[^ ]*\\).*|\\1|p' |
while read -r program; do
    [ -e "$program" ] || install -D /bin/true "$program"
done
systemd-analyze verify --man=no "$@"
"""

# Option by option, before it begins with anything: there is no application to load.
UWSGI = """
for file in /etc/pyhost/uwsgi/*.ini; do
    set -- --plugins-dir /usr/lib/uwsgi/plugins --plugin python3 --ini "$file" --no-server
    timeout 20 uwsgi-core "$@" >/tmp/said 2>&1 || true
    grep -q 'Starting uWSGI' /tmp/said || { cat /tmp/said; exit 1; }
done
"""

APACHES = """
for file in /etc/pyhost/mod_wsgi/*.conf; do
    mkdir -p "/run/pyhost/$(basename "$file" .conf)"
    RELAY=fd00::1 apache2 -t -f "$file"
done
"""

PYTHON = """
find /etc/pyhost -name '*.py' -o -name '*.wsgi' | while read -r file; do
    python3 -c 'import sys; compile(open(sys.argv[1]).read(), *sys.argv[1:], "exec")' "$file"
done
"""


class Container:
    """A Debian with all the servers, which do not run."""

    def __init__(self, release: str) -> None:
        self.name = f"pyhost-golden-{release}"
        self.release = release

    def start(self, files: bytes) -> None:
        """Start it with the tar archive of all hosts' files."""
        self.remove()
        unconfined = ["--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined"]
        # Some servers try to listen.
        ipv6 = ["--sysctl", "net.ipv6.conf.all.disable_ipv6=0"]
        archives = ["--volume", f"pyhost-apt-{self.release}:/var/cache/pyhost-apt"]
        options = ["--detach", "--name", self.name, *unconfined, *ipv6, *archives, "--tmpfs", "/tmp"]
        _docker("run", *options, f"pyhost-warm:{self.release}", "sleep", "infinity")
        proxy = json.loads(os.environ.get("PYHOST_BUILD_ENV", "{}")).get("http_proxy", "")
        self.shell(INSTALL, before=["env", f"http_proxy={proxy}"])
        _docker("cp", "-", f"{self.name}:/", data=files)

    def remove(self) -> None:
        """Remove it, if it is there."""
        _docker("rm", "--force", self.name)

    def shell(self, script: str, *arguments: str, before: t.Sequence[str] = ()) -> str:
        """Return the output of a script; fail with it where it ends with another status than 0."""
        return _docker("exec", self.name, *before, "sh", "-c", script, "sh", *arguments)


def _docker(*arguments: str, data: bytes = b"") -> str:
    done = subprocess.run(
        ["docker", *arguments], input=data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=300
    )
    output = done.stdout.decode(errors="replace")
    assert not done.returncode, output
    return output


def _archive() -> bytes:
    """Return all hosts' files, by case and host, as a tar archive."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name in cases.names():
            for host, expected in cases.expected(name).items():
                for path, text in expected.files.items():
                    member = tarfile.TarInfo(f"{ROOT}/{name}/{host}{path}".lstrip("/"))
                    content = text.encode()
                    member.size, member.mode = len(content), 0o644
                    archive.addfile(member, io.BytesIO(content))
    return data.getvalue()


def _given(expected: cases.Expected, module: str) -> list[dict[str, t.Any]]:
    return [args for called, args in expected.calls if called == cases.MODULES + module]


def _certificates(expected: cases.Expected) -> set[str]:
    return {one["name"] for args in _given(expected, "certificates") for one in args.get("certificates", [])}


def _hosts() -> list[t.Any]:
    """Return each host on its release of Debian; one without TLS is made alike for all of them."""
    return [
        pytest.param(release, name, host, id=f"{release}-{name}-{host}")
        for name in cases.names()
        for host, expected in cases.expected(name).items()
        for debian, release in RELEASES.items()
        if expected.files and (debian == expected.debian or not _certificates(expected))
    ]


def _judges(expected: cases.Expected) -> Iterator[str]:
    """Yield the scripts that judge a host's files, each as the last command of what goes before it."""
    users = sorted({app["user"] for args in _given(expected, "accounts") for app in args.get("apps", [])})
    if users:
        yield shlex.join(["systemd-sysusers", "--inline", *(f"u {user} -" for user in users)])
    sets = _given(expected, "config_set")
    for args in sets:
        for file in args.get("files", []):
            # Folders; what else is run wants an application.
            if file.get("command", [""])[0].startswith("systemd-"):
                yield shlex.join(file["command"])
        for gone in args.get("absent", []):
            yield shlex.join(["rm", "-f", gone["path"]])
    for name in sorted(_certificates(expected)):
        yield f"mkdir -p /etc/pyhost/tls && cp -r {KEYS} {shlex.quote(f'/etc/pyhost/tls/{name}')}"
    units = sorted({found[1] for path in expected.files if (found := UNIT.fullmatch(path))})
    if units:
        yield UNITS.replace('"$@"', shlex.join(units))
    for folder, judge in (("uwsgi", UWSGI), ("mod_wsgi", APACHES), ("", PYTHON)):
        suffix = {"uwsgi": ".ini", "mod_wsgi": ".conf", "": ".py"}[folder]
        if any(path.startswith(f"/etc/pyhost/{folder}") and path.endswith(suffix) for path in expected.files):
            yield judge


@pytest.fixture(scope="module")
def containers() -> Iterator[dict[str, Container]]:
    """Return a container for each release, with all files and a pair of a key and a certificate."""
    found = {release: Container(release) for release in RELEASES.values()}
    files = _archive()
    try:
        with ThreadPoolExecutor(len(found)) as pool:
            list(pool.map(lambda container: container.start(files), found.values()))
        yield found
    finally:
        for container in found.values():
            container.remove()


@pytest.mark.parametrize(("release", "name", "host"), _hosts())
def test_servers_take_the_files(containers: dict[str, Container], release: str, name: str, host: str) -> None:
    expected = cases.expected(name)[host]
    namespace = ["unshare", "--mount", "--propagation", "private"]
    tests = [args["test"] for args in _given(expected, "config_set") if "test" in args]
    for test in tests or [{}]:
        judged = [] if test.get("folder") == CHEROKEE else [f"echo '{MARK}'", shlex.join(test.get("command", ["true"]))]
        output = containers[release].shell(
            "\n".join([LAY_OVER, *_judges(expected), *judged]), f"{name}/{host}", before=namespace
        )
        reject = test.get("reject")
        assert not reject or not re.search(reject, output.partition(MARK)[2], re.MULTILINE), output
