import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from haplane.domain.restoration import Journal, Leftovers, under_way


def journal(stamp="20261122T190000Z", **changes):
    fields = {"stage": "preparing", "source": "file x", "database": "0" * 64, "revision": 5, "bump": 10, "uid": ""}
    return Journal(timestamp=stamp, **(fields | changes))


@given(st.sampled_from(["preparing", "replacing", "serving"]), st.text(max_size=300))
def test_it_is_read_back_as_it_was_written(stage, source):
    one = journal(stage=stage, source=source)
    assert Journal.model_validate_json(one.content()) == one


@pytest.mark.parametrize("stamp", ["../../etc", "20261122T190000Z/..", ""])
def test_no_stamp_leads_out_of_etcds_directory(stamp):
    with pytest.raises(ValidationError):
        Leftovers.model_validate({"journal": journal().model_dump() | {"stamp": stamp}})


def test_the_stage_that_a_majority_has_reached_is_the_one_to_complete_from():
    old, new = journal(stage="serving"), journal("20261122T200000Z")
    further = new.replacing()
    assert under_way({"m1": old, "m2": further, "m3": further}, {}) == further
    assert under_way({"m1": old, "m2": new, "m3": further}, {}) == new
    assert under_way({"m1": None, "m2": None}, {"m1": False}) is None


def test_the_word_of_one_host_makes_no_restore_and_ends_none():
    mine, forged = journal(stage="replacing"), journal("20991231T235959Z", stage="serving", members=("m3",))
    assert under_way({"m1": None, "m2": None, "m3": forged}, dict.fromkeys(("m1", "m2", "m3"), False)) is None
    assert under_way({"m1": mine, "m2": mine, "m3": forged}, {"m3": True}) == mine
    assert under_way({"m1": mine, "m2": mine, "m3": None}, {"m3": True}) == mine
    assert under_way({"m1": mine, "m2": mine, "m3": mine.serving(["m1"])}, {}) == mine


def test_a_restore_is_over_once_a_member_serves_that_remembers_none():
    """What a host that was off still remembers must not replace data that is served."""
    late = journal().replacing()
    assert under_way({"m1": None, "m2": None, "m3": late}, {"m1": True, "m2": True, "m3": False}) is None
    assert under_way({"m1": late, "m2": late, "m3": late}, {"m1": True, "m2": True, "m3": True}) == late


def test_one_that_was_only_prepared_is_given_up_where_the_cluster_serves():
    """Nothing was stopped; but hosts that were empty may hold its keys, and nobody may form a new cluster there."""
    assert under_way({"m1": journal(), "m2": journal()}, {"m1": True, "m2": True}) is None
    assert under_way({"m1": journal(), "m2": journal()}, {"m1": False, "m2": False}) == journal()


def test_the_file_on_hosts_keeps_the_names_that_older_versions_wrote():
    content = journal().content()
    assert '"stamp": "20261122T190000Z"' in content.decode()
    assert Leftovers.model_validate({"journal": json.loads(content)}).journal == journal()
