import pytest
import samples
from contexts import FakeExecutor, context_of

from haplane.domain import problem
from haplane.domain.answers import TOO_LATE
from haplane.domain.observed import Observation
from haplane.observation.health import (
    BACK_OFF_SECONDS,
    LATE_SECONDS,
    SETTLE_AT_MOST_SECONDS,
    SETTLE_SECONDS,
    verify_health,
)
from haplane.observation.waiting import Obstacle

INVENTORY = samples.inventory(workers=1)
CONVERGED = samples.converged(INVENTORY)


def lagging(name):
    servers = samples.servers(INVENTORY, INVENTORY.host("lb1"), **{name: "DOWN"})
    balancer = CONVERGED.reports["lb1"].balancer.model_dump() | {"servers": servers}
    return samples.altered(CONVERGED, "lb1", balancer=balancer)


LAGGING = lagging("m2")


def verified(*looks):
    """The status after these looks, the last for ever, and the seconds that it took."""
    context = context_of(INVENTORY, CONVERGED, executor=FakeExecutor(looks))
    context.result.changed = True
    verify_health(context)
    return context.result.status, context.executor.clock


def test_a_check_that_lags_is_looked_at_again():
    status, seconds = verified(LAGGING, LAGGING, CONVERGED)
    assert status.lines == ()
    assert seconds == 2


def test_what_stays_wrong_is_told_after_the_deadline():
    status, seconds = verified(LAGGING)
    (found,) = status.lines
    assert found.startswith("lb1 sends nothing to m2 (DOWN")
    assert seconds == SETTLE_SECONDS


def test_a_slow_machine_is_waited_for_while_what_is_wrong_changes():
    """Emulated machines become healthy one thing after the other, each in less than the deadline."""
    looks = [lagging("m1")] * 15 + [lagging("m2")] * 15 + [lagging("m3")] * 15
    status, seconds = verified(*looks, CONVERGED)
    assert status.lines == ()
    assert seconds == 45 > 2 * SETTLE_SECONDS


def test_a_container_that_was_repaired_is_waited_for_until_the_kubelet_starts_it_again():
    """etcd had no room, the scheduler ended twice for it, and its kubelet starts it after 40 s."""
    status = {"unhealthy": "crashes repeatedly: kube-scheduler last ended Error, exit 1, 2 restarts"}
    components = {"of": CONVERGED.reports["m1"].model_dump()["components"]["of"] | {"kube-scheduler": status}}
    crashed = samples.altered(CONVERGED, "m1", components=components)
    status, seconds = verified(*[crashed] * 40, CONVERGED)
    assert status.lines == ()
    assert seconds == 40
    status, seconds = verified(crashed)
    assert "crashes repeatedly" in status.lines[0]
    assert seconds == BACK_OFF_SECONDS


def as_masters_see(**kubernetes):
    observation = CONVERGED
    for name in ("m1", "m2", "m3"):
        seen = CONVERGED.reports[name].kubernetes.model_dump() | kubernetes
        observation = samples.altered(observation, name, kubernetes=seen)
    return observation


def without(name, observation):
    reports = {host: report for host, report in observation.reports.items() if host != name}
    return Observation(reports=reports, unreachable={name: "off"})


FULL = {"path": "/", "size": 1 << 40, "free": 0, "inodes": 0, "inodes_free": 0}
CORDONED, *OTHERS = CONVERGED.reports["m1"].kubernetes.model_dump()["nodes"]
CORDONED |= {"unschedulable": True, "cordoned_by": "reboot"}
ONE_DNS_POD = as_masters_see(coredns_ready=1)


@pytest.mark.parametrize(
    ("look", "seconds"),
    [
        (LAGGING, SETTLE_SECONDS),
        (ONE_DNS_POD, SETTLE_SECONDS),
        (as_masters_see(coredns_ready=0, coredns_why="crashes repeatedly: coredns last ended"), BACK_OFF_SECONDS),
        (without("w1", ONE_DNS_POD), 0),
        (samples.altered(CONVERGED, "m2", condition={"filesystems": [FULL]}), 0),
        (as_masters_see(nodes=[CORDONED, *OTHERS]), 0),
    ],
)
def test_how_long_a_problem_is_waited_for_does_not_depend_on_its_words(monkeypatch, look, seconds):
    monkeypatch.setattr(problem, "_reported", lambda _: "in other words")
    status, waited = verified(look)
    assert {one.what for one in status.problems} == {"in other words"}
    assert waited == seconds


def test_a_time_that_grows_is_no_progress():
    one, other = (Obstacle("cluster", f"m1: no good snapshot for {seconds} s") for seconds in (70, 71.5))
    assert one.kind == other.kind != Obstacle("cluster", "m2: no good snapshot for 70 s").kind
    assert Obstacle("cluster", "m1, and 2 more").kind != Obstacle("cluster", "m1, and 1 more").kind


def test_what_changes_for_ever_is_not_waited_for_for_ever():
    looks = [lagging("m1"), lagging("m2")] * int(SETTLE_AT_MOST_SECONDS)
    status, seconds = verified(*looks)
    assert status.lines != ()
    assert seconds == SETTLE_AT_MOST_SECONDS


def test_an_unreachable_host_is_not_waited_for():
    reports = {name: report for name, report in CONVERGED.reports.items() if name != "m2"}
    status, seconds = verified(Observation(reports=reports, unreachable={"m2": "off"}))
    assert any(one.startswith("m2: unreachable (off); fix: ") for one in status.lines)
    assert seconds == 0


def test_a_host_that_is_too_slow_to_report_is_not_lost():
    """An emulated machine on which every pod had just started; "nothing was changed", it was told."""
    others = {name: report for name, report in CONVERGED.reports.items() if name != "m1"}
    late = Observation(reports=others, unreachable={"m1": f"{TOO_LATE} 150 s"})
    status, seconds = verified(late, late, CONVERGED)
    assert status.lines == ()
    assert seconds == 2
    status, seconds = verified(late)
    assert status.lines[0] == (
        f"m1: too slow ({TOO_LATE} 150 s); fix: on m1: `uptime; df -h; dmesg | tail` shows whether it is overloaded, "
        "full or broken"
    )
    assert seconds == LATE_SECONDS
