"""``haplane snapshot`` from the members to the bucket: hosts in memory, signed files, a real S3 server."""

import pytest
import samples
from snapshotting import RECIPIENT, SnapshottingCluster

from haplane.agent.manifest import PAYLOAD
from haplane.domain.progress import silent
from haplane.errors import BadInput, Refused, Unreachable
from haplane.recovery.places import bucket_of
from haplane.workflows.snapshot import list_snapshots, plan_pruning, prune, take
from haplane.workflows.status import status
from haplane.workflows.verify_snapshot import verify_snapshot


@pytest.fixture
def cluster(bucket, tmp_path):
    snapshots = {"recipients": [RECIPIENT], "s3": bucket, "keep_remote": {"last": 2}}
    return SnapshottingCluster(samples.inventory(snapshots=snapshots), tmp_path)


def listed(cluster, **asked):
    return list_snapshots(cluster.inventory, silent, executor=cluster, **asked)


def verified(cluster, wanted="latest"):
    return verify_snapshot(cluster.inventory, wanted, None, silent, executor=cluster)


def planned(cluster):
    return plan_pruning(cluster.inventory, silent, executor=cluster)


def taken(cluster, count=1):
    """That many a minute apart, the newest last."""
    made = []
    for _ in range(count):
        cluster.sleep(60)
        made.append(take(cluster.inventory, silent, executor=cluster).id)
    return made


def test_what_a_member_takes_is_listed_and_verified_in_both_places(cluster):
    [one] = taken(cluster)
    assert cluster.called == [("m2", "take")], "the leader is m1"
    listing = listed(cluster)
    assert [(each.id, each.where, each.verified) for each in listing.snapshots] == [(one, ("m2", "bucket"), True)]
    assert (listing.exit_code, listing.unread) == (0, {})
    found = verified(cluster)
    assert [(copy.place, copy.problem) for copy in found.copies] == [("m2", None), ("bucket", None)]
    assert (found.manifest.id, found.exit_code) == (one, 0)
    assert status(cluster.inventory, silent, executor=cluster).snapshots.remote == 1
    cluster.sleep(3600)
    assert "newer ones should be there" in verified(cluster).problem


def test_a_copy_that_was_changed_in_the_bucket_is_found(cluster, tmp_path):
    [one] = taken(cluster)
    (tmp_path / "swapped").write_bytes(b"swapped")
    bucket_of(cluster.inventory).put_file(one, PAYLOAD, tmp_path / "swapped")
    found = verified(cluster)
    assert found.exit_code == 6
    assert ["is not what was signed" in (copy.problem or "") for copy in found.copies] == [False, True]


def test_a_member_that_does_not_respond_is_named_and_its_copy_is_in_the_bucket(cluster):
    [one] = taken(cluster)
    cluster.off["m2"] = "no response"
    listing = listed(cluster)
    assert [(each.id, each.where) for each in listing.snapshots] == [(one, ("bucket",))]
    assert (listing.exit_code, "no response" in listing.unread["m2"]) == (6, True)


def test_a_member_that_stops_responding_while_its_copy_is_read_is_a_copy_that_was_not_verified(cluster):
    taken(cluster)

    def progress(subject, message, fraction=None):
        if (subject, message.partition(" ")[0]) == ("m2", "reading"):
            cluster.off["m2"] = "no response"

    cluster.progress = progress
    found = verified(cluster)
    assert found.exit_code == 6
    assert [(copy.place, copy.problem is None) for copy in found.copies] == [("m2", False), ("bucket", True)]
    assert "m2 cannot be reached" in found.copies[0].problem


def test_a_member_that_stops_responding_while_it_takes_one(cluster):
    honest = cluster.call_agent

    def call_agent(host, *asked):
        cluster.off[host.name] = "no response"
        return honest(host, *asked)

    cluster.call_agent = call_agent
    with pytest.raises(Unreachable, match="m2 cannot be reached"):
        taken(cluster)
    del cluster.call_agent
    cluster.off.clear()
    assert len(taken(cluster)) == 1


def test_without_a_member_that_reads_through_quorum_no_snapshot_is_taken(cluster):
    for name in ("m1", "m2", "m3"):
        cluster.now_reported[name]["etcd"] |= {"reads_through_quorum": False}
    with pytest.raises(Unreachable, match="no member can take a snapshot now"):
        taken(cluster)
    assert cluster.called == []


def test_the_bucket_keeps_what_the_inventory_says_and_members_keep_theirs(cluster):
    made = taken(cluster, 4)
    pruning = planned(cluster)
    assert (set(pruning.removable), set(pruning.kept)) == (set(made[:2]), set(made[2:]))
    assert pruning.members == {"m2": {"kept": 2, "removed": 2}}
    assert set(prune(cluster.inventory, pruning, silent).removed) == set(made[:2])
    where = {each.id: each.where for each in listed(cluster).snapshots}
    assert where == dict.fromkeys(made[:2], ("m2",)) | dict.fromkeys(made[2:], ("m2", "bucket"))
    assert planned(cluster).removable == ()


def test_nothing_is_removed_while_nobody_knows_the_key_that_signs(cluster):
    taken(cluster, 3)
    for name in ("m1", "m2"):
        cluster.off[name] = "no response"
    assert len(planned(cluster).removable) == 1, "m3 holds it as well"
    cluster.off["m3"] = "no response"
    with pytest.raises(Unreachable, match="without the cluster's signing key"):
        planned(cluster)


def test_masters_that_hold_different_keys_are_refused(cluster):
    taken(cluster)
    honest = cluster.read_files
    other = samples.ClusterIdentity.generate("test", samples.NOW).to_files()
    cluster.read_files = lambda host, paths: (
        {path: other[path] for path in paths} if host.name == "m3" else honest(host, paths)
    )
    for verb in (listed, verified, planned):
        with pytest.raises(Refused, match="masters hold different signing keys"):
            verb(cluster)


def test_without_any_place_or_any_settings_there_is_nothing_to_list(cluster, tmp_path):
    snapshots = {"recipients": [RECIPIENT], "signing_key": "A" * 43 + "="}
    alone = SnapshottingCluster(samples.inventory(snapshots=snapshots), tmp_path / "alone")
    alone.off = dict.fromkeys(("m1", "m2", "m3"), "no response")
    for verb in (listed, verified):
        with pytest.raises(Unreachable, match="neither a member nor the bucket responds"):
            verb(alone)
    with pytest.raises(BadInput, match="names no bucket"):
        planned(alone)
    cluster.inventory = samples.inventory()
    for verb in (listed, verified, planned):
        with pytest.raises(BadInput, match="takes no snapshots"):
            verb(cluster)
