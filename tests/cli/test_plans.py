"""Plans on the screen: shown, agreed to, and with --dry-run left at that."""

import importlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from haplane.cli import reset as reset_command
from haplane.cli.main import cli
from haplane.workflows import discard, reset, restore, rotate, up

LAB = str(Path(__file__).parents[2] / "inventories" / "lab.py")
PLAN = ("m1: do one thing", "m2: do another")
SHOWN = ["Plan:", *(f"  {line}" for line in PLAN)]
VERBS = [
    (("up", LAB), "up", "up", up.Outcome(changed=False, plan=PLAN)),
    (("certs", "renew", LAB), "up", "up", up.Outcome(changed=False, plan=PLAN)),
    (("node", "repair", LAB, "m1"), "up", "up", up.Outcome(changed=False, plan=PLAN)),
    (("node", "discard", LAB), "node", "discard", discard.Outcome(changed=False, plan=PLAN)),
    (("keys", "rotate", LAB, "signing"), "keys", "rotated", rotate.Outcome(changed=False, plan=PLAN, kind="signing")),
    (("restore", LAB), "restore", "restore", restore.Outcome(changed=False, plan=PLAN)),
    (("restore", LAB, "--file", "x", "--unsigned"), "restore", "restore", restore.Outcome(changed=False, plan=PLAN)),
    (("reset", LAB), "reset", "reset", reset.Outcome(changed=False, plan=PLAN)),
]


def run(*words, **how):
    return CliRunner().invoke(cli, words, **how)


@pytest.fixture
def workflow(monkeypatch):
    """Replaces a workflow by one that asks, as the engine does; what it was given."""

    def replace(module, name, outcome):
        given = {}

        def carried_out(*_, confirm, dry_run, progress, **__):
            given.update(dry_run=dry_run, agreed=not dry_run and confirm(outcome.plan))
            return outcome

        monkeypatch.setattr(importlib.import_module(f"haplane.cli.{module}"), name, carried_out)
        return given

    return replace


@pytest.mark.parametrize(("words", "module", "name", "outcome"), VERBS, ids=lambda value: str(value)[-20:])
def test_a_dry_run_shows_the_plan_and_asks_nothing(workflow, words, module, name, outcome):
    given = workflow(module, name, outcome)
    done = run(*words, "--dry-run")
    assert done.exit_code == 0, done.output
    assert [line for line in done.stdout.splitlines() if line in SHOWN] == SHOWN
    assert given == {"dry_run": True, "agreed": False}
    document = json.loads(run(*words, "--dry-run", "--json").stdout)
    assert (document["dry_run"], document["changed"], document["plan"]) == (True, False, list(PLAN))


def answered(workflow, *words, typed=None):
    given = workflow("reset", "reset", reset.Outcome(changed=False, plan=PLAN))
    return given, run("reset", LAB, *words, input=typed)


def test_reset_asks_for_the_clusters_name(workflow):
    given, done = answered(workflow, typed="lab\n")
    assert given["agreed"]
    assert done.stdout.splitlines()[:3] == SHOWN
    given, done = answered(workflow, typed="lap\n")
    assert (done.exit_code, given) == (2, {})
    assert "'lap' is not the cluster's name; nothing was changed" in done.stderr


@pytest.mark.parametrize("words", [["--yes"], ["--confirm", "lab"], ["--yes", "--confirm", "lab"]])
def test_reset_is_told_by_a_script(workflow, words):
    given, done = answered(workflow, *words, "--json")
    assert given["agreed"], done.stderr


@pytest.mark.parametrize("words", [["--json"], ["--yes", "--confirm", "other"], ["--confirm", "other", "--json"]])
def test_reset_is_not_told_enough(workflow, words):
    given, done = answered(workflow, *words)
    assert done.exit_code == 2
    assert not given.get("agreed")


def test_reset_says_where_data_and_keys_are(workflow):
    outcome = reset.Outcome(
        changed=True, plan=PLAN, done=("m1",), skipped={"m2": "connection refused"}, kept_in="/kept/x"
    )
    workflow("reset", "reset", outcome)
    done = run("reset", LAB, "--yes")
    assert "reset: m1; data and keys are in /kept/x on each host" in done.stdout
    assert "skipped: m2: connection refused" in done.stderr
    assert done.exit_code == 6


def test_nothing_to_reset_is_said(workflow):
    workflow("reset", "reset", reset.Outcome(changed=False, plan=(), skipped={"m1": "x"}))
    assert reset_command.NOTHING in run("reset", LAB, "--dry-run").stdout


def test_an_unsigned_source_needs_more_than_yes(workflow):
    given = workflow("restore", "restore", restore.Outcome(changed=False, plan=PLAN))
    assert run("restore", LAB, "--file", "x", "--unsigned", "--yes").exit_code == 2
    assert given == {}
    run("restore", LAB, "--file", "x", "--unsigned", "--yes", "--confirm", "lab")
    assert given["agreed"]
