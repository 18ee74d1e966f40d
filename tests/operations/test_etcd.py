import json
import os
import re
import subprocess

import pytest
from fake_hosts import commands

from haplane.operations import cluster, etcd, files, kubeadm

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


@pytest.fixture
def etcdctl(tmp_path, monkeypatch):
    """An etcdctl that answers as the member ``me`` of three, where only member 3 takes leadership; it keeps a log."""

    def make(me: int, leader: int):
        status = json.dumps([{"Status": {"leader": leader, "header": {"member_id": me}}}])
        members = json.dumps({"members": [{"ID": 1}, {"ID": 2}, {"ID": 3}, {"ID": 4, "isLearner": True}]})
        program = tmp_path / "etcdctl"
        program.write_text(
            f'#!/bin/sh\necho "$@" >> {tmp_path}/log\n'
            f"case \"$*\" in\n*status*) echo '{status}' ;;\n*list*) echo '{members}' ;;\n"
            "*'move-leader 3') ;;\n*) exit 1 ;;\nesac\n"
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        return lambda: re.findall(r"move-leader (\w+)", (tmp_path / "log").read_text())

    return make


@pytest.mark.parametrize(("leader", "asked"), [(1, ["2", "3"]), (2, [])])
def test_leadership_is_offered_to_other_voters_until_one_takes_it(etcdctl, leader, asked):
    offers = etcdctl(me=1, leader=leader)
    subprocess.run(["sh", "-c", etcd.HAND_OVER], check=True)
    assert offers() == asked


SCRIPTS = {
    f"{module.__name__.rsplit('.', 1)[1]}.{name}": text
    for module in (cluster, etcd, files, kubeadm)
    for name, text in vars(module).items()
    if name.isupper() and isinstance(text, str) and "\n" in text
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_is_one_that_sh_can_read(name):
    subprocess.run(["sh", "-n", "-c", SCRIPTS[name]], check=True)
