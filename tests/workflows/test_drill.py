"""``haplane drill``: nothing is broken before the outage is agreed to."""

from contextlib import contextmanager, nullcontext
from dataclasses import replace
from types import SimpleNamespace

import pytest
import samples

from haplane.domain.progress import silent
from haplane.drills.drill import Drill, DrillContext, Fault
from haplane.errors import Refused
from haplane.workflows import drill


@pytest.fixture
def planned(monkeypatch):
    """A drill whose fault writes down that it was applied."""
    applied = []
    monkeypatch.setattr(drill, "run", lambda one, context, fault, in_cluster: applied.append(fault.host))
    monkeypatch.setattr(drill, "locked", lambda *_: nullcontext())
    fault = Fault("m1", "a master", "It breaks m1.")
    return Drill("break-m1", "Break m1.", lambda context, status, wanted: fault), applied


def context(*, healthy=True):
    status = SimpleNamespace(healthy=healthy, problems=("m2 is not Ready",))
    return DrillContext(samples.inventory(), SimpleNamespace(disposable=True), lambda: status, None, silent, None)


def refusing(_context, _status, _wanted):
    raise Refused("packets cannot be delayed here", why="no netem")


def test_without_consent_nothing_is_broken(planned):
    shown = []

    def confirm(fault):
        shown.append(fault)
        return False

    one, applied = planned
    report = drill.carry_out(one, context(), None, in_cluster=False, confirm=confirm)
    assert (report, shown, applied) == (None, ["It breaks m1."], [])


def test_another_fault_than_was_agreed_to_is_asked_about_again(planned):
    """The leader may have moved between the question and the lock."""
    _, applied = planned
    hosts, shown = iter(["m1", "m2", "m2"]), []
    one = Drill("break", "Break the leader.", lambda *_: Fault(host := next(hosts), "a master", f"It breaks {host}."))
    drill.carry_out(one, context(), None, in_cluster=False, confirm=lambda fault: shown.append(fault) or True)
    assert (shown, applied) == (["It breaks m1.", "It breaks m2."], ["m2"])


def test_a_drill_that_runs_verbs_begins_while_nobody_has_the_lock(planned, monkeypatch):
    """The verb takes it; but what another run has under way is not broken into."""
    one, applied = planned
    taken = []

    @contextmanager
    def lock(_inventory, hosts, *_):
        taken.append([host.name for host in hosts])
        yield
        assert applied == []

    monkeypatch.setattr(drill, "locked", lock)
    fault = Fault("m1", "a master", "It breaks m1.", off=("m1",), runs_verbs=True)
    verbal = replace(one, plan=lambda *_: fault)
    drill.carry_out(verbal, context(), None, in_cluster=False, confirm=lambda _: True)
    assert ("m1" in taken[0], applied) == (True, ["m1"])


def test_a_series_leaves_out_what_this_cluster_cannot_have_and_goes_on(planned):
    one, applied = planned
    outcomes = list(drill.series([Drill("slow", "Be slow.", refusing), one], context(), repeat=2, in_cluster=False))
    assert [outcome.drill for outcome in outcomes[:1]] == ["slow"]
    assert outcomes[0].reason.why == "no netem"
    assert applied == ["m1", "m1"]


def test_a_series_on_hosts_that_matter_leaves_out_what_destroys_their_data(planned):
    one, applied = planned
    here = replace(context(), machines=SimpleNamespace(disposable=False))
    outcomes = list(drill.series([replace(one, destroys=True)], here, repeat=1, in_cluster=False))
    assert "not a lab's" in outcomes[0].reason.what
    assert applied == []


def test_a_series_stops_at_a_cluster_that_is_not_healthy(planned):
    one, applied = planned
    with pytest.raises(Refused, match="not healthy"):
        list(drill.series([one], context(healthy=False), repeat=1, in_cluster=False))
    assert applied == []
