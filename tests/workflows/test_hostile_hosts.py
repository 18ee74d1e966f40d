"""Whatever one host says of itself, what is made of it is a decision or our own error, and it can be printed."""

import copy
import json

import pytest
import samples
from hypothesis import given, settings
from hypothesis import strategies as st

from haplane.cli.output import printable
from haplane.domain.observed import Observation, parse_report
from haplane.domain.plan import Kind
from haplane.domain.preflight import Window
from haplane.domain.progress import silent
from haplane.errors import HaplaneError
from haplane.phases import confirm_health
from haplane.phases import observe as observing
from haplane.phases.join_workers import new_join_command
from haplane.phases.observe import ETCD_AUTHORITY
from haplane.phases.phase import Run
from haplane.remote import openssh

INVENTORY = samples.inventory(workers=1)
SOUND = {
    name: report.model_dump(mode="json", by_alias=True)
    for name, report in samples.converged(INVENTORY).reports.items()
}
for master in INVENTORY.masters:
    SOUND[master.name]["certificates"] = {ETCD_AUTHORITY: samples.identity().etcd.certificate.decode()}

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
    run = Run(INVENTORY, samples.manifest(), None, silent, observation=Observation(reports=reports))
    run.window = Window(100, 102)
    observing.refuse_changed_settings(run)
    observing.require_a_master(run)
    confirm_health.judge(run).document()
    observing.decide_what_to_do(run)
    observing.refuse_unfit_hosts(run)
    return [line for step in run.plan.steps for line in step.items] + run.plan.describe(*Kind)


@pytest.fixture(autouse=True, scope="module")
def nobody_at_the_endpoint():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(confirm_health, "endpoint_answers", lambda _: True)
        yield


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
    run = Run(INVENTORY, samples.manifest(), None, silent, observation=samples.converged(INVENTORY))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openssh, "run", lambda *_, **__: said)
        with pytest.raises(HaplaneError, match="no join command"):
            new_join_command(run, lifetime="24h")
