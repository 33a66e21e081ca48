"""A server is added by a row, a file and the folder of its role: everything else follows from those."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
BY_HAND = ("tasks/main.yml", "vars/main.yml")
NEEDED = ("plugins", "roles", "playbooks", "docs", "tools", "tests")
BACK_END = 'BackEnd("echo", "Echo", serves=("scgi", "http"), requirements=("echo-server==1.0",)),'
FRONT_END = """FrontEnd(
            "mirror",
            "Mirror",
            speaks=_ALL,
            unit="mirror.service",
            package="mirror",
            config="/etc/mirror",
            logs="/var/log/mirror",
        ),"""


def _run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools.generate", *arguments]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)


def _role(project: Path, model: str, name: str) -> None:
    """Make a role like another one, without what is generated."""
    role, like = project / "roles" / name, project / "roles" / model
    for file in BY_HAND:
        (role / file).parent.mkdir(parents=True)
        (role / file).write_text((like / file).read_text().replace(model, name))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the project that has two servers more."""
    copy = tmp_path_factory.mktemp("project")
    shutil.copy(ROOT / "README.md", copy)
    for folder in NEEDED:
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__", "golden"))
    catalog = copy / "plugins" / "module_utils" / "_catalog.py"
    text = catalog.read_text()
    for start, row in (('BackEnd("flup"', BACK_END), ('FrontEnd(\n            "lighttpd"', FRONT_END)):
        assert text.count(start) == 1
        text = text.replace(start, f"{row}\n        {start}")
    catalog.write_text(text)
    servers = copy / "plugins" / "plugin_utils" / "_servers"
    for name, kind in (("echo", "BackEndServer"), ("mirror", "FrontEndServer")):
        (servers / f"{name}.py").write_text(f"from .server import {kind}\n\nSERVER = {kind}()\n")
    _role(copy, "backend_flup", "backend_echo")
    _role(copy, "frontend_nginx", "frontend_mirror")
    assert _run(copy, "--check").returncode == 1
    done = _run(copy)
    assert done.returncode == 0, done.stderr
    assert _run(copy, "--check").returncode == 0
    return copy


def test_the_roles_have_defaults_specs_and_tables(project: Path) -> None:
    for role, variable in (("backend_echo", "backend_echo_apps"), ("frontend_mirror", "frontend_mirror_sites")):
        folder = project / "roles" / role
        assert variable in yaml.safe_load((folder / "defaults" / "main.yml").read_text())
        specs = yaml.safe_load((folder / "meta" / "argument_specs.yml").read_text())
        assert variable in specs["argument_specs"]["main"]["options"]
        assert f"| `{variable}` |" in (folder / "README.md").read_text()
    (switch,) = yaml.safe_load((project / "roles" / "backend_echo" / "tasks" / "switch.yml").read_text())
    assert switch["pyhost.web.config_set"]["name"] == "backend_echo"


def test_the_playbooks_run_them(project: Path) -> None:
    tasks = project / "playbooks" / "tasks"
    for file, variable in (
        ("backends", "backend_echo_apps"),
        ("switch", "backend_echo_apps"),
        ("frontends", "frontend_mirror_sites"),
    ):
        (block,) = yaml.safe_load((tasks / f"{file}.yml").read_text())
        assert variable in block["vars"]
    for preset, protocol in (("scgi_echo", "scgi"), ("proxy_echo", "http")):
        (play,) = yaml.safe_load((project / "playbooks" / f"{preset}.yml").read_text())
        assert play["vars"]["__pyhost_preset"] == {"backend": "echo", "protocol": protocol}


def test_the_docs_name_them(project: Path) -> None:
    for page in ("README.md", "docs/reference.md"):
        text = (project / page).read_text()
        assert re.search(r"^\| Mirror \|.*\|$", text, re.MULTILINE)
        assert re.search(r"^\| \|.* Echo .*\|$", text, re.MULTILINE)
    assert re.search(r"^\| \|.* Mirror .*\|$", (project / "docs" / "servers.md").read_text(), re.MULTILINE)
    pairs = (project / "docs" / "pairs.md").read_text()
    assert re.search(r"^\| mirror \|.*not tested.*\|$", pairs, re.MULTILINE)
    assert " echo scgi " in pairs


def test_the_summary_has_what_they_do(project: Path) -> None:
    look, _tell = yaml.safe_load((project / "playbooks" / "tasks" / "summary.yml").read_text())
    done = look["pyhost.web.status"]["done"]
    assert {"__backend_echo_done_switch", "__frontend_mirror_done_publish"} <= set(done)


def test_all_but_the_row_the_file_and_the_role_is_generated(project: Path) -> None:
    """A scenario, prose and templates come on top, all of them new files; no other role changes."""
    changed = {
        str(path.relative_to(project))
        for folder in NEEDED
        for path in (project / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
        for before in [ROOT / path.relative_to(project)]
        if not before.exists() or before.read_bytes() != path.read_bytes()
    }
    listed = "from tools.generate import ROOT, _files; print(*(path.relative_to(ROOT) for path in _files()), sep='\\n')"
    generated = subprocess.run([sys.executable, "-c", listed], cwd=project, capture_output=True, text=True, check=True)
    assert changed - {*generated.stdout.split()} == {
        "plugins/module_utils/_catalog.py",
        *(f"plugins/plugin_utils/_servers/{name}.py" for name in ("echo", "mirror")),
        *(f"roles/{role}/{file}" for role in ("backend_echo", "frontend_mirror") for file in BY_HAND),
    }
    assert {path.split("/")[1] for path in changed if path.startswith("roles/")} == {"backend_echo", "frontend_mirror"}
