"""What is ordered when etcd is out of space, and from whom."""

import pytest
import samples
from contexts import FakeExecutor, context_of

from haplane.domain.plan import Kind, Step
from haplane.errors import Refused
from haplane.phases.converge.free_space import free_space

INVENTORY = samples.inventory()


def full(size=49 << 20, in_use=3 << 20, serving=("m1", "m2", "m3"), free=1 << 30):
    """NOSPACE, as every member reports it; m1 leads."""
    found = samples.converged(INVENTORY)
    for name in ("m1", "m2", "m3"):
        etcd = found.reports[name].etcd.model_dump(by_alias=True)
        etcd["status"] |= {"errors": ["memberID:1 alarm:NOSPACE "], "dbSize": size, "dbSizeInUse": in_use}
        etcd |= {"reads_through_quorum": name in serving}
        etcd["status"]["dbSizeQuota"] = 48 << 20
        found = samples.altered(found, name, etcd=etcd, leftovers={"etcd_free_bytes": free})
    return found


ORDERS = ("compact_etcd", "defragment_etcd", "clear_alarms")


class Space(FakeExecutor):
    """Once every member was defragmented the hosts look like ``after``."""

    def __init__(self, before, after):
        super().__init__([before])
        self.after = after

    @property
    def orders(self):
        return [(name, hosts) for name, hosts, _ in self.deployed if name in ORDERS]

    def observe(self, hosts, request):
        if self.after is not None and len(self.orders) == 4:
            self.looks = [self.after]
        return super().observe(hosts, request)


def freed(observation, after=None):
    steps = tuple(Step(Kind.SPACE, name, "NOSPACE") for name in ("m1", "m2", "m3"))
    return context_of(INVENTORY, observation, steps=steps, executor=Space(observation, after))


def test_compacted_once_defragmented_leader_last_and_the_alarm_taken_back_at_the_end():
    context = freed(full(), after=full(size=3 << 20))
    free_space(context)
    assert context.result.warnings == []
    orders = context.executor.orders
    assert [name for name, _ in orders] == ["compact_etcd", *["defragment_etcd"] * 3, "clear_alarms"]
    assert [hosts for _, hosts in orders[1:4]] == [["m2"], ["m3"], ["m1"]]


def test_history_is_not_shortened_for_one_member_that_is_mostly_free():
    etcd = samples.converged(INVENTORY).reports["m3"].etcd.model_dump(by_alias=True)
    etcd["status"] |= {"dbSize": 1900 << 20, "dbSizeInUse": 1 << 20}
    found = samples.altered(samples.converged(INVENTORY), "m3", etcd=etcd, leftovers={"etcd_free_bytes": 1 << 30})
    steps = (Step(Kind.SPACE, "m3", "its database is mostly free pages"),)
    context = context_of(INVENTORY, found, steps=steps, executor=Space(found, None))
    free_space(context)
    assert context.executor.orders == [("defragment_etcd", ["m3"])]


def test_live_data_that_fill_the_quota_keep_the_alarm_and_are_named():
    context = freed(full(size=48 << 20, in_use=48 << 20))
    free_space(context)
    [warning] = context.result.warnings
    assert "m1, m2, m3" in warning
    assert "quota_backend_bytes" in warning
    assert "clear_alarms" not in context.executor.recipes


@pytest.mark.parametrize("observation", [full(serving=("m1", "m2")), full(free=1 << 20)])
def test_no_member_is_defragmented_without_quorum_or_room(observation):
    context = freed(observation)
    with pytest.raises(Refused):
        free_space(context)
    assert [name for name, _ in context.executor.orders] in (["compact_etcd"], ["compact_etcd", "defragment_etcd"])
