"""Whatever one host says of itself, what is made of it is a decision or our own error, and it can be printed."""

import copy
import json
from contextlib import suppress

import pytest
import samples
from contexts import FakeExecutor, context_of
from hypothesis import given, settings
from hypothesis import strategies as st

from haplane.cli.text import printable
from haplane.desired.hosts import roles_of
from haplane.domain import host_paths, trust
from haplane.domain.clocks import Window
from haplane.domain.observed import Observation
from haplane.domain.plan import Kind
from haplane.domain.report_reading import parse_report
from haplane.domain.upgrade_checks import host_problems
from haplane.errors import HaplaneError
from haplane.observation import preconditions
from haplane.observation.decide import decide_convergence
from haplane.observation.health import judge
from haplane.observation.membership import foresee_changes
from haplane.observation.requirements import refuse_unfit_hosts
from haplane.observation.rotation import rotation_under_way
from haplane.phases.converge.join_workers import PRINTED, new_join_command
from haplane.phases.node.discard import decide_discard
from haplane.phases.reset.reset_hosts import refuse_needed_hosts
from haplane.recovery.context import RestoreContext
from haplane.recovery.preconditions import assess_cluster, refuse_full_disks, refuse_more_than_needed
from haplane.recovery.request import RestoreRequest

INVENTORY = samples.inventory(workers=1)
SOUND = {
    name: report.model_dump(mode="json", by_alias=True)
    for name, report in samples.converged(INVENTORY).reports.items()
}
for master in INVENTORY.masters:
    SOUND[master.name]["certificates"] = {host_paths.ETCD_CA_CRT: samples.identity().etcd.certificate.decode()}

WORDS = st.text(max_size=8) | st.sampled_from(["\x1b[2J", "\ud800", "0", "debian", "9" * 5000, "UP"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)


def places(value, prefix=()):
    if prefix:
        yield prefix
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from places(item, (*prefix, key))


def changed(document, place, value):
    found = document = copy.deepcopy(document)
    for key in place[:-1]:
        found = found[key]
    found[place[-1]] = value
    return json.dumps(document)


def make_of(reports):
    """All that `up` and `status` do with an observation before they act."""
    context = context_of(INVENTORY, Observation(reports=reports), window=Window(100, 102))
    preconditions.refuse_changed_settings(context)
    preconditions.require_a_master(context)
    judge(context).document()
    decide_convergence(context)
    refuse_unfit_hosts(context)
    return [line for step in context.plan.steps for line in step.items] + context.plan.describe(*Kind)


def make_of_in_other_verbs(reports):
    """What reset, repair, discard, rotations and a restore decide on; each may refuse."""
    observation = trust.believed(roles_of(INVENTORY), Observation(reports=reports))

    def context(**asked):
        return context_of(INVENTORY, observation, window=Window(100, 102), **asked)

    asked = RestoreRequest()
    restore = RestoreContext(asked, INVENTORY, observation, samples.NOW, tools=None, executor=FakeExecutor())
    for look in (
        lambda: refuse_needed_hosts(context(named=("m1",))),
        lambda: foresee_changes(context(repaired="m1")),
        lambda: decide_discard(context()),
        lambda: rotation_under_way(context()),
        lambda: refuse_more_than_needed(restore, assess_cluster(restore)),
        lambda: refuse_full_disks(restore, 1),
        lambda: list(host_problems(["m1"], ["m2"], observation, "1.36.3")),
    ):
        with suppress(HaplaneError):
            look()


HOSTS = st.sampled_from(["m1", "lb1", "w1"])


@settings(max_examples=300, deadline=None)
@given(
    HOSTS.flatmap(lambda name: st.tuples(st.just(name), st.sampled_from(sorted(places(SOUND[name]), key=str)))),
    VALUES,
)
def test_whatever_one_field_says(where, value):
    name, place = where
    try:
        odd = parse_report(name, changed(SOUND[name], place, value))
        reports = {**{other: parse_report(other, json.dumps(SOUND[other])) for other in SOUND}, name: odd}
        make_of_in_other_verbs(reports)
        said = "\n".join(make_of(reports))
    except HaplaneError as error:
        said = str(error)
    printable(said).encode()


def test_a_sound_cluster_is_no_error():
    make_of({name: parse_report(name, json.dumps(document)) for name, document in SOUND.items()})


@given(st.binary() | st.text().map(str.encode))
def test_whatever_kubeadm_says_of_a_join_command(said):
    context = context_of(INVENTORY, samples.converged(INVENTORY))
    context.executor.run = lambda *_, **__: said
    with pytest.raises(HaplaneError, match="no join command"):
        new_join_command(context, PRINTED)
