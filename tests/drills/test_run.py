import threading

import pytest

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
from haplane.drills import kill_etcd_leader, kill_load_balancer, kill_master
from haplane.drills.catalog import STORIES
from haplane.drills.run import decide, run
from haplane.drills.story import Scene
from haplane.errors import BadInput, DeadlinePassed, Refused


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr("haplane.drills.run.STEADY_BEFORE_SECONDS", 0.3)
    monkeypatch.setattr("haplane.drills.run.STEADY_AFTER_SECONDS", 1.2)


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

    def __init__(self, api, outage):
        self.api, self.outage, self.log = api, outage, []

    def kill(self, names):
        self.log.append(("kill", *names))
        self.api.fail = "refuse"
        threading.Timer(self.outage, self._recover).start()

    def start(self, names):
        self.log.append(("start", *names))

    def _recover(self):
        self.api.fail = None


GENEROUS_SECONDS = 10  # a busy machine notices late


def scene(api, machines, look=lambda: HEALTHY, **options):
    return Scene(inventory(**options), machines, look, api.target, silent)


def test_a_drill_measures_the_outage_and_puts_the_machine_back(api):
    machines = Endpointed(api, outage=0.7)
    stage = scene(api, machines)
    report = run(kill_master.STORY, stage, decide(kill_master.STORY, stage, None))
    assert machines.log == [("kill", "m2"), ("start", "m2")]
    assert report.passed
    assert 0.6 < report.reads.gap_seconds < GENEROUS_SECONDS
    assert 0.6 < report.writes.gap_seconds < GENEROUS_SECONDS
    assert report.reads_at_return.failed == report.writes_at_return.failed == 0
    assert report.acknowledged_writes > 40
    assert report.document()["lost_writes"] == []
    assert len(api.deleted) == 1


def test_the_machine_is_put_back_even_when_the_fault_breaks_off(api):
    class Broken(Endpointed):
        def kill(self, names):
            super().kill(names)
            raise KeyboardInterrupt

    machines = Broken(api, outage=0.1)
    stage = scene(api, machines)
    with pytest.raises(KeyboardInterrupt):
        run(kill_master.STORY, stage, decide(kill_master.STORY, stage, "m3"))
    assert machines.log == [("kill", "m3"), ("start", "m3")]
    assert len(api.deleted) == 1


def test_a_cluster_that_is_not_whole_is_left_alone():
    stage = Scene(inventory(), None, lambda: status("m3 is not Ready"), None, silent)
    for story in STORIES.values():
        with pytest.raises(Refused, match="m3 is not Ready"):
            decide(story, stage, None)


@pytest.mark.parametrize(
    ("story", "wanted", "chosen"),
    [
        (kill_master, None, "m2"),
        (kill_master, "m1", "m1"),
        (kill_load_balancer, None, "lb2"),
        (kill_load_balancer, "lb1", "lb1"),
        (kill_etcd_leader, None, "m1"),
        (kill_etcd_leader, "m1", "m1"),
    ],
)
def test_the_host_is_the_one_asked_for_or_the_one_the_story_is_about(story, wanted, chosen):
    stage = Scene(inventory(), None, lambda: HEALTHY, None, silent)
    assert decide(story.STORY, stage, wanted).host == chosen


@pytest.mark.parametrize(
    ("story", "wanted", "error"),
    [
        (kill_master, "lb1", BadInput),
        (kill_load_balancer, "m1", BadInput),
        (kill_etcd_leader, "m2", Refused),
        (kill_etcd_leader, "lb1", BadInput),
    ],
)
def test_another_machine_is_not_touched(story, wanted, error):
    stage = Scene(inventory(), None, lambda: HEALTHY, None, silent)
    with pytest.raises(error):
        decide(story.STORY, stage, wanted)


def test_a_single_load_balancer_is_no_drill():
    stage = Scene(inventory(balancers=("lb1",)), None, lambda: HEALTHY, None, silent)
    with pytest.raises(Refused, match="no second load balancer"):
        decide(kill_load_balancer.STORY, stage, None)


def test_the_last_one_is_never_killed():
    only = hosts("m1")
    alone = Scene(
        inventory().model_copy(update={"masters": only, "etcd": only}),
        None,
        lambda: status(members=("m1",)),
        None,
        silent,
    )
    for story in (kill_master, kill_etcd_leader):
        with pytest.raises(Refused, match="1 voters need 1 healthy; 1 are, without m1 0 would be"):
            decide(story.STORY, alone, None)


def test_a_cluster_that_does_not_heal_says_what_is_still_wrong(api, monkeypatch):
    monkeypatch.setattr("haplane.drills.run.HEALTH_SECONDS", 0.5)
    seen = iter([HEALTHY])
    stage = scene(api, Endpointed(api, 0.1), look=lambda: next(seen, status("m2 is not Ready")))
    with pytest.raises(DeadlinePassed, match="m2 is not Ready"):
        run(kill_master.STORY, stage, decide(kill_master.STORY, stage, None))
    assert len(api.deleted) == 1
