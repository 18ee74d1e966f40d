import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from haplane.domain.restoration import Journal, Remains, under_way


def journal(stamp="20261122T190000Z", **changes):
    fields = {"stage": "preparing", "source": "file x", "database": "0" * 64, "revision": 5, "bump": 10, "uid": ""}
    return Journal(stamp=stamp, **(fields | changes))


@given(st.sampled_from(["preparing", "replacing", "serving"]), st.text(max_size=300))
def test_it_is_read_back_as_it_was_written(stage, source):
    one = journal(stage=stage, source=source)
    assert Journal.model_validate_json(one.content()) == one


@pytest.mark.parametrize("stamp", ["../../etc", "20261122T190000Z/..", ""])
def test_no_stamp_leads_out_of_etcds_directory(stamp):
    with pytest.raises(ValidationError):
        Remains.model_validate({"journal": journal().model_dump() | {"stamp": stamp}})


def test_the_furthest_of_the_newest_restore_is_the_one_to_complete():
    old, new = journal(stage="serving"), journal("20261122T200000Z")
    further = new.replacing()
    assert under_way({"m1": old, "m2": new, "m3": further}, {}) == further
    assert under_way({"m1": None, "m2": None}, {"m1": False}) is None


def test_a_restore_is_over_once_a_member_serves_that_remembers_none():
    """What a host that was off still remembers must not replace data that is served."""
    late = journal().replacing()
    assert under_way({"m1": None, "m2": None, "m3": late}, {"m1": True, "m2": True, "m3": False}) is None
    assert under_way({"m1": late, "m2": late, "m3": late}, {"m1": True, "m2": True, "m3": True}) == late


def test_one_that_was_only_prepared_is_given_up_where_the_cluster_serves():
    """Nothing was stopped; but hosts that were empty may hold its keys, and nobody may form a new cluster there."""
    assert under_way({"m1": journal(), "m2": journal()}, {"m1": True, "m2": True}) is None
    assert under_way({"m1": journal(), "m2": journal()}, {"m1": False, "m2": False}) == journal()
