"""How long steps took, from a log's lines to a plan's."""

import pytest

from haplane.domain.plan import Kind, Plan, Step
from haplane.domain.timetable import done, length, took, total

NOT_KNOWN = "how long steps take is not known: no log of this workstation has an upgrade of this cluster"


def lines(kind, *seconds):
    return [f"2026-12-01 00:00:00.000Z  m1: {done(kind, one)}\n" for one in seconds]


@pytest.mark.parametrize("kind", Kind)
def test_what_a_run_notes_is_read_again(kind):
    assert took(lines(kind, 21.4, 0.2)) == {kind: [21, 0]}


def test_other_lines_tell_nothing():
    others = [
        "m1: done: dance (3 s)",
        "m1: done: upgrade etcd (3 s) and more",
        "upgrade: Upgrade etcd",
        "    | m1: done",
        "",
    ]
    assert took(others) == {}


def test_a_length_is_the_median_and_none_is_made_up():
    before = took(lines(Kind.UPGRADE_ETCD, 10, 90, 20) + lines(Kind.STAGE, 40))
    assert length(Kind.UPGRADE_ETCD, before) == "; takes about 20 s each, the median of 3"
    assert length(Kind.STAGE, before) == "; takes about 40 s, the median of 1"
    assert length(Kind.UPGRADE_NODE, before) == ""
    steps = [Step(Kind.STAGE, name, "") for name in ("m1", "m2", "m3", "w1")]
    steps += [Step(Kind.UPGRADE_ETCD, name, "") for name in ("m1", "m2", "m3")]
    assert total(Plan(tuple(steps)), before).startswith("steps with a length take about 100 s in all, by the logs")
    assert total(Plan((Step(Kind.UPGRADE_NODE, "m1", ""),)), before) == NOT_KNOWN
