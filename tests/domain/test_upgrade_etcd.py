"""etcd's own route, its alarms, and when an older program of it still starts."""

import pytest
import samples

from haplane.domain.etcd_report import EtcdStatus
from haplane.domain.upgrade_etcd import alarm_problems, etcd_problems, starts_again

NEWER = "m1: etcd 3.7.3 is newer than the bundle's 3.6.16"


@pytest.mark.parametrize(
    ("running", "stored", "wanted", "problem"),
    [
        ("3.6.11", "3.6.0", "3.7.3", None),
        ("3.6.16", "3.6.0", "3.6.14", None),
        ("3.6.10", "3.6.0", "3.7.3", "m1: etcd 3.6.10 cannot become 3.7.3 in one step"),
        ("3.5.32", "", "3.7.3", "m1: etcd 3.5.32 cannot become 3.7.3 in one step"),
        ("3.7.3", "3.7.0", "3.6.16", NEWER),
        ("3.7.3", "", "3.6.16", NEWER),
        ("3.7.3", "3.6.0", "3.6.16", None),
        ("3.8.0", "3.7.0", "3.6.16", "m1: etcd 3.8.0 is newer than the bundle's 3.6.16"),
    ],
)
def test_etcd_has_a_route_of_its_own(running, stored, wanted, problem):
    """It was refused to go back although one member had never left 3.6, and after `etcdctl downgrade` too."""
    status = EtcdStatus.model_validate({"header": {}, "version": running, "storageVersion": stored})
    found = [error.what for error in etcd_problems({"m1": status}, "1.36.3", wanted)]
    assert found == ([problem] if problem else [])


OLD, NEW, UNCONVERTED = ("3.6.16", "3.6.0"), ("3.7.3", "3.6.0"), ("3.7.3", "3.7.0")
GOING_BACK = {
    "the downgrade is not enabled": ([UNCONVERTED] * 3, ["m1", "m2", "m3"]),
    "one member has not converted its data yet": ([NEW, NEW, UNCONVERTED], ["m3"]),
    "all have": ([NEW, NEW, NEW], []),
    "one runs the old version": ([NEW, OLD, NEW], []),
    "the leader alone runs the new one": ([NEW, OLD, OLD], []),
    "all run the old version, and etcd has ended the downgrade": ([OLD, OLD, OLD], []),
    "the one that is being replaced is down": ([NEW, OLD], []),
}
"""The cluster's version, whose format the data have, stays the old one while one member runs it, also where somebody
cancels the downgrade half-way (decideClusterVersion in server/etcdserver/version/monitor.go of etcd 3.6.16)."""


@pytest.mark.parametrize("state", GOING_BACK)
def test_three_members_go_back_from_wherever_an_earlier_run_has_left_them(state):
    members, refused = GOING_BACK[state]
    statuses = {
        f"m{number}": EtcdStatus.model_validate({"header": {}, "version": version, "storageVersion": stored})
        for number, (version, stored) in enumerate(members, 1)
    }
    found = [error.what for error in etcd_problems(statuses, "1.36.3", "3.6.16")]
    assert found == [f"{name}: etcd 3.7.3 is newer than the bundle's 3.6.16" for name in refused]
    for name, status in statuses.items():
        others = [one.version for other, one in statuses.items() if other != name]
        if status.version == "3.7.3":
            assert starts_again("3.7.3", "3.6.16", others), "what does not become old runs its new version again"


def test_the_refusal_of_an_older_etcd_names_both_ways_and_no_way_that_etcd_refuses():
    statuses = [EtcdStatus.model_validate({"header": {}, "version": one}) for one in ("3.7.3", "3.8.0")]
    one, two = (next(etcd_problems({"m1": status}, "1.36.3", "3.6.16")).next_step for status in statuses)
    assert "`haplane bundle pin 1.36.3 --component etcd=3.7.3`" in one
    assert "downgrade enable 3.6`" in one
    assert "downgrade" not in two


@pytest.mark.parametrize(
    ("old", "new", "others", "starts"),
    [
        ("3.6.16", "3.7.3", ("3.7.3", "3.6.16"), True),
        ("3.6.16", "3.7.3", ("3.7.3", "3.7.3"), False),
        ("3.6.16", "3.7.3", (), False),
        ("3.6.14", "3.6.16", (), True),
        ("3.7.3", "3.6.16", (), True),
        ("3.7.3", "3.7.3", ("3.7.3",), False),
        ("", "3.7.3", ("3.7.3", ""), False),
        ("", "3.7.3", ("3.7.3", "3.6.16"), True),
    ],
)
def test_an_older_etcd_starts_while_another_member_is_older_too(old, new, others, starts):
    """Or where both are of one minor version. ("3.7.3", "3.7.3"): an earlier run may have switched it."""
    assert starts_again(old, new, others) is starts


def alarms(*errors):
    observation = samples.converged(samples.inventory())
    for name, error in zip(("m1", "m2", "m3"), errors, strict=True):
        etcd = observation.reports[name].etcd.model_dump(by_alias=True)
        etcd["status"]["errors"] = [error] if error else []
        observation = samples.altered(observation, name, etcd=etcd)
    return [error.what for error in alarm_problems(["m1", "m2", "m3"], observation.reports)]


def test_an_alarm_counts_when_most_members_report_it():
    full = "memberID:1 alarm:NOSPACE"
    assert alarms(full, None, None) == []
    assert alarms(full, full, None) == ["etcd is out of space (alarm NOSPACE)"]
