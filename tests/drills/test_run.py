import threading
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest
from contexts import drill_context

from haplane.config.model import Cluster, Endpoint, Host, Inventory, Ssh
from haplane.domain.progress import silent
from haplane.domain.snapshot_status import Snapshots
from haplane.domain.status import (
    BalancerStatus,
    Certificates,
    ClusterStatus,
    EtcdCluster,
    MemberStatus,
    Quorum,
    Status,
)
from haplane.drills import (
    cut_load_balancer,
    freeze,
    kill_etcd_leader,
    kill_load_balancer,
    kill_master,
    partitions,
    split_vrrp,
)
from haplane.drills.catalog import DRILLS
from haplane.drills.limits import Limits
from haplane.drills.probing.client import Client
from haplane.drills.probing.observing import watch
from haplane.drills.probing.probers import endpoint_prober
from haplane.drills.run import healthy_status, planned, run
from haplane.errors import BadInput, DeadlinePassed, Refused
from haplane.workflows.prepare import over_ssh


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr("haplane.drills.run.STEADY_BEFORE_SECONDS", 0.3)
    monkeypatch.setattr("haplane.drills.run.STEADY_AFTER_SECONDS", 1.2)
    monkeypatch.setattr("haplane.drills.run.HEALTHY_FOR_SECONDS", 0.0)


def status(*problems, members=("m1", "m2", "m3")):
    etcd = tuple(
        MemberStatus(name, None, "", healthy=True, leader=name == "m1", learner=False, db_bytes=None, revision=None)
        for name in members
    )
    balancers = tuple(BalancerStatus(name, True, True, holds_endpoint=name == "lb2") for name in ("lb1", "lb2"))
    return Status(
        cluster=ClusterStatus("test", "10.0.0.100:6443", "1.35.4", "uid"),
        healthy=not problems,
        problems=problems,
        masters=(),
        workers=(),
        etcd=EtcdCluster(etcd, Quorum(3, 3, 2, 1)),
        load_balancers=balancers,
        snapshots=Snapshots(),
        certificates=Certificates(None, None),
    )


HEALTHY = status()


def hosts(*names):
    return tuple(
        Host(name=name, address=f"10.0.0.{index}", ssh=Ssh(hostname=name))
        for index, name in enumerate(names, len(names[0]))
    )


def inventory(balancers=("lb1", "lb2")):
    masters = hosts("m1", "m2", "m3")
    return Inventory(
        path="inventory.py",
        cluster=Cluster(name="test", endpoint=Endpoint(address="10.0.0.100")),
        masters=masters,
        etcd=masters,
        load_balancers=hosts(*balancers) if balancers else (),
    )


class Endpointed:
    """Machines of which each, while off, takes the endpoint away for ``outage`` seconds."""

    driver, disposable = "test", False

    def __init__(self, api, outage):
        self.api, self.outage, self.log = api, outage, []

    def power_cut(self, names):
        return lambda seconds: self.armed(names)

    @contextmanager
    def armed(self, names):
        self.log.append(("armed", *names))
        yield SimpleNamespace(apply=lambda: self.kill(names))
        self.log.append(("undone", *names))

    def kill(self, names):
        self.log.append(("applied", *names))
        self.api.fail = "refuse"
        threading.Timer(self.outage, self._recover).start()

    def _recover(self):
        self.api.fail = None


GENEROUS_SECONDS = 10  # a busy machine notices late
GENEROUS = replace(kill_master.DRILL, limits=Limits(GENEROUS_SECONDS, GENEROUS_SECONDS))


@pytest.fixture(autouse=True)
def no_hosts(monkeypatch):
    """The watch has hosts to follow, and here are none."""
    monkeypatch.setattr("haplane.drills.probing.observing._commands", lambda inventory: {})


def context_of(api=None, machines=None, look=lambda: HEALTHY, cluster=None):
    given = cluster or inventory()
    as_client = (
        {"client": Client(api.target), "probe": partial(endpoint_prober, api.target)}
        | {"watch": partial(watch, given, api.target)}
        if api
        else {}
    )
    machines = machines or Endpointed(api, 0)
    return drill_context(given, executor=over_ssh(silent), machines=machines, look=look, **as_client)


def decided(drill, context, wanted=None):
    return planned(drill, context, healthy_status(drill, context), wanted)


@pytest.mark.timed
def test_a_drill_measures_the_outage_and_undoes_it(api):
    machines = Endpointed(api, outage=0.7)
    context = context_of(api, machines)
    report = run(GENEROUS, context, decided(GENEROUS, context))
    assert machines.log == [("armed", "m2"), ("applied", "m2"), ("undone", "m2")]
    assert report.passed
    assert 0.6 < report.reads.gap_seconds < GENEROUS_SECONDS
    assert 0.6 < report.writes.gap_seconds < GENEROUS_SECONDS
    assert report.reads_at_return.failed == report.writes_at_return.failed == 0
    assert report.acknowledged_writes > 40
    assert report.stale_reads == 0
    assert report.document()["lost_writes"] == []
    assert len(api.deleted) == 1


@pytest.mark.timed
def test_a_gap_over_its_limit_fails_the_drill(api):
    context = context_of(api, Endpointed(api, outage=0.7))
    strict = replace(GENEROUS, limits=Limits(read_gap=0.1, write_gap=GENEROUS_SECONDS))
    report = run(strict, context, decided(strict, context))
    assert not report.passed
    assert [figure.name for figure in report.figures if not figure.held] == ["longest gap in reads"]


