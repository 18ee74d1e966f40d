"""Which members count as healthy, from what they answer."""

from typing import Any

import pytest

from haplane.agent.etcd import candidate
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
