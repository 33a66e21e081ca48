"""The names of tasks and plays are the log of a run: a person reads them from top to bottom."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted([*ROOT.glob("playbooks/**/*.yml"), *ROOT.glob("roles/*/tasks/*.yml")])
VERBS = {
    "Activate", "Build", "Check", "Configure", "Create", "Find", "Inspect", "Install", "Load", "Prepare", "Protect",
    "Publish", "Remove", "Request", "Restrict", "Roll", "Run", "Select", "Set", "Show", "Switch",
}  # fmt: skip
# They stand for something that the reader of a log does not see, or hide who does it.
VAGUE = {"it", "its", "them", "they", "their", "what", "whatever", "who", "whoever", "anybody", "nobody", "those"}
LONGEST = 5


def _named(things: list[dict[str, t.Any]]) -> Iterator[dict[str, t.Any]]:
    """Yield all that Ansible prints a name of."""
    for thing in things:
        parts = [part for key in ("tasks", "block", "always", "rescue") for part in thing.get(key, [])]
        # Neither another playbook nor a block has a line of its own.
        if "ansible.builtin.import_playbook" not in thing and "block" not in thing:
            yield thing
        yield from _named(parts)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_name_is_a_short_instruction(path: Path) -> None:
    for thing in _named(yaml.safe_load(path.read_text())):
        words = thing["name"].split()
        assert words[0] in VERBS, thing["name"]
        assert len(words) <= LONGEST and thing["name"][-1].isalnum(), thing["name"]
        assert not VAGUE.intersection(word.lower() for word in words), thing["name"]


def test_siblings_have_the_same_names() -> None:
    """A run reads alike, whichever server it is about, but for the package."""
    found: dict[tuple[str, ...], set[str]] = {}
    for path in (ROOT / "roles").glob("*/tasks/*.yml"):
        for task in _named(yaml.safe_load(path.read_text())):
            phase = task.get("register", "").rpartition("_")[2]
            if phase != "packages":
                found.setdefault((path.parts[-3].partition("_")[0], path.stem, phase), set()).add(task["name"])
    assert [names for names in found.values() if len(names) > 1] == []
