import copy
import json

import pytest
import samples
from hypothesis import given
from hypothesis import strategies as st

from haplane.checks.host_facts import HostFacts
from haplane.domain.cluster_health import Precedence
from haplane.domain.drain.cluster import Workloads
from haplane.domain.observed import HostReport, Observation
from haplane.domain.report_reading import parse_report
from haplane.domain.restoration import Leftovers
from haplane.domain.webhooks import DryRuns
from haplane.errors import HaplaneError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
WHOLE = samples.converged(samples.inventory()).reports["m1"].model_dump(mode="json", by_alias=True)


def paths(value, prefix=()):
    """Every place in a document, inner ones too."""
    yield prefix
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from paths(item, (*prefix, key))


def judged(text):
    """A report or a HaplaneError; any other exception fails the test."""
    try:
        return parse_report("m1", text)
    except HaplaneError as error:
        assert error.where
        assert error.next_step
        return None


def test_a_sound_report_survives_json():
    assert judged(json.dumps(WHOLE)) == samples.converged(samples.inventory()).reports["m1"]


@given(st.text() | JSON.map(json.dumps))
def test_whatever_a_host_says_is_a_report_or_our_error(text):
    judged(text)


@given(st.sampled_from([path for path in paths(WHOLE) if path]), JSON)
def test_one_field_of_any_value_is_a_report_or_our_error(path, value):
    document = copy.deepcopy(WHOLE)
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert judged(json.dumps(document)) is None or isinstance(judged(json.dumps(document)), HostReport)


def test_the_field_is_named_and_its_value_is_not_repeated():
    with pytest.raises(HaplaneError) as wrong:
        parse_report("m1", json.dumps(WHOLE | {"files": {"/etc/x": {"sha256": "SECRET", "mode": 0, "user_id": 0}}}))
    assert wrong.value.why.startswith("files./etc/x.sha256: ")
    assert "SECRET" not in str(wrong.value)


def test_a_newer_observer_may_say_more():
    assert judged(json.dumps(WHOLE | {"weather": "fine"})) is not None


def test_the_cluster_is_as_a_majority_of_the_api_servers_reports_it():
    whole = samples.converged(samples.inventory()).reports["m1"]
    fewer = whole.kubernetes.model_copy(update={"nodes": whole.kubernetes.nodes[:1], "uid": "older"})
    reports = {
        "m1": whole.model_copy(update={"kubernetes": fewer}),
        "m2": whole,
        "m3": whole,
        "lb1": samples.report(),
    }
    assert Observation(reports=reports).kubernetes() == whole.kubernetes
    del reports["m3"]
    found = Observation(reports=reports).kubernetes()
    assert (found.uid, [node.name for node in found.nodes]) == (None, ["m1"])
    assert Observation(reports={"lb1": samples.report()}).kubernetes() is None


def unbounded(schema, place=""):
    """Numbers of a JSON schema that have no least or no largest value."""
    if isinstance(schema, list):
        return [found for each in schema for found in unbounded(each, place)]
    if not isinstance(schema, dict):
        return []
    least, most = {"minimum", "exclusiveMinimum"}, {"maximum", "exclusiveMaximum"}
    is_number = schema.get("type") in ("integer", "number") and "const" not in schema
    here = [place] if is_number and not (least & schema.keys() and most & schema.keys()) else []
    return here + [found for key, each in schema.items() for found in unbounded(each, f"{place}/{key}")]


@pytest.mark.parametrize("model", [HostReport, Workloads, DryRuns, HostFacts])
def test_every_number_that_a_host_reports_has_bounds(model):
    """A size of 400 digits ended `status` with a traceback, and no host was named."""
    assert unbounded(model.model_json_schema(mode="validation")) == []


@pytest.mark.parametrize("number", [1 << 64, 10**400, -(10**400), 1e300], ids=["64", "400", "-400", "float"])
@pytest.mark.parametrize("path", [("machine", "memory_bytes"), ("machine", "disk_bytes"), ("started_at",)])
def test_a_number_that_is_none_of_a_host_s_is_refused_by_its_name(path, number):
    report = copy.deepcopy(WHOLE)
    place = report
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = number
    with pytest.raises(HaplaneError) as refusal:
        parse_report("m1", json.dumps(report))
    assert ".".join(path) in refusal.value.why


EMPTY = {"precedence": Precedence(), "leftovers": Leftovers(), "kubernetes": None, "workloads": None}
ODD = {
    "precedence": {"forward": ["inet foo/bar FORWARD"]},
    "leftovers": {"journal": {}},
    "kubernetes": {"uid": "odd", "nodes": [{"name": "--all"}]},
    "workloads": {"daemon_sets": [{"name": "x" * 2000}]},
}


@pytest.mark.parametrize("part", ODD)
def test_one_part_that_cannot_be_read_hides_no_other(part):
    report = parse_report("m1", json.dumps(WHOLE | {part: ODD[part]}))
    assert report.failed[part].startswith("what it reports cannot be read: ")
    assert report == samples.converged(samples.inventory()).reports["m1"].model_copy(
        update={part: EMPTY[part], "failed": report.failed}
    )


@pytest.mark.parametrize("part", ["etcd", "apiserver", "files", "certificates", "units"])
def test_what_decides_about_the_host_itself_is_read_whole_or_not_at_all(part):
    with pytest.raises(HaplaneError):
        parse_report("m1", json.dumps(WHOLE | {part: 1} | {"precedence": 1}))
