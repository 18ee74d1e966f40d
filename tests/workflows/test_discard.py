"""Old data may go once nobody can need them, and only what restores and repairs have kept."""

import pytest

from haplane.domain.recovery import Cure, Kept, Recovery
from haplane.errors import Refused
from haplane.workflows.discard import discardable

OLD = Kept("m1", "/var/lib/etcd/aside-20261122T101500Z", 1 << 20)
THEIRS = Kept("m2", "/var/lib/etcd/aside-of-mine", 1 << 20)
ELSEWHERE = Kept("m2", "/var/lib/etcd/aside-20261122T101500Z/../member", 1 << 20)


def recovery(cure=Cure.NOTHING, under_way=None, kept=(OLD, THEIRS, ELSEWHERE)):
    return Recovery(cure.value, (), "3 members, 2 needed", under_way, kept)


def test_only_what_haplane_has_named_goes():
    assert discardable(recovery(), {"m1", "m2"}) == (OLD,)


def test_other_hosts_keep_theirs():
    assert discardable(recovery(), {"m2", "m3"}) == ()


@pytest.mark.parametrize("cure", [cure for cure in Cure if cure is not Cure.NOTHING])
def test_nothing_goes_while_a_member_does_not_serve(cure):
    with pytest.raises(Refused) as refusal:
        discardable(recovery(cure), {"m1"})
    assert refusal.value.why == "3 members, 2 needed"


def test_nothing_goes_while_a_restore_is_under_way():
    with pytest.raises(Refused) as refusal:
        discardable(recovery(under_way="a file"), {"m1"})
    assert "interrupted" in refusal.value.why


def test_nothing_kept_is_nothing_to_refuse():
    assert discardable(recovery(Cure.REBUILD, kept=()), {"m1"}) == ()
