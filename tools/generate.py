"""usage: python -m tools.generate [--check], in the root of the project

Write what follows from the one table of keys: the roles' argument specs and defaults, the tables in their READMEs, the
reference, and the rows of docs/pairs.md and docs/deploy.md; docs/security.md has its rows from tests/controls. With
--check nothing is written, and the exit code is 1 where a file is not what it should be.
"""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

import yaml

from plugins.module_utils._catalog import BACK_ENDS, FRONT_ENDS, protocols
from plugins.plugin_utils._items.roles import ROLES, Role
from plugins.plugin_utils._keys.app import APP
from plugins.plugin_utils._keys.host import HOST
from plugins.plugin_utils._keys.key import Key
from tools import pairs, playbooks

ROOT = Path(__file__).resolve().parent.parent
MADE = "Made by tools/generate.py: change plugins/plugin_utils and run `make generate`"
BEGIN, END = "<!-- variables: made by tools/generate.py -->", "<!-- end of variables -->"

CONTROLS, SECURITY = ROOT / "tests" / "controls" / "controls.yml", ROOT / "docs" / "security.md"
BEGIN_CONTROLS, END_CONTROLS = "<!-- controls: made by tools/generate.py -->", "<!-- end of controls -->"


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


def _defaults(role: Role) -> str:
    lines = ["---", f"# {MADE}"]
    for key in role.variables:
        lines += ["", f"# {key.description}", _yaml({key.name: key.default}).rstrip()]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _rows(keys: t.Iterable[Key], prefix: str = "") -> list[str]:
    rows = []
    for key in keys:
        kind = f"list of {key.elements}" if key.elements and key.elements != "raw" else key.type
        default = "**required**" if key.required else f"`{_flow(key.default)}`" if key.default not in (None, {}) else ""
        if key.default == {} and not key.options:
            default = "`{}`"
        choices = f" One of {', '.join(f'`{choice}`' for choice in key.choices)}." if key.choices else ""
        example = f"`{_flow(key.example)}`" if key.example is not None else ""
        row = [f"`{prefix}{key.name}`", kind, default, key.description + choices, example]
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


def _pairs() -> str:
    head = [f"| | {' | '.join(BACK_ENDS)} |", "|---|" + "---|" * len(BACK_ENDS)]
    rows = [f"| {name} | {' | '.join(_ways(name, back_end) for back_end in BACK_ENDS)} |" for name in FRONT_ENDS]
    return "\n".join(head + rows) + "\n"


def _reference() -> str:
    return f"""<!-- {MADE} -->
# Reference

## An application: the keys below its name in `pyhost_apps`

{_table(APP)}
## Variables of a host or group

`pyhost_apps` and any `pyhost_apps__ANYTHING` are dictionaries, application name to description; they are merged.

{_table(HOST)}
## Front ends (rows), back ends (columns) and the protocols between them

{_pairs()}"""


def _readme(path: Path, role: Role) -> str:
    text = path.read_text() if path.exists() else f"{BEGIN}\n{END}\n"
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{_table(role.variables)}{END}{rest.split(END)[1]}"


def _controls() -> str:
    rows = yaml.safe_load(CONTROLS.read_text())["controls"]
    lines = ["| asked | by | here | |", "|---|---|---|---|"]
    for row in rows:
        by = "; ".join(f"{name} {', '.join(str(numbers).split())}" for name, numbers in row["names"].items())
        lines.append(f"| {_cell(row['asks'])} | {by} | {row['here']} | {_cell(row.get('why', ''))} |")
    before, rest = SECURITY.read_text().split(BEGIN_CONTROLS)
    return "\n".join([before + BEGIN_CONTROLS, *lines, END_CONTROLS + rest.split(END_CONTROLS)[1]])


def _files() -> dict[Path, str]:
    seen = pairs.committed()
    files = {
        ROOT / "docs" / "reference.md": _reference(),
        SECURITY: _controls(),
        pairs.DOCS: pairs.finished(seen),
        pairs.DEPLOY: pairs.measured(seen),
        **playbooks.files(MADE, _yaml),
    }
    for name, role in ROLES.items():
        folder = ROOT / "roles" / name
        files[folder / "meta" / "argument_specs.yml"] = _argument_specs(role)
        files[folder / "defaults" / "main.yml"] = _defaults(role)
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
