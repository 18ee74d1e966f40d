"""Whatever one host says of itself, what is made of it is a decision or our own error, and it can be printed."""

import copy
import json

import pytest
import samples
from contexts import context_of
from hypothesis import given, settings
from hypothesis import strategies as st

from haplane.cli.text import printable
from haplane.domain import host_paths
from haplane.domain.clocks import Window
from haplane.domain.observed import Observation, parse_report
from haplane.domain.plan import Kind
from haplane.errors import HaplaneError
from haplane.observation import preconditions
from haplane.observation.decide import decide_convergence
from haplane.observation.health import judge
from haplane.observation.requirements import refuse_unfit_hosts
from haplane.phases.converge.join_workers import PRINTED, new_join_command

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
