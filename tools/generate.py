"""usage: python -m tools.generate [--check], in the root of the project

Write what follows from the one table of keys: the roles' argument specs and defaults, the tables in their READMEs, the
reference, and the rows of docs/pairs.md and docs/deploy.md. The combinations in README.md and the abilities in
docs/servers.md come from the catalog, the rows of docs/security-evidence.md from tests/controls, and
tests/unit/messages.txt from all the code. With --check nothing is written, and the exit code is 1 if a file is not what
it should be.
"""

from __future__ import annotations

import sys
import textwrap
import typing as t
from pathlib import Path

import yaml

from plugins.module_utils._catalog import BACK_ENDS, FRONT_ENDS, protocols
from plugins.plugin_utils._items.roles import ROLES, Role
from plugins.plugin_utils._keys.app import APP
from plugins.plugin_utils._keys.host import HOST
from plugins.plugin_utils._keys.key import Key
from tools import messages, pairs, playbooks

ROOT = Path(__file__).resolve().parent.parent
MADE = "Made by tools/generate.py: change plugins/plugin_utils and run `make generate`"
BEGIN, END = "<!-- variables: made by tools/generate.py -->", "<!-- end of variables -->"

README, SERVERS = ROOT / "README.md", ROOT / "docs" / "servers.md"
CONTROLS, EVIDENCE = ROOT / "tests" / "controls" / "controls.yml", ROOT / "docs" / "security-evidence.md"

# What a front end can do: the attribute of its row, and how the docs call it.
ABILITIES = {
    "tls": "TLS: `tls`, `hsts`",
    "http3": "HTTP/3: `pyhost_http3`",
    "trusts_proxies": "another proxy in front: `pyhost_trusted_proxies`",
    "limits_visitors": "limits for each client address: `limits.requests`, `limits.connections`",
    "htaccess": "`.htaccess` files: `htaccess`",
    "logs_json": "access logs as JSON: `pyhost_access_log`",
    "separates_private": "`private` files of several users on one host",
}


class _Dumper(yaml.SafeDumper):
    """Indents lists below their key, as yamllint wants it."""

    def increase_indent(self, flow: bool = False, *_indentless: t.Any, **_options: t.Any) -> None:
        super().increase_indent(flow, indentless=False)


def _yaml(data: t.Any) -> str:
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def _flow(value: t.Any) -> str:
    """Return a value as it is written in one line of YAML."""
    if value is None:
        return ""
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**6, sort_keys=False)
    return text.removesuffix("\n...\n").strip()


def _spec(key: Key) -> dict[str, t.Any]:
    spec: dict[str, t.Any] = {"description": key.description, "type": key.type}
    if key.elements:
        spec["elements"] = key.elements
    if key.choices:
        spec["choices"] = list(key.choices)
    if key.required:
        spec["required"] = True
    elif key.default is not None:
        spec["default"] = key.default
    if key.options:
        spec["options"] = {option.name: _spec(option) for option in key.options}
    return spec


def _argument_specs(role: Role) -> str:
    options = {key.name: _spec(key) for key in role.variables}
    specs = {"main": {"short_description": role.short, "description": [role.description], "options": options}}
    return f"---\n# {MADE}\n{_yaml({'argument_specs': specs})}"


def _defaults(name: str, role: Role) -> str:
    lines = ["---", f"# {MADE}"]
    for key in role.variables:
        comment = textwrap.wrap(key.description, 120, initial_indent="# ", subsequent_indent="# ")
        lines += ["", *comment, _yaml({key.name: key.default}).rstrip()]
    if name.startswith("frontend_"):
        settings = {key.name.removeprefix(f"{name}_"): f"{{{{ {key.name} }}}}" for key in role.variables}
        lines += ["", "# All of them, for the filter front_end.", _yaml({f"__{name}_settings": settings}).rstrip()]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


# The types of Ansible's specs, in plain words.
KINDS = {"str": "text", "int": "number", "bool": "true or false", "dict": "dictionary"}
MANY = {"str": "text", "int": "numbers", "dict": "dictionaries"}


def _rows(keys: t.Iterable[Key], prefix: str = "") -> list[str]:
    rows = []
    for key in keys:
        kind = f"list of {MANY[key.elements]}" if key.elements in MANY else KINDS.get(key.type, key.type)
        default = "**required**" if key.required else f"`{_flow(key.default)}`" if key.default not in (None, {}) else ""
        if key.default == {} and not key.options:
            default = "`{}`"
        choices = f" One of {', '.join(f'`{choice}`' for choice in key.choices)}." if key.choices else ""
        example = f"`{_flow(key.example)}`" if key.example is not None else ""
        row = [f"`{prefix}{key.name}`", key.forms or kind, default, key.description + choices, example]
        rows.append("| " + " | ".join(map(_cell, row)) + " |")
        rows += _rows(key.options, f"{prefix}{key.name}{'[]' if key.elements else ''}.")
    return rows


def _table(keys: t.Iterable[Key]) -> str:
    head = ["| key | type | default | meaning | example |", "|---|---|---|---|---|"]
    return "\n".join(head + _rows(keys)) + "\n"


