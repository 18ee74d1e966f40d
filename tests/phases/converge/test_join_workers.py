"""The workers' token lives as long as their join."""

from contextlib import nullcontext

import pytest
import samples
from contexts import FakeExecutor, context_of

from haplane.domain.plan import Kind, Step
from haplane.errors import HaplaneError
from haplane.phases.converge.join_workers import join_workers

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
