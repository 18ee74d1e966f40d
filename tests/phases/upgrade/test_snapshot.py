"""An upgrade begins with snapshots of as many members as it takes for one of them not to be lying."""

from datetime import timedelta

import pytest
import samples
from contexts import FakeExecutor, context_of

from haplane.context.decision import Decision
from haplane.context.request import Upgrade
from haplane.domain.plan import Plan
from haplane.errors import HaplaneError
from haplane.observation import upgrade
from haplane.phases.upgrade import snapshot

RECIPIENT = "age1lvyvwawkr0mcnnnncaghunadrqkmuf9e6507x9y920xxpp866cnql7dp2z"


def taken(member, **changes):
    facts = {"member": member, "id": f"of-{member}", "with_quorum": True} | changes
    return type("Manifest", (), facts)()


class Agents(FakeExecutor):
    """``lost`` have no room; the others' snapshots are ``answers``."""

    def __init__(self, lost=()):
        super().__init__()
        self.lost, self.asked, self.answers = lost, [], {}

    def call_agent(self, host, command, deadline_seconds):
        self.asked.append(host.name)
        if host.name in self.lost:
            raise HaplaneError(f"{host.name}: no room")
        return self.answers.get(host.name, {"member": host.name})


@pytest.fixture
def planned(monkeypatch):
    """A context whose members report verified snapshots of these ages in seconds, and the step for it."""
    monkeypatch.setattr(snapshot.Manifest, "from_bytes", lambda content, _: taken(**snapshot.json.loads(content)))

    def plan(ages, *, masters=3, executor=None):
        inventory = samples.inventory(
            masters=masters, snapshots={"recipients": (RECIPIENT,), "interval_seconds": 600}
        )
        seen = samples.converged(inventory)
        for host in inventory.etcd:
            when = (samples.NOW - timedelta(seconds=ages.get(host.name, 10**6))).isoformat()
            good = {"id": "x", "taken_at": when, "verified_at": when, "revision": 7, "seconds": 1}
            seen = samples.altered(seen, host.name, snapshots={"agent": "a", "state": {"last_good": good}})
        asked = Upgrade("1.36.3", samples.manifest(), None)
        context = context_of(inventory, seen, executor=executor or Agents(), upgrade=asked)
        step = upgrade._snapshot_step(context)
        context.adopt(Decision(plan=Plan((step,) if step else ())))
        return context, step

    return plan


def test_what_one_member_reports_of_its_snapshot_spares_none(planned):
    context, step = planned({"m2": 1})
    assert step.items == ("m3", "m1"), "the leader is asked last"
    snapshot.take_snapshots(context)
    assert context.executor.asked == ["m3"]
    assert planned({"m2": 1, "m3": 500})[1] is None
    assert planned({"m2": -(10**6), "m3": 500})[1] is not None, "the future counts for nothing"


def test_a_single_master_has_its_own_word_alone(planned):
    assert planned({"m1": 1}, masters=1)[1] is None
    context, _ = planned({}, masters=1)
    snapshot.take_snapshots(context)
    assert context.executor.asked == ["m1"]


def test_one_that_fails_or_answers_for_another_is_made_up_for(planned):
    context, _ = planned({}, executor=Agents(lost=("m2",)))
    snapshot.take_snapshots(context)
    assert context.executor.asked == ["m2", "m3", "m1"]
    assert [one for one in context.executor.said if "done:" in one[1]] == [
        ("the cluster", "done: take and verify a snapshot (0 s)")
    ], "once, as the plan has it: the next one's is as long as both"
    agents = Agents(lost=("m1",))
    agents.answers = {"m2": {"member": "m3"}, "m3": {"member": "m3", "with_quorum": False}}
    with pytest.raises(HaplaneError, match="m1: no room"):
        snapshot.take_snapshots(planned({}, executor=agents)[0])