def _ways(front_end: str, back_end: str) -> str:
    here, afar = (protocols(front_end, back_end, same_host=same) for same in (True, False))
    only = {protocol: " on the same host" for protocol in here if protocol not in afar}
    only |= {protocol: " from another host" for protocol in afar if protocol not in here}
    served = [protocol for protocol in BACK_ENDS[back_end].serves if protocol in here + afar]
    return ", ".join(protocol + only.get(protocol, "") for protocol in served) or "–"


def _combinations() -> str:
    """Return the table of front ends, back ends and the protocols between them."""
    head = [f"| | {' | '.join(row.title for row in BACK_ENDS.values())} |", "|---|" + "---|" * len(BACK_ENDS)]
    rows = [
        f"| {row.title} | {' | '.join(_ways(name, back_end) for back_end in BACK_ENDS)} |"
        for name, row in FRONT_ENDS.items()
    ]
    return "\n".join(head + rows) + "\n"


def _abilities() -> str:
    """Return the table of what each front end can do."""
    head = [f"| | {' | '.join(row.title for row in FRONT_ENDS.values())} |", "|---|" + "---|" * len(FRONT_ENDS)]
    rows = [
        f"| {title} | {' | '.join('yes' if getattr(row, ability) else 'no' for row in FRONT_ENDS.values())} |"
        for ability, title in ABILITIES.items()
    ]
    return "\n".join(head + rows) + "\n"


def _between(page: Path, subject: str, table: str) -> str:
    """Return a page with a table between the markers of its subject."""
    begin, end = f"<!-- {subject}: made by tools/generate.py -->\n", f"<!-- end of {subject} -->"
    before, rest = page.read_text().split(begin)
    return f"{before}{begin}{table}{end}{rest.split(end)[1]}"


# The reference has a table for each of these; it begins with the key that is named.
GROUPS = {
    "domains": "Addresses and TLS",
    "source": "Code",
    "backend": "Server",
    "env": "Environment and permissions",
    "static": "Files and headers",
    "setup": "Releases",
    "limits": "Limits",
    "user": "Account and hosts",
    "state": "Removal",
    "extra": "Raw configuration",
    "pyhost_app_defaults": "Servers and hosts",
    "pyhost_only": "Deploy and rollback, given with -e",
    "pyhost_probe_url": "Front end",
    "pyhost_build_env": "Builds",
    "pyhost_status_format": "Status, given with -e",
}


def _groups(keys: t.Iterable[Key]) -> str:
    parts: list[tuple[str, list[Key]]] = []
    for key in keys:
        if key.name in GROUPS:
            parts.append((GROUPS[key.name], []))
        parts[-1][1].append(key)
    return "\n".join(f"### {title}\n\n{_table(members)}" for title, members in parts)


def _reference() -> str:
    return f"""<!-- {MADE} -->
# Reference

Every key of an application and every variable of a host, with type, default and an example.
Use it to look up a name. The [docs by task](README.md) show how to combine them.

## Keys of an application

Write them below the application's name in `pyhost_apps`.

{_groups(APP)}
## Variables of a host or group

`pyhost_apps` and any `pyhost_apps__ANYTHING` map the names of applications to their descriptions. They are merged.

{_groups(HOST)}
## Combinations of front ends and back ends

Rows are front ends, columns back ends, and cells the protocols between them.

{_combinations()}"""


def _readme(path: Path, role: Role) -> str:
    if not path.exists():
        return f"{BEGIN}\n{_table(role.variables)}{END}\n"
    return _between(path, "variables", _table(role.variables))


def _controls() -> str:
    rows = yaml.safe_load(CONTROLS.read_text())["controls"]
    lines = ["| asked | by | here | |", "|---|---|---|---|"]
    for row in rows:
        by = "; ".join(f"{name} {', '.join(str(numbers).split())}" for name, numbers in row["names"].items())
        lines.append(f"| {_cell(row['asks'])} | {by} | {row['here']} | {_cell(row.get('why', ''))} |")
    return _between(EVIDENCE, "controls", "\n".join([*lines, ""]))


def _files() -> dict[Path, str]:
    seen = pairs.committed()
    files = {
        messages.LIST: messages.messages(),
        ROOT / "docs" / "reference.md": _reference(),
        README: _between(README, "combinations", _combinations()),
        SERVERS: _between(SERVERS, "abilities", _abilities()),
        EVIDENCE: _controls(),
        pairs.DOCS: pairs.finished(seen),
        pairs.DEPLOY: pairs.measured(seen),
        **playbooks.files(MADE, _yaml),
    }
    for name, role in ROLES.items():
        folder = ROOT / "roles" / name
        files[folder / "meta" / "argument_specs.yml"] = _argument_specs(role)
        files[folder / "defaults" / "main.yml"] = _defaults(name, role)
        files[folder / "README.md"] = _readme(folder / "README.md", role)
    return files


def main() -> int:
    """Write the files, or tell which differ."""
    stale = {path: text for path, text in _files().items() if not path.exists() or path.read_text() != text}
    if "--check" in sys.argv[1:]:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is out of date; run `make generate`")
        return 1 if stale else 0
    for path, text in stale.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