@pytest.mark.timed
def test_every_undo_is_in_place_before_the_first_fault_and_runs_even_when_that_breaks_off(api):
    class Broken(Endpointed):
        @contextmanager
        def armed(self, names):
            try:
                with super().armed(names) as part:
                    yield part
            finally:
                self.log.append(("left", *names))

        def kill(self, names):
            super().kill(names)
            raise KeyboardInterrupt

    machines = Broken(api, outage=0.1)
    context = context_of(api, machines)
    fault = decided(kill_master.DRILL, context, "m3")
    both = replace(fault, parts=[machines.power_cut(("m2",)), machines.power_cut(("m3",))])
    with pytest.raises(KeyboardInterrupt):
        run(kill_master.DRILL, context, both)
    assert machines.log == [("armed", "m2"), ("armed", "m3"), ("applied", "m2"), ("left", "m3"), ("left", "m2")]
    assert len(api.deleted) == 1


def test_a_cluster_that_is_not_whole_is_left_alone():
    context = context_of(machines=SimpleNamespace(disposable=True), look=lambda: status("m3 is not Ready"))
    for drill in DRILLS.values():
        with pytest.raises(Refused, match="m3 is not Ready"):
            healthy_status(drill, context)


def test_what_destroys_data_is_for_labs_unless_it_is_forced():
    destroying = [drill for drill in DRILLS.values() if drill.destroys]
    assert {drill.name for drill in destroying} > {"lose-everything-and-restore", "replace-master"}
    for drill in destroying:
        with pytest.raises(Refused, match="not a lab's"):
            decided(drill, context_of())
        assert decided(drill, replace(context_of(), forced=True)).host


@pytest.mark.parametrize(
    ("drill", "wanted", "chosen"),
    [
        (kill_master.DRILL, None, "m2"),
        (kill_master.DRILL, "m1", "m1"),
        (kill_load_balancer.DRILL, None, "lb2"),
        (kill_load_balancer.DRILL, "lb1", "lb1"),
        (kill_etcd_leader.DRILL, None, "m1"),
        (kill_etcd_leader.DRILL, "m1", "m1"),
        (freeze.FOLLOWER, None, "m2"),
        (freeze.HAPROXY, None, "lb2"),
        (cut_load_balancer.DRILL, None, "lb2"),
        (partitions.LOSSY, None, "m1"),
        (split_vrrp.DRILL, None, "lb1, lb2"),
    ],
)
def test_the_host_is_the_one_asked_for_or_the_one_the_story_is_about(drill, wanted, chosen):
    assert decided(drill, context_of(), wanted).host == chosen


@pytest.mark.parametrize(
    ("drill", "wanted", "error"),
    [
        (kill_master.DRILL, "lb1", BadInput),
        (kill_load_balancer.DRILL, "m1", BadInput),
        (kill_etcd_leader.DRILL, "m2", Refused),
        (kill_etcd_leader.DRILL, "lb1", BadInput),
        (freeze.FOLLOWER, "m1", Refused),
    ],
)
def test_another_machine_is_not_touched(drill, wanted, error):
    with pytest.raises(error):
        decided(drill, context_of(), wanted)


def test_a_single_load_balancer_is_no_drill():
    context = context_of(cluster=inventory(balancers=("lb1",)))
    for drill in (kill_load_balancer.DRILL, split_vrrp.DRILL):
        with pytest.raises(Refused, match="no second load balancer"):
            decided(drill, context)


def test_the_last_one_is_never_killed():
    only = hosts("m1")
    cluster = inventory().model_copy(update={"masters": only, "etcd": only})
    alone = context_of(cluster=cluster, look=lambda: status(members=("m1",)))
    for drill in (kill_master.DRILL, kill_etcd_leader.DRILL, freeze.LEADER, partitions.CUT):
        with pytest.raises(Refused, match="1 voters need 1 healthy; 1 are, without m1 0 would remain"):
            decided(drill, alone)


@pytest.mark.timed
def test_a_cluster_counts_as_healthy_from_when_it_stays_so(api, monkeypatch):
    """A status that is good for a moment only, because nothing of the host has been reported yet, is none."""
    monkeypatch.setattr("haplane.drills.run.HEALTHY_FOR_SECONDS", 0.5)
    seen = iter([HEALTHY, HEALTHY, status("only 1 CoreDNS pod is ready")])
    context = context_of(api, Endpointed(api, 0.1), look=lambda: next(seen, HEALTHY))
    report = run(kill_master.DRILL, context, decided(kill_master.DRILL, context))
    assert report.healthy_again_seconds >= 2.0  # a look a second, and the third was the first that counts


@pytest.mark.timed
def test_a_cluster_that_does_not_heal_says_what_is_still_wrong(api, monkeypatch):
    monkeypatch.setattr("haplane.drills.run.HEALTH_SECONDS", 0.5)
    seen = iter([HEALTHY])
    context = context_of(api, Endpointed(api, 0.1), look=lambda: next(seen, status("m2 is not Ready")))
    with pytest.raises(DeadlinePassed, match="m2 is not Ready"):
        run(kill_master.DRILL, context, decided(kill_master.DRILL, context))
    assert len(api.deleted) == 1
