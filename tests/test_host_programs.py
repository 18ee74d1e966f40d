"""Several files as one program: one namespace, and nothing of the project in it."""

import ast
import subprocess
import sys
from collections import Counter

import pytest

from haplane.checks.host_facts import HOST_FACTS
from haplane.checks.pods import POD_PROBE
from haplane.drills.probing.probers import IN_CLUSTER, NEWEST
from haplane.facts.host_report import observer, recorder
from haplane.host_programs import packed, parts, program
from haplane.machines.watchdog import PROGRAM
from haplane.observation.upgrade_checks import TRIES

PROGRAMS = {
    "observer": observer(),
    "recorder": recorder(),
    "host facts": program(*HOST_FACTS),
    "pod probe": program(*POD_PROBE),
    "in-cluster prober": program(*IN_CLUSTER),
    "newest process": program(*NEWEST),
    **{
        name: program(*parts("remote", name))
        for name in ("hold", "receive", "rewrite_secrets", "seal", "secrets_at_rest")
    },
    "dry runs": TRIES,
    "watchdog": PROGRAM,
}


def names(text):
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            yield statement.name
        elif isinstance(statement, ast.Assign):
            yield from (target.id for target in statement.targets if isinstance(target, ast.Name))
        elif isinstance(statement, ast.AnnAssign):
            yield statement.target.id


@pytest.mark.parametrize("text", PROGRAMS.values(), ids=PROGRAMS)
def test_no_name_is_defined_twice_and_nothing_of_the_project_is_imported(text):
    assert [name for name, count in Counter(names(text)).items() if count > 1] == []
    imported = {node.module for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)}
    assert not [module for module in imported if module.startswith("haplane")]


@pytest.mark.parametrize("text", PROGRAMS.values(), ids=PROGRAMS)
def test_every_name_that_is_used_is_in_the_program(text):
    """A module that another one came to need is missing on hosts, where nobody imports it."""
    ruff = [sys.executable, "-m", "ruff", "check", "-"]
    ruff += ["--isolated", "--select=F821", "--output-format=concise"]
    done = subprocess.run(ruff, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_packed_program_is_one_line_that_runs():
    line = packed('import sys\nprint("\\N{SNOWMAN}", sys.argv[1])')
    done = subprocess.run([sys.executable, "-I", "-c", line, "x"], capture_output=True, text=True, check=True)
    assert (done.stdout, "\n" in line) == ("\N{SNOWMAN} x\n", False)


@pytest.mark.parametrize("text", PROGRAMS.values(), ids=PROGRAMS)
def test_a_packed_program_is_the_same_without_its_docstrings(text):
    """The observer's line had come to the length that a host's kernel takes."""
    seen = {"exec": lambda content: seen.update(content=content.decode())}
    exec(packed(text).replace("exec(", "take(", 1), {"take": seen["exec"]})  # noqa: S102 - our own line
    assert ast.unparse(bare(ast.parse(seen["content"]))) == ast.unparse(bare(ast.parse(text)))
    assert not [
        one for node in ast.walk(ast.parse(seen["content"])) for one in ast.iter_child_nodes(node) if is_note(one)
    ]


def bare(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
            node.body = [one for one in node.body if not is_note(one) and not isinstance(one, ast.Pass)]
    return tree


def is_note(one):
    return isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant) and isinstance(one.value.value, str)
