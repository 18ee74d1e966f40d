"""Old data may go once nobody can need them, and only what restores and repairs have kept."""

import pytest

from haplane.domain.assessment import PreviousData, Recovery, RecoveryAction
from haplane.errors import Refused
from haplane.phases.node.discard import discardable

OLD = PreviousData("m1", "/var/lib/etcd/aside-20261122T101500Z", 1 << 20)
THEIRS = PreviousData("m2", "/var/lib/etcd/aside-of-mine", 1 << 20)
ELSEWHERE = PreviousData("m2", "/var/lib/etcd/aside-20261122T101500Z/../member", 1 << 20)


def recovery(action=RecoveryAction.NOTHING, under_way=None, previous=(OLD, THEIRS, ELSEWHERE)):
    return Recovery(action, (), "3 members, majority is 2", "haplane up x.py", under_way, previous)


def test_only_what_haplane_has_named_goes():
    assert discardable(recovery(), {"m1", "m2"}) == (OLD,)


def test_other_hosts_keep_theirs():
    assert discardable(recovery(), {"m2", "m3"}) == ()


@pytest.mark.parametrize("action", [action for action in RecoveryAction if action is not RecoveryAction.NOTHING])
def test_nothing_goes_while_a_member_does_not_serve(action):
    with pytest.raises(Refused) as refusal:
        discardable(recovery(action), {"m1"})
    assert refusal.value.why == "3 members, majority is 2"


def test_nothing_goes_while_a_restore_is_under_way():
    with pytest.raises(Refused) as refusal:
        discardable(recovery(under_way="a file"), {"m1"})
    assert "interrupted" in refusal.value.why


def test_nothing_kept_is_nothing_to_refuse():
    assert discardable(recovery(RecoveryAction.REBUILD, previous=()), {"m1"}) == ()
