import samples

from haplane.domain.moved_hosts import moved_hosts

EVIDENCE = ("/etc/kubernetes/kubelet.conf",)
ADDRESSES = {"m1": "10.0.0.21", "m2": "10.0.0.22"}


def set_up_as(name, address, *, through=True):
    files = {EVIDENCE[0]: {"sha256": "a" * 64, "mode": 0o600, "user_id": 0}} if through else {}
    return samples.report(files=files, settings={"name": name, "address": address})


def test_exchanged_and_moved_masters_are_told_apart():
    exchanged = {"m1": set_up_as("m2", "10.0.0.22"), "m2": set_up_as("m1", "10.0.0.21")}
    assert [problem.what for problem in moved_hosts(ADDRESSES, exchanged, EVIDENCE)] == [
        "m1 is the host that was installed as m2",
        "m2 is the host that was installed as m1",
    ]
    moved = {"m1": set_up_as("m1", "10.0.0.21"), "m2": set_up_as("m2", "10.0.0.99")}
    [problem] = moved_hosts(ADDRESSES, moved, EVIDENCE)
    assert problem.what == "m2 was installed at 10.0.0.99, but the inventory has 10.0.0.22"


def test_what_an_interrupted_run_wrote_before_kubeadm_binds_nobody():
    assert moved_hosts(ADDRESSES, {"m1": set_up_as("x", "10.0.0.9", through=False)}, EVIDENCE) == []
