"""Who is restored, when, and what is refused before anything is touched."""

import pytest
import samples
from contexts import context_of, see

from haplane.context.context import Context
from haplane.context.decision import Decision
from haplane.context.phase import Look, Phase
from haplane.desired.hosts import cluster_wants
from haplane.domain.membership import Act
from haplane.domain.observed import Observation
from haplane.domain.plan import Kind
from haplane.domain.restoration import Journal
from haplane.domain.steps.etcd import etcd_steps
from haplane.errors import Refused
from haplane.observation.membership import foresee_changes
from haplane.observation.preconditions import refuse_unfinished_restore
from haplane.observation.restore import hosts_of, late_members, masters_due, members_due
from haplane.phases.restore.switch_data import switch_data
from haplane.recovery.choice import Restoration
from haplane.workflows import engine
from haplane.workflows.engine import CONFIRM, LOCK, Gate
from haplane.workflows.restore import ENTRIES

RESTORE_PHASES = [
    one
    for one in ENTRIES
    if isinstance(one, Phase) and one.carry_out.__module__.startswith("haplane.phases.restore.")
]
STAMP = "20261122T190000Z"
OTHER_UID = "0f5a2c1e-6d0e-4c49-9c39-2f3b0f7a1d11"


def journal(stage="preparing", **changes):
    fields = {"source": "file x", "database": "0" * 64, "revision": 5, "bump": 10, "uid": ""} | changes
    return Journal(timestamp=STAMP, stage=stage, **fields)


def context_with(observation: Observation, inventory=None, **restoration) -> Context:
    decision = Decision(restoration=Restoration(database=None, **restoration)) if restoration else None
    return context_of(inventory or samples.inventory(), observation, decision=decision)


def remembering(observation, *names, **changes):
    for name in names:
        observation = samples.altered(observation, name, leftovers={"journal": journal(**changes).model_dump()})
    return observation


def off(observation, *names):
    reports = {name: report for name, report in observation.reports.items() if name not in names}
    return Observation(reports=reports, unreachable=dict.fromkeys(names, "off"))


def names(hosts):
    return [host.name for host in hosts]


def test_up_keeps_its_hands_off_a_restore_that_is_under_way():
    fresh = samples.fresh(samples.inventory())
    refuse_unfinished_restore(context_with(fresh))
    with pytest.raises(Refused, match="a restore of file x is under way"):
        refuse_unfinished_restore(context_with(remembering(fresh, "m2")))


def test_every_member_gets_its_data_once():
    whole = samples.fresh(samples.inventory())
    before = context_with(whole, journal=journal("replacing"))
    assert names(members_due(before)) == names(masters_due(before)) == ["m1", "m2", "m3"]
    after = context_with(whole, journal=journal("serving", members=("m1", "m2", "m3")))
    assert members_due(after) == masters_due(after) == late_members(after) == []
    late = context_with(whole, journal=journal("serving", members=("m1", "m2")))
    assert names(members_due(late)) == names(masters_due(late)) == ["m3"]


@pytest.mark.parametrize("stage", ["preparing", "replacing", "serving"])
def test_what_a_resume_runs(stage):
    members = ("m1", "m2", "m3") if stage == "serving" else ()
    context = context_with(samples.fresh(samples.inventory()), journal=journal(stage, members=members))
    titles = [phase.title for phase in RESTORE_PHASES if phase.should_run(context)]
    assert ("Switch to the new data" in titles) is (stage != "serving")
    assert titles[-1] == "Delete the record of the restore"
    assert "Start API servers" in titles


def test_data_is_replaced_after_everything_slow_and_before_anything_serves():
    titles = [entry.title for entry in ENTRIES if not isinstance(entry, Gate)]
    order = [
        "Rebuild etcd's data beside the old data",
        "Stop API servers",
        "Switch to the new data",
        "Start API servers",
    ]
    assert [title for title in titles if title in order] == order
    assert titles.index(order[2]) == titles.index(order[1]) + 1


def replaced_masters():
    inventory, observation = samples.replaced_masters()
    return context_with(observation, inventory)


def test_leaving_members_that_are_merely_stopped_are_started_by_up():
    context = replaced_masters()
    see(context, samples.stopped(context.observation, "m2", "m3"))
    steps = etcd_steps(cluster_wants(context.inventory, context.manifest), {}, context.observation.reports)
    assert [(step.kind, step.host) for step in steps] == [(Kind.START_ETCD, "m2"), (Kind.START_ETCD, "m3")]
    changes = foresee_changes(context)
    assert (changes[0].act, changes[0].name) == (Act.REMOVE, "m1")


def test_a_restore_takes_the_data_of_leaving_hosts_away_and_stops_their_api_servers():
    context = replaced_masters()
    context.adopt(Decision(restoration=Restoration(journal("replacing"), None)))
    assert names(hosts_of(context)) == ["m1", "m4", "m5", "m2", "m3"]
    assert names(members_due(context)) == ["m1", "m4", "m5"]
    assert names(masters_due(context)) == ["m1", "m4", "m5", "m2", "m3"]
    switch_data(context)
    first, second = context.executor.deployed[:2]
    assert first == ("move_etcd_data", ["m2", "m3"], {"timestamp": STAMP})
    assert second[1] == ["m1", "m4", "m5"]


def test_a_restore_locks_every_host_the_leaving_ones_included():
    context = replaced_masters()
    decide = Look("Decide", lambda context: context.adopt(Decision(headline=("x",))))
    engine.carry_out(engine.Verb("restore", "", (decide, CONFIRM, LOCK)), context, lambda _: True)
    assert context.executor.locks == [("", names(context.inventory.everyone))]
