"""Nobody goes out of service while the others would not carry on."""

import pytest
import samples
from contexts import FakeExecutor, context_of

from haplane.domain.guard import may_restart_etcd
from haplane.errors import Refused
from haplane.observation.guard import refuse_unless

INVENTORY = samples.inventory()
CONVERGED = samples.converged(INVENTORY)


def late(name):
    """Its etcd runs and has not answered in time."""
    etcd = CONVERGED.reports[name].etcd.model_dump(by_alias=True) | {"reads_through_quorum": False}
    return samples.altered(CONVERGED, name, etcd=etcd)


def refuse(looks):
    context = context_of(INVENTORY, CONVERGED, executor=FakeExecutor(looks))
    refuse_unless(context, INVENTORY.host("m2"), INVENTORY.etcd, may_restart_etcd)
    return context.executor


def test_a_member_that_answers_late_is_looked_at_again_before_the_next_is_refused():
    assert refuse([late("m1"), late("m1"), CONVERGED]).clock == 2
    with pytest.raises(Refused, match="m2 must not be taken out of service now"):
        refuse([late("m1")])
