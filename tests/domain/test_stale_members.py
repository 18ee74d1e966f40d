import pytest
import samples

from haplane.domain.stale_members import disagreement, stale_etcd, stale_members

ALL = ("m1", "m2", "m3", "m4", "m5")


def member(stored, serving=None):
    status = {"header": {"cluster_id": serving}} if serving else None
    etcd = {"has_data": True, "status": status, "reads_through_quorum": bool(serving), "data_cluster_id": stored}
    return samples.report(etcd=samples.document()["etcd"] | etcd)


@pytest.mark.parametrize(
    ("reports", "stale"),
    [
        ({"m1": member(1, 1), "m2": member(1, 1), "m3": member(2)}, ["m3"]),
        ({"m1": member(1), "m2": member(2), "m3": member(2)}, ["m1"]),
        ({"m1": member(1), "m2": member(2)}, []),
        ({"m1": member(1, 1), "m2": member(1), "m3": samples.report()}, []),
        ({"m1": member(1, 1), "m2": member(1, 1), "m3": member(None, 2)}, ["m3"]),
        ({"m1": member(1, 1), "m2": member(1), "m3": member(2, 2)}, ["m3"]),
        ({"m1": member(1, 1), "m3": member(2, 2)}, []),
        ({}, []),
    ],
)
def test_data_of_another_cluster_is_told_by_those_who_serve_or_by_the_most(reports, stale):
    assert [problem.what.split()[0] for problem in stale_etcd(("m1", "m2", "m3"), reports)] == stale


@pytest.mark.parametrize(
    ("reports", "running", "stale"),
    [
        ({"m1": member(1), "m2": member(1), "m3": member(2, 2)}, ["m3"], ["m3"]),
        ({"m1": member(1), "m2": member(1), "m3": member(1, 2)}, ["m3"], ["m3"]),
        ({"m1": member(1), "m3": member(2, 2)}, ["m3"], []),
        (
            dict.fromkeys(("m1", "m2", "m3"), member(1)) | {"m4": member(2, 2), "m5": member(2, 2)},
            *[["m4", "m5"]] * 2,
        ),
        ({"m1": member(1), "m2": member(1), "m4": member(2, 2), "m5": member(2, 2)}, None, ["m1", "m2"]),
        ({"m1": member(1, 1), "m2": member(1, 1), "m3": member(2, 2)}, None, ["m3"]),
        ({"m1": member(1), "m2": member(1), "m3": member(2)}, None, ["m3"]),
    ],
)
def test_where_fewer_members_run_than_hold_data_of_another_cluster_nobodys_data_is_to_be_discarded(
    reports, running, stale
):
    """The advice was `node repair m1` and m2: one member that lied, or was restored by hand, cost the majority."""
    found = disagreement(ALL, reports)
    assert (list(found.running) if found else None) == running
    assert list(stale_members(ALL, reports)) == stale
    for repaired in (None, *ALL):
        said = " ".join(str(error) for error in stale_etcd(ALL, reports, repaired))
        assert (found is None) or "repair" not in said
        assert (found is None) == ("members disagree" not in said)
    if found and found.fewer:
        assert f"`haplane up INVENTORY --without {' --without '.join(running)}`" in found.next_step
