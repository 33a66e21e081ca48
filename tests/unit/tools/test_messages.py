"""The list of messages has every sentence of the code, so that a new one is seen in review."""

from __future__ import annotations

import pytest

from tools import messages
from tools.messages import PAGE, PRINTED, UnreadableError, of_python, of_text


def test_the_list_is_what_the_code_says() -> None:
    assert messages.LIST.read_text() == messages.messages(), "run `make generate`, and review the changed messages"


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ('raise PyhostError("damaged")', ["damaged"]),
        ('raise PyhostError(f"{path}: {problem}")', ["{path}: {problem}"]),
        ('words = f"{wish.origin} is damaged"\nraise PyhostError(words)', ["{origin} is damaged"]),
        ('def why():\n    return "it is damaged"', ["it is damaged"]),
        ("problems += [f\"{name} failed: {', '.join(left)}\"]", ["{name} failed: {left}"]),
        ("say(f\"{'no shell' if none else shell} there\")", ["no shell", "{…} there"]),
        ('say("user: " + f"user {name} is missing")', ["user {name} is missing"]),
        ('Key("path", "str", "A path to it.", check=pattern("/.*", "a path such as /"))', ["a path such as /"]),
        ('def f():\n    """Return a thing that is not printed."""', []),
        ('run("""\nexec something else\n""")', []),
        ('run(f"exec {command} now")', []),
        ('DOCUMENTATION = "this is in the documentation"', []),
    ],
)
def test_a_message_is_found_however_it_is_printed(code: str, found: list[str]) -> None:
    assert sorted(of_python(code)) == found


def test_what_a_template_shows_is_found() -> None:
    assert of_text('Description=A unit\necho "No file" >&2\n# A comment\n', PRINTED) == ["A unit", "No file"]
    assert of_text('<h2 class="A b">No hosts</h2><td aria-label="Two parts">{{ x }}</td>', PAGE) == [
        "No hosts",
        "Two parts",
    ]


@pytest.mark.parametrize("code", ["raise PyhostError()", "raise PyhostError", 'raise PyhostError("""words\n""")'])
def test_an_exception_without_a_readable_message_is_an_error(code: str) -> None:
    with pytest.raises(UnreadableError, match="1: PyhostError"):
        list(of_python(code))
