"""The loop that every verb shares."""

from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import samples
from contexts import FakeExecutor, context_of

from haplane.context.phase import Phase
from haplane.domain.plan import Kind, Step
from haplane.workflows.engine import CONFIRM, LOCK, Verb, as_typed, carry_out

INVENTORY = samples.inventory()
THROUGH_THE_LOCK = samples.inventory(workers=1)
"""Another one, as that of a lock is: its hosts' commands go through the run's shell, which ends with the lock."""


class Locking(FakeExecutor):
    @contextmanager
    def lock(self, inventory, hosts, command):
        yield SimpleNamespace(inventory=THROUGH_THE_LOCK, check=lambda: None, breaking_off=nullcontext)


def test_hosts_are_asked_through_the_lock_while_it_is_held_and_as_before_afterwards():
    """What is read last, like the signing key that `up` tells, was asked of a shell that was gone."""
    seen = []
    phase = Phase("Do it", (Kind.FILES,), lambda context: seen.append(context.inventory))
    context = context_of(
        INVENTORY, samples.converged(INVENTORY), executor=Locking(), steps=(Step(Kind.FILES, "m1", "x"),)
    )
    carry_out(Verb("test", "haplane test", (CONFIRM, LOCK, phase)), context, lambda lines: True)
    assert seen == [THROUGH_THE_LOCK]
    assert context.inventory == INVENTORY


def test_a_command_can_be_pasted_into_a_shell():
    typed = as_typed("node", "reset", "my inventories/prod.py", "m1", without=("m2", "m3"))
    assert typed == "haplane node reset 'my inventories/prod.py' m1 --without m2 --without m3"
