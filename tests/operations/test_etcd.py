from fake_hosts import commands

from haplane.operations import etcd

EXISTS = 'do test ! -e "$path"'
BEFORE = {EXISTS: [etcd.BOOTSTRAPPED]}


def test_a_member_that_was_ever_part_of_a_cluster_never_forms_one():
    assert commands(etcd.start_new_cluster, BEFORE, drop_in="new") == []
    assert commands(etcd.settle_new_cluster, BEFORE) == []


def test_the_permission_to_form_a_cluster_lives_in_run_and_is_taken_away():
    [start] = commands(etcd.start_new_cluster, {}, drop_in="Environment=INITIAL_CLUSTER_STATE=new")
    assert "/run/systemd/system/etcd.service.d/" in start
    assert start.endswith("sh Environment=INITIAL_CLUSTER_STATE=new")
    wait, settle = commands(etcd.settle_new_cluster, {})
    assert "endpoint health" in wait
    assert settle.index(f"rm -f {etcd.DROP_IN}") < settle.index(etcd.BOOTSTRAPPED)
