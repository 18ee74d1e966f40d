"""``haplane drill`` from the question to the report, on hosts in memory that lose their power."""

from contextlib import contextmanager
from dataclasses import replace

import pytest
import samples
from powered import PoweredCluster

from haplane.drills.catalog import DRILLS
from haplane.errors import DeadlinePassed, Problems, Refused
from haplane.workflows import drill

RECIPIENT = "age1lvyvwawkr0mcnnnncaghunadrqkmuf9e6507x9y920xxpp866cnql7dp2z"


@pytest.fixture
def cluster(monkeypatch, tmp_path):
    """Without a bundle, whatever this machine has built."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return PoweredCluster(samples.inventory(workers=1))


def run(cluster, name, host=None, *, confirm=lambda _: True, **changes):
    context = cluster.drill_context(**changes)
    return drill.carry_out(DRILLS[name], context, host, in_cluster=False, confirm=confirm)


def nothing_is_left(cluster):
    """Neither of the drill's writes nor of its probers, and every host has power."""
    namespaces = [path for path in cluster.data.objects if path.startswith("/api/v1/namespaces/haplane-drill-")]
    return not [path for path in namespaces if path.count("/") == 4] and not cluster.following and not cluster.off


@pytest.mark.parametrize(
    ("name", "host", "reads", "writes"),
    [
        ("kill-master", "m2", (0.0, 1.6), (0.0, 1.6)),
        ("kill-etcd-leader", "m1", (0.0, 1.6), (1.1, 1.6)),
        ("kill-load-balancer", "lb1", (0.9, 1.1), (0.9, 1.1)),
    ],
)
def test_a_host_is_lost_and_what_clients_noticed_is_reported(cluster, name, host, reads, writes):
    asked = []
    report = run(cluster, name, confirm=lambda words: asked.append(words) or True)
    assert report.passed, report.missed
    assert cluster.reset == [host] == [report.host]
    assert len(asked) == 1
    assert f"the power of {host}" in asked[0]
    assert reads[0] <= report.reads.gap_seconds <= reads[1]
    assert writes[0] <= report.writes.gap_seconds <= writes[1]
    assert report.acknowledged_writes > 100
    assert report.healthy_again_seconds > 10
    assert report.leader_changes == (1 if name == "kill-etcd-leader" else 0)
    [(command, locked)] = cluster.locks
    assert (command, host in locked) == (f"haplane drill {name} inventories/test.py", False)
    assert nothing_is_left(cluster)


def test_where_every_master_loses_its_power_nothing_is_watched_from_a_pod(cluster):
    context = cluster.drill_context()
    every = DRILLS["power-cycle-everything"]
    report = drill.carry_out(every, context, None, in_cluster=True, confirm=lambda _: True)
    assert report.in_cluster == {}
    assert nothing_is_left(cluster)


def test_limits_of_a_drill_that_does_not_exist_are_not_ignored():
    mistyped = samples.inventory(drills={"limits": {"kil-master": {"read_gap": 1.0}}})
    with pytest.raises(Problems, match="did you mean kill-master"):
        drill.context_of(mistyped, lambda *_: None, forced=False, executor=PoweredCluster(samples.inventory()))


def test_without_consent_nothing_is_broken(cluster):
    assert run(cluster, "kill-master", confirm=lambda _: False) is None
    assert cluster.reset == cluster.locks == []


def test_while_a_host_does_not_respond_nothing_is_broken(cluster):
    cluster.off["w1"] = "no response"
    with pytest.raises(Refused, match="the cluster is not healthy") as refused:
        run(cluster, "kill-master", confirm=pytest.fail)
    assert "w1" in refused.value.why
    assert cluster.reset == cluster.locks == []


def test_a_second_host_that_is_lost_meanwhile_is_named_and_the_first_has_power_again(cluster, monkeypatch):
    monkeypatch.setattr("haplane.drills.run.HEALTH_SECONDS", 30)
    cluster.stays_off.add("w1")
    cluster.at(5.0, lambda: cluster.cut_power("w1"))
    with pytest.raises(DeadlinePassed, match="the cluster is healthy again") as late:
        run(cluster, "kill-master")
    assert "w1" in late.value.why
    assert set(cluster.off) == {"w1"}
    cluster.off.clear()
    assert nothing_is_left(cluster)


def test_a_host_that_does_not_boot_ends_the_drill(cluster, monkeypatch):
    monkeypatch.setattr("haplane.machines.over_ssh.BOOT_SECONDS", 60)
    cluster.stays_off.add("m2")
    with pytest.raises(DeadlinePassed, match="m2 responds after its boot"):
        run(cluster, "kill-master")
    cluster.off.clear()
    assert nothing_is_left(cluster)


def test_a_write_that_was_acknowledged_and_is_gone_fails_the_drill(cluster):
    cluster.data.forgotten.add("write-30")
    report = run(cluster, "kill-master")
    assert report.lost_writes == (30,)
    assert not report.passed


def test_another_fault_than_was_agreed_to_is_asked_about_again(cluster):
    """The leader moves between the question and the lock."""
    honest, shown = cluster.lock, []

    @contextmanager
    def lock(*words):
        if not cluster.locks:
            cluster.elect("m3")
        with honest(*words) as held:
            yield held

    cluster.lock = lock
    report = run(cluster, "kill-etcd-leader", confirm=lambda words: shown.append(words) or True)
    assert ["m1" in shown[0], "m3" in shown[1], len(shown)] == [True, True, 2]
    assert cluster.reset == [report.host] == ["m3"]


def test_a_drill_that_runs_verbs_begins_while_nobody_has_the_lock(tmp_path):
    """The verb takes it; but what another run has under way is not broken into."""
    settings = {"snapshots": {"recipients": [RECIPIENT]}, "drills": {"identity": str(tmp_path)}}
    cluster, verbs, held = PoweredCluster(samples.inventory(**settings)), [], []
    honest = cluster.lock
    for report in cluster.now_reported.values():
        report["snapshots"] = {"agent": "agent-0", "local": 1}

    @contextmanager
    def lock(*words):
        held.append("lock")
        with honest(*words) as taken:
            yield taken
        held.remove("lock")

    cluster.lock = lock
    context = cluster.drill_context(haplane=lambda *words: verbs.append((words, tuple(held))))
    healthy = context.look()
    fine = replace(healthy, healthy=True, problems=())  # no snapshot was ever taken here
    context = replace(context, look=lambda: fine)
    report = drill.carry_out(DRILLS["backup-restores"], context, None, in_cluster=False, confirm=lambda _: True)
    assert report.passed, report.missed
    assert len(cluster.locks) == 1
    [(words, meanwhile)] = verbs
    assert (words[:2], meanwhile) == (("snapshot", "verify"), ())


def test_a_series_leaves_out_what_this_cluster_cannot_have_and_goes_on(cluster):
    names = ("slow-network", "replace-master", "kill-master")
    outcomes = list(
        drill.series([DRILLS[name] for name in names], cluster.drill_context(), repeat=2, in_cluster=False)
    )
    assert [one.drill for one in outcomes] == [*names, "kill-master"]
    assert "has no netem" in outcomes[0].reason.why
    assert "not a lab's" in outcomes[1].reason.what
    assert cluster.reset == ["m2", "m3"]


def test_a_series_stops_at_a_cluster_that_is_not_healthy(cluster):
    running = drill.series([DRILLS["kill-master"]], cluster.drill_context(), repeat=2, in_cluster=False)
    assert next(running).passed
    cluster.off["m3"] = "no response"
    with pytest.raises(Refused, match="not healthy"):
        next(running)
    assert cluster.reset == ["m2"]
