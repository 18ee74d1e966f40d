"""Every message a user can meet, collected from the code into one golden copy that a reader can go through.

Every text of two words counts, wherever it is: a list of calls whose text is for people was never complete.
Write it anew with `HAPLANE_GOLDEN=write pytest tests/test_messages.py` and read the difference as its editor.
"""

import ast
import os
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
GOLDEN = Path(__file__).parent / "golden" / "messages.txt"
TWO_WORDS = re.compile(r"[a-z]+ [a-z]")
NOT_FOR_PEOPLE = re.compile(r"\\|\(\?|\n.*\n.*\n|;\w|;$|<\w")
"""Patterns, programs and pages."""

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


def test_every_message_is_as_in_the_golden_copy():
    found = "\n".join(collected()) + "\n"
    if os.environ.get("HAPLANE_GOLDEN") == "write":
        GOLDEN.write_text(found)
    assert found == GOLDEN.read_text()


def test_no_message_uses_a_word_of_our_own():
    assert [line for line in collected() if re.search(rf"\b({PRIVATE})\b", line.partition(": ")[2])] == []
