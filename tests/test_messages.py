"""Every message and help text a user can meet, collected from the code into golden copies for a reader.

Every text of two words counts, wherever it is: a list of calls whose text is for people was never complete.
Write them anew with `HAPLANE_GOLDEN=write pytest tests/test_messages.py` and read the difference as its editor.
"""

import ast
import os
import re
from functools import cache
from inspect import cleandoc
from pathlib import Path
from textwrap import indent

import click
import pytest
import words

from haplane.cli.main import GROUPS, cli
from haplane.config.model import Cluster, EtcdSettings, Keepalived, Tuning
from haplane.config.snapshots import Snapshots

TESTS = Path(__file__).parent
ROOT = TESTS.parent
GOLDEN = TESTS / "golden" / "messages.txt"
HELP = TESTS / "golden" / "help.txt"
TWO_WORDS = re.compile(r"[a-z]+ [a-z]")
NOT_FOR_PEOPLE = re.compile(r"\\|\(\?|\n.*\n.*\n|;\w|;$|<\w")
"""Patterns, programs and pages."""

VERBS = "|".join(verb for verbs in GROUPS.values() for verb in verbs)
COMMAND = re.compile(rf"(^|[ :])(haplane ({VERBS}) |(kubectl|systemctl|journalctl|chmod|chown|apt-get) [a-z0-9-])")


def text_of(node):
    """A literal as a reader sees it, with {names} where values go; None for what is no literal."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) or f"{{{ast.unparse(part.value)}}}" for part in node.values)
    return None


def texts_in(node):
    """All the literals below it but docstrings, annotations and what is inside another literal.

    A check's docstring is what users read of it.
    """
    if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
        yield (ast.get_docstring(node) or "").partition("\n")[0]
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


@cache
def trees():
    """Of haplane's modules, by path."""
    return {path: ast.parse(path.read_text()) for path in sorted((ROOT / "haplane").rglob("*.py"))}


def collected():
    """``MODULE: MESSAGE`` of everything with two words, sorted within its module."""
    lines = []
    for path, tree in trees().items():
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        texts = [text for text in texts_in(tree) if not NOT_FOR_PEOPLE.search(text)]
        found = {" ".join(text.split()) for text in texts}
        lines += [f"{module}: {text}" for text in sorted(found) if TWO_WORDS.search(text)]
    return lines


def is_moment(node):
    """Whether it is the moment of a fault, as in soak_safe.py."""
    return isinstance(node, ast.Call) and getattr(node.func, "id", None) == "Moment"


def commands(command, context):
    """The context of each command, a group's before those of its own."""
    yield context
    for name in command.list_commands(context) if isinstance(command, click.Group) else ():
        below = command.get_command(context, name)
        yield from commands(below, click.Context(below, context, info_name=name))


def help_texts():
    """Usage, texts and options of every command; then what each option does, once."""
    lines, options = [], {}
    for context in commands(cli, click.Context(cli, info_name="haplane", **cli.context_settings)):
        command = context.command
        records = [one.get_help_record(context) for one in command.params if isinstance(one, click.Option)]
        texts = [cleandoc(text or "") for text in (command.short_help, command.help, command.epilog)]
        shown = "\n".join([*filter(None, texts), " ".join(name for name, _ in records)])
        lines += [command.get_usage(context).removeprefix("Usage: "), indent(shown.replace("\b\n", ""), "  "), ""]
        options |= {f"{name}  {does}": None for name, does in records}
    return "\n".join([*lines, *sorted(options)]) + "\n"


@pytest.mark.parametrize(
    ("golden", "collect"),
    [(GOLDEN, lambda: "\n".join(collected()) + "\n"), (HELP, help_texts)],
    ids=["messages", "help"],
)
def test_every_text_is_as_in_the_golden_copy(golden, collect):
    found = collect()
    if os.environ.get("HAPLANE_GOLDEN") == "write":
        golden.write_text(found)
    assert found == golden.read_text()


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "templates/pages").iterdir())]
SCRIPTS = sorted((ROOT / "haplane/scripts").rglob("*.sh"))
INVENTORIES = sorted((ROOT / "inventories").glob("*.py"))


def prose_of(path):
    """A page's paragraphs without code, a script's comments and what it prints, an inventory's comments."""
    text = path.read_text()
    if path.suffix == ".py":
        return [*re.findall(r"(?:^|\s)#.*", text), *text.partition('"""')[2].partition('"""')[0].splitlines()]
    if path.suffix == ".sh":
        return re.findall(r"(?:^|\s)#[^!{].*|\becho .*", text)
    text = re.sub(r"```.*?```|`[^`]*`|\]\([^)]*\)|\{[{%].*?[%}]\}|<style.*?</style>", " ", text, flags=re.DOTALL)
    return [" ".join(paragraph.split()) for paragraph in text.split("\n\n")]


def test_every_setting_is_where_users_look_for_it():
    """`proxy_mode` was in a refusal, in no page and no example."""
    text = "\n".join(path.read_text() for path in (*PAGES, ROOT / "inventories/prod.py"))
    models = (Cluster, Tuning, EtcdSettings, Keepalived, Snapshots)
    settings = {name for model in models for name in model.model_fields}
    assert {name for name in settings - {"lab", "tuning"} if not re.search(rf"\b{name}\b", text)} == set()


def test_no_text_uses_a_word_of_our_own():
    texts = {line: line.partition(": ")[2] for line in GOLDEN.read_text().splitlines()}
    texts |= {line: line for line in HELP.read_text().splitlines()}
    files = (*PAGES, *SCRIPTS, *INVENTORIES)
    texts |= {f"{path.relative_to(ROOT)}: {one[:60]}": one for path in files for one in prose_of(path)}
    spoken = {place: re.sub(r"\{.*?\}+|`.*?`|\[\".*?\"\]", " ", text) for place, text in texts.items()}
    assert {place: found for place, text in spoken.items() if (found := words.private_words(text))} == {}


@pytest.mark.parametrize("row", words.WORDS, ids=[row.examples[0] for row in words.WORDS])
def test_each_row_finds_what_it_lists(row):
    assert [example for example in row.examples if not list(row.found_in(example))] == []


def test_a_command_in_a_next_step_is_in_backquotes():
    bare = []
    for path, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.keyword) and node.arg == "next_step":
                outside = [re.sub("`.*?`", "", text) for text in texts_in(node.value)]
                bare += [f"{path.name}: {text}" for text in outside if COMMAND.search(text)]
    assert bare == []


def test_the_steps_that_faults_wait_for_are_those_of_the_code():
    """A soak waited for `Apply what exists once` after the phase had another title: its fault never came."""
    messages = [line.partition(": ")[2] for line in GOLDEN.read_text().splitlines()]
    worded = [message for message in messages if TWO_WORDS.search(re.sub(r"\{.*?\}", "", message))]
    shapes = [re.sub(r"\\\{.*?\\\}", ".+", re.escape(message)) for message in worded]
    soaks = [text for path in TESTS.rglob("*.py") if "Moment(" in (text := path.read_text())]
    calls = [node for text in soaks for node in ast.walk(ast.parse(text)) if is_moment(node)]
    awaited = {text.removeprefix("up: ") for call in calls if (text := text_of(call.args[0])) and "{" not in text}
    assert awaited
    known = {text for text in awaited if any(message.startswith(text) for message in messages)}
    assert {text for text in awaited - known if not any(re.fullmatch(shape, text) for shape in shapes)} == set()
