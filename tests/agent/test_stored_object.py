import pytest
from hypothesis import given
from hypothesis import strategies as st

from haplane.agent.stored_object import uid_of
from haplane.errors import Refused

UID = "0f5a2c1e-6d0e-4c49-9c39-2f3b0f7a1d11"


def field(number, content):
    return bytes([number << 3 | 2, len(content)]) + content


def stored(uid=UID):
    return b"k8s\x00" + field(1, b"kind") + field(2, field(1, field(1, b"kube-system") + field(5, uid.encode())))


def test_the_uid_is_the_fifth_field_of_the_metadata():
    assert uid_of(stored()) == UID


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda rest: b"k8s\x00" + rest))
def test_whatever_else_it_is_is_refused(content):
    with pytest.raises(Refused):
        uid_of(content)


@given(st.integers(0, 40))
def test_one_that_is_cut_short_is_refused(length):
    with pytest.raises(Refused):
        uid_of(stored()[:length])
    with pytest.raises(Refused):
        uid_of(stored("not-a-uid"))
