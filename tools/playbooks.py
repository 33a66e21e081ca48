"""What of the playbooks follows from the rows of the catalog and from the roles' tasks."""

from __future__ import annotations

import typing as t
from pathlib import Path

import yaml

from plugins.module_utils._catalog import BACK_ENDS, FRONT_ENDS, INSIDE_THE_FRONT_END, BackEnd
from plugins.plugin_utils._items.roles import ROLES
from plugins.plugin_utils._keys.host import HOST_KEYS

ROOT = Path(__file__).resolve().parent.parent

Data = dict[str, t.Any]


def files(made: str, dump: t.Callable[[t.Any], str]) -> dict[Path, str]:
    """Return each file with its text; ``made`` is the first comment of each, ``dump`` writes YAML."""
    tasks = ROOT / "playbooks" / "tasks"

    def text(comment: str, data: t.Any) -> str:
        return f"---\n# {made}\n# {comment}\n{dump(data)}"

    found = {
        tasks / "backends.yml": text("Back ends that run applications, and those of earlier runs.", _backends()),
        tasks / "frontends.yml": text("The front end of this host.", _frontends()),
        tasks / "switch.yml": text("Each back end switches its own applications.", _switch()),
        tasks / "summary.yml": text("What the tasks of all roles have done, and what answers after it.", _summary()),
    }
    for name, preset in presets().items():
        words = ", ".join(f"{key}: {value}" for key, value in preset.items())
        data = [
            {
                "name": f"Run the playbook site with {words}",
                "ansible.builtin.import_playbook": "site.yml",
                "vars": {"__pyhost_preset": preset},
            }
        ]
        found[ROOT / "playbooks" / f"{name}.yml"] = text("The playbook site with other defaults.", data)
    for row in BACK_ENDS.values():
        found[ROOT / "roles" / f"backend_{row.name}" / "tasks" / "switch.yml"] = text(
            "Switches to the releases that are next, and changes nothing else.", _role_switch(row)
        )
    return found


def presets() -> dict[str, Data]:
    """Return the recommended topologies, name to defaults of the playbook site: one for each protocol of a back end."""
    found: dict[str, Data] = {}
    for row in BACK_ENDS.values():
        for protocol in row.serves:
            preset: Data = {"backend": row.name}
            if protocol == INSIDE_THE_FRONT_END:
                frontend = next(name for name, front in FRONT_ENDS.items() if protocol in front.speaks)
                found[f"{frontend}_{row.name}"] = {"pyhost_frontend": frontend, **preset, "protocol": protocol}
                continue
            way = "proxy" if protocol == "http" else protocol
            name = row.name if way == row.name else f"{way}_{row.name}"
            found[name] = {**preset, **({"protocol": protocol} if len(row.serves) > 1 else {})}
    return found


def _include(role: str, **more: t.Any) -> Data:
    return {"ansible.builtin.include_role": {"name": f"pyhost.web.{role}", **more}}


def _backends() -> list[Data]:
    variables: Data = {
        "__pyhost_back_ends": (
            "{{ __pyhost_host.backends | dict2items | selectattr('value') | map(attribute='key')"
            " | union(__pyhost_there.components | select('match', 'backend_') | map('regex_replace', '^backend_', ''))"
            " | list }}"
        ),
    }
    for name in BACK_ENDS:
        variables |= {
            f"backend_{name}_apps": f"{{{{ __pyhost_host.backends.{name} }}}}",
            f"backend_{name}_list": "site",
            f"backend_{name}_other_apps": "{{ __pyhost_host.apps | map(attribute='name') }}",
            f"backend_{name}_health_urls": "{{ __pyhost_host.health_urls }}",
        }
    run = {
        "name": "Run applications",
        **_include("backend_{{ __pyhost_back_end }}", apply={"tags": "backend"}),
        "loop": "{{ __pyhost_host.backends.keys() | select('in', __pyhost_back_ends) }}",
        "loop_control": {"loop_var": "__pyhost_back_end"},
        "tags": "backend",
    }
    return [{"name": "Run applications", "vars": variables, "block": [run]}]


def _frontends() -> list[Data]:
    variables: Data = {}
    for name in FRONT_ENDS:
        role = f"frontend_{name}"
        variables[f"{role}_sites"] = "{{ __pyhost_host.sites }}"
        variables[f"{role}_list"] = "site"
        for key in ROLES[role].variables:
            setting = key.name.removeprefix(f"{role}_")
            if setting in HOST_KEYS:
                variables[key.name] = f"{{{{ __pyhost_host.settings.{setting} }}}}"
    publish = {
        "name": "Publish sites",
        **_include("frontend_{{ __pyhost_host.frontend }}", apply={"tags": "frontend"}),
        "when": "__pyhost_host.frontend | length > 0",
        "tags": "frontend",
    }
    return [{"name": "Publish sites", "vars": variables, "block": [publish]}]


def _switch() -> list[Data]:
    variables: Data = {}
    for name in BACK_ENDS:
        variables |= {
            f"backend_{name}_apps": f"{{{{ __pyhost_host.backends.{name} }}}}",
            f"backend_{name}_health_urls": "{{ __pyhost_asks | ternary(__pyhost_host.health_urls, []) }}",
        }
    switch = {
        "name": "Switch releases",
        **_include("backend_{{ __pyhost_back_end }}", tasks_from="switch"),
        "loop": "{{ __pyhost_host.backends | dict2items | selectattr('value') | map(attribute='key') }}",
        "loop_control": {"loop_var": "__pyhost_back_end"},
    }
    return [{"name": "Switch releases", "vars": variables, "block": [switch]}]


def _results() -> list[str]:
    """Return the variables in which tasks of the roles and of the playbooks report what they did."""
    found: set[str] = set()
    for path in (*ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("playbooks/*.yml"), *ROOT.glob("playbooks/tasks/*.yml")):
        found |= set(_registered(yaml.safe_load(path.read_text())))
    return sorted(name for name in found if "_done_" in name)


def _registered(data: t.Any) -> t.Iterator[str]:
    if isinstance(data, dict):
        yield from [data["register"]] if "register" in data else []
        data = list(data.values())
    if isinstance(data, list):
        for member in data:
            yield from _registered(member)


def _summary() -> list[Data]:
    models, here = "{{ __pyhost_model.hosts }}", "ansible_play_hosts"
    look = {
        "name": "Check applications",
        "pyhost.web.status": {
            "hosts": models,
            "done": {name: f"{{{{ {name} | default({{}}) }}}}" for name in _results()},
        },
        "register": "__pyhost_status",
    }
    tell = {
        "name": "Show the summary",
        "pyhost.web.status_report": {
            "hosts": models,
            "results": f"{{{{ dict({here} | zip({here} | map('extract', hostvars, '__pyhost_status'))) }}}}",
            "failed": f"{{{{ {here}_all | difference({here}) }}}}",
            "format": "summary",
        },
        "run_once": True,
    }
    return [look, tell]


def _role_switch(row: BackEnd) -> list[Data]:
    role = f"backend_{row.name}"
    (main,) = (
        task
        for task in yaml.safe_load((ROOT / "roles" / role / "tasks" / "main.yml").read_text())
        if "pyhost.web.config_set" in task
    )
    whole = main["pyhost.web.config_set"]
    return [
        {
            "name": "Activate releases",
            "pyhost.web.config_set": {
                "needed": f"{{{{ __{role}_apps | length > 0 }}}}",
                "name": role,
                "partial": True,
                "files": f"{{{{ __{role}_releases }}}}",
                **{key: whole[key] for key in ("units", "health_urls", "requests")},
            },
            "register": f"__{role}_done_switch",
        }
    ]
