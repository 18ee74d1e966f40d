"""Every message a user can meet, collected from the code into one golden copy that a reader can go through.

Every text of two words counts, wherever it is: a list of calls whose text is for people was never complete.
Write it anew with `HAPLANE_GOLDEN=write pytest tests/test_messages.py` and read the difference as its editor.
"""

import ast
import os
import re
from pathlib import Path

from haplane.cli.main import GROUPS

TESTS = Path(__file__).parent
ROOT = TESTS.parent
GOLDEN = TESTS / "golden" / "messages.txt"
TWO_WORDS = re.compile(r"[a-z]+ [a-z]")
NOT_FOR_PEOPLE = re.compile(r"\\|\(\?|\n.*\n.*\n|;\w|;$|<\w")
"""Patterns, programs and pages."""

VERBS = "|".join(verb for verbs in GROUPS.values() for verb in verbs)
COMMAND = re.compile(rf"(^|[ :])(haplane ({VERBS}) |(kubectl|systemctl|journalctl|chmod|chown|apt-get) [a-z0-9-])")

PRIVATE = (
    "stranger|mend|mended|aside(?!-)|good-bye|told|silent|leaf|strike|struck|sound|condemned|"
    "comings|teller|shelf|complaint|doubt|trouble"
)
"""Words that the field has better ones for, or that only people do."""


def text_of(node):
    """A literal as a reader sees it, with {names} where values go; None for what is no literal."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) or f"{{{ast.unparse(part.value)}}}" for part in node.values)
    return None


def texts_in(node):
    """All the literals below it but docstrings, annotations and what is inside another literal."""
    if (found := text_of(node)) is not None:
        yield found
        return
    for name, child in ast.iter_fields(node):
        if name in ("annotation", "returns"):
            continue
        for one in child if isinstance(child, list) else [child]:
            is_docstring = isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant)
            if isinstance(one, ast.AST) and not is_docstring:
                yield from texts_in(one)


def collected():
    """``MODULE: MESSAGE`` of everything with two words, sorted within its module."""
    lines = []
    for path in sorted((ROOT / "haplane").rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        texts = [text for text in texts_in(ast.parse(path.read_text())) if not NOT_FOR_PEOPLE.search(text)]
        found = {" ".join(text.split()) for text in texts}
        lines += [f"{module}: {text}" for text in sorted(found) if TWO_WORDS.search(text)]
    return lines


def is_moment(node):
    """Whether it is the moment of a fault, as in soak_safe.py."""
    return isinstance(node, ast.Call) and getattr(node.func, "id", None) == "Moment"


def test_every_message_is_as_in_the_golden_copy():
    found = "\n".join(collected()) + "\n"
    if os.environ.get("HAPLANE_GOLDEN") == "write":
        GOLDEN.write_text(found)
    assert found == GOLDEN.read_text()


def test_no_message_uses_a_word_of_our_own():
    assert [line for line in collected() if re.search(rf"\b({PRIVATE})\b", line.partition(": ")[2])] == []


def test_a_command_in_a_next_step_is_in_backquotes():
    bare = []
    for path in (ROOT / "haplane").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "next_step":
                outside = [re.sub("`.*?`", "", text) for text in texts_in(node.value)]
                bare += [f"{path.name}: {text}" for text in outside if COMMAND.search(text)]
    assert bare == []


def test_the_steps_that_faults_wait_for_are_those_of_the_code():
    """A soak waited for `Apply what exists once` after the phase had another title: its fault never came."""
    messages = [line.partition(": ")[2] for line in GOLDEN.read_text().splitlines()]
    worded = [message for message in messages if TWO_WORDS.search(re.sub(r"\{.*?\}", "", message))]
    shapes = [re.sub(r"\\\{.*?\\\}", ".+", re.escape(message)) for message in worded]
    calls = [
        node for path in TESTS.rglob("*.py") for node in ast.walk(ast.parse(path.read_text())) if is_moment(node)
    ]
    awaited = {text.removeprefix("up: ") for call in calls if (text := text_of(call.args[0])) and "{" not in text}
    assert awaited
    known = {text for text in awaited if any(message.startswith(text) for message in messages)}
    assert {text for text in awaited - known if not any(re.fullmatch(shape, text) for shape in shapes)} == set()
