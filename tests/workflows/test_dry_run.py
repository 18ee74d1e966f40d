"""A dry run changes nothing on any host: it ends at the question, and only looking comes before that."""

from dataclasses import replace

import pytest
import samples
from contexts import context_of

from haplane.context.decision import Decision
from haplane.context.phase import Look, Phase
from haplane.workflows import discard, node, reset, restore, rotate, up, upgrade
from haplane.workflows.engine import CONFIRM, LOCK, Verb, carry_out

VERBS = {
    "up": up.ENTRIES,
    "restore": restore.ENTRIES,
    "reset": reset.ENTRIES,
    "upgrade": upgrade.ENTRIES,
    "discard": discard.ENTRIES,
    **rotate.ROTATIONS,
    **node.VERBS,
    "remove a worker": node.REMOVE_WORKER_ENTRIES,
    "remove a master": node.REMOVE_MASTER_ENTRIES,
}


@pytest.mark.parametrize("name", VERBS)
def test_only_looking_comes_before_the_question_and_the_lock_after_it(name):
    entries = VERBS[name]
    before = entries[: entries.index(CONFIRM)]
    assert before
    assert all(isinstance(entry, Look) for entry in before)
    assert entries.index(LOCK) > entries.index(CONFIRM)


@pytest.mark.parametrize("name", VERBS)
def test_a_dry_run_ends_there_without_asking(name, monkeypatch):
    reached = []
    looking = [
        replace(entry, carry_out=lambda _, entry=entry: reached.append(entry)) if isinstance(entry, Look) else entry
        for entry in VERBS[name]
    ]
    monkeypatch.setattr(Phase, "describe", lambda *_: ())
    monkeypatch.setattr(Phase, "should_run", lambda *_: pytest.fail("a phase was reached"))
    context = context_of(samples.inventory(), decision=Decision(headline=("m1: do it",)), dry_run=True)
    lines = carry_out(Verb(name, name, tuple(looking)), context, lambda _: pytest.fail("it asked"))
    assert lines == ("m1: do it",)
    assert reached == list(VERBS[name][: VERBS[name].index(CONFIRM)])
