import pytest
import samples

from haplane.domain.stale_members import stale_etcd


def member(stored, serving=None):
    status = {"header": {"cluster_id": serving}} if serving else None
    etcd = {"has_data": True, "status": status, "reads_through_quorum": bool(serving), "data_cluster_id": stored}
    return samples.report(etcd=samples.document()["etcd"] | etcd)


@pytest.mark.parametrize(
    ("reports", "stale"),
    [
        ({"m1": member(1, 1), "m2": member(1, 1), "m3": member(2)}, ["m3"]),
        ({"m1": member(1), "m2": member(2), "m3": member(2)}, ["m1"]),
        ({"m1": member(1, 1), "m2": member(2), "m3": member(2)}, ["m2", "m3"]),
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
