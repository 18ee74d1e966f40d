"""What masters report of the cluster that runs, for `snapshot verify`."""

import samples
from contexts import FakeExecutor

from haplane.errors import HaplaneError
from haplane.recovery.same_cluster import ClusterMark, read_cluster_mark


def marked(**uids):
    """By master, the UID that its API server returns; None where it does not respond. Others are off."""
    executor = FakeExecutor()

    def run(host, program, *words, deadline_seconds=60):
        if host.name not in uids or (program == "kubectl" and uids[host.name] is None):
            raise HaplaneError("no response")
        return b"CA" if program == "cat" else f"{uids[host.name]}\n".encode()

    executor.run = run
    return read_cluster_mark(samples.inventory(), executor)


def test_a_master_whose_api_server_is_down_hides_no_uid_that_another_returns():
    assert marked(m1=None, m2="uid-1", m3="uid-1") == ClusterMark(b"CA", "uid-1", ("m1", "m2", "m3"))


def test_without_an_api_server_the_ca_is_known_and_without_a_master_nothing():
    assert marked(m2=None, m3=None) == ClusterMark(b"CA", None, ("m2", "m3"))
    assert marked() == ClusterMark(None, None)


def test_one_master_decides_of_no_snapshot():
    assert marked(m1="another", m2="uid-1", m3="uid-1").uid == "uid-1"
    assert marked(m1="another", m2=None, m3=None).uid is None
    assert marked(m1="another") == ClusterMark(None, None)
