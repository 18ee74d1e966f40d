"""Every message a user can meet, collected from the code into one golden copy that a reader can go through.

Write it anew with `HAPLANE_GOLDEN=write pytest tests/test_messages.py` and read the difference as its editor.
"""

import ast
import os
import re
from pathlib import Path

from haplane import errors

ROOT = Path(__file__).parents[1]
GOLDEN = Path(__file__).parent / "golden" / "messages.txt"
ERRORS = {name for name, thing in vars(errors).items() if isinstance(thing, type) and issubclass(thing, Exception)}
SAYING = ERRORS | {
    "problem",
    "Phase",
    "Look",
    "Step",
    "Verdict",
    "Blocked",
    "Change",
    "progress",
    "option",
    "argument",
}
"""Calls whose text is for people: errors, problems of status, what plans and progress say, help."""

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
    """All the literals of an argument, also of a choice between two."""
    if (found := text_of(node)) is not None:
        yield found
        return
    for child in ast.iter_child_nodes(node):
        yield from texts_in(child)


def named(call):
    """What is called: the last part of its name."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def messages_of(path):
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and named(node) in SAYING:
            for argument in (*node.args, *(word.value for word in node.keywords)):
                yield from texts_in(argument)
        if isinstance(node, ast.ClassDef) and any("Enum" in ast.unparse(base) for base in node.bases):
            yield from (text for line in node.body if isinstance(line, ast.Assign) for text in texts_in(line.value))


def collected():
    """``MODULE: MESSAGE`` of everything with two words, sorted within its module."""
    lines = []
    for path in sorted((ROOT / "haplane").rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        found = {" ".join(text.split()) for text in messages_of(path)}
        lines += [f"{module}: {text}" for text in sorted(found) if re.search(r"[a-z]+ [a-z]", text)]
    return lines


def test_every_message_is_as_in_the_golden_copy():
    found = "\n".join(collected()) + "\n"
    if os.environ.get("HAPLANE_GOLDEN") == "write":
        GOLDEN.write_text(found)
    assert found == GOLDEN.read_text()


def test_no_message_uses_a_word_of_our_own():
    assert [line for line in collected() if re.search(rf"\b({PRIVATE})\b", line.partition(": ")[2])] == []
