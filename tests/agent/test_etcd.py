"""Which members count as healthy, from what they answer."""

from typing import Any

import pytest

from haplane.agent.etcd import Etcd, candidate
from haplane.agent.settings import HostPaths
from haplane.domain.slots import Candidate

NUMBER = 1234


@pytest.mark.parametrize(
    ("status", "led", "expected"),
    [
        (None, True, Candidate("m1", False)),
        ({"leader": NUMBER}, True, Candidate("m1", True, leader=True)),
        ({"leader": 5}, True, Candidate("m1", True)),
        ({"leader": 5, "isLearner": True}, True, Candidate("m1", False)),
        ({"leader": 5, "errors": ["memberID:1234 alarm:NOSPACE "]}, True, Candidate("m1", True)),
        ({"leader": 5, "errors": ["memberID:1234 alarm:CORRUPT "]}, True, Candidate("m1", False)),
        ({"leader": 5, "errors": ["memberID:99 alarm:CORRUPT "]}, True, Candidate("m1", True)),
        ({}, True, Candidate("m1", False)),
        ({"leader": 0}, False, Candidate("m1", True)),
    ],
)
def test_health(status: dict[str, Any] | None, led: bool, expected: Candidate) -> None:
    assert candidate("m1", NUMBER, status, led) == expected


def status(number: int, leader: int = 1) -> dict[str, Any]:
    header = {"member_id": number}
    return {"header": header, "leader": leader, "version": "3.6.16", "dbSize": 1, "dbSizeInUse": 1}


def seen_by_m1(m3: dict[str, Any], **mine: Any) -> tuple[Candidate, ...]:
    """What m1's agent makes of the members when m3 answers that."""
    etcd = Etcd(HostPaths(), "m1")
    members = [{"ID": n, "name": f"m{n}", "clientURLs": [f"https://10.0.0.2{n}:2379"]} for n in (1, 2, 3)]
    answers = {HostPaths().etcd_endpoint: status(1, **mine), "https://10.0.0.22:2379": status(2, **mine)}
    etcd._statuses = lambda urls: [(url, answers.get(url, m3)) for url in urls]  # type: ignore[method-assign]
    return etcd._view({"members": members}).candidates


def test_a_member_that_answers_as_another_one_makes_that_one_neither_unhealthy_nor_full() -> None:
    """m3 answered as member 1, so m1's own agent took no snapshot, and nobody did."""
    lie = status(1) | {"isLearner": True, "errors": ["memberID:1 alarm:CORRUPT "]}
    assert seen_by_m1(lie) == (
        Candidate("m1", True, leader=True), Candidate("m2", True), Candidate("m3", False)
    )  # fmt: skip


def test_a_member_that_alone_sees_a_leader_keeps_no_other_from_snapshots_without_quorum() -> None:
    found = {one.name: one.healthy for one in seen_by_m1(status(3, leader=3), leader=0)}
    assert (found["m1"], found["m2"]) == (True, True)
