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


def test_data_go_aside_before_the_mark_so_that_an_interrupted_member_refuses_to_start():
    [script] = commands(etcd.set_data_aside, stamp="20261122T190000Z")
    assert script.index("systemctl stop etcd") < script.index("mv /var/lib/etcd/member") < script.index("rm -f")


@pytest.mark.parametrize(
    ("answers", "code", "asked"),
    [
        (["unhealthy cluster", ""], 0, 2),
        (["unhealthy cluster", "etcdserver: member not found"], 0, 2),
        (["no", "no", "no"], 1, 3),
    ],
)
def test_a_change_is_asked_for_until_it_is_made_or_has_been(tmp_path, monkeypatch, answers, code, asked):
    """An empty answer is a success; anything else fails with these words."""
    for number, answer in enumerate(answers, 1):
        (tmp_path / f"answer{number}").write_text(answer)
    program = tmp_path / "etcdctl"
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/log\nn=$(wc -l < {tmp_path}/log)\n'
        f"cat {tmp_path}/answer$n >&2\ntest ! -s {tmp_path}/answer$n\n"
    )
    program.chmod(0o755)
    (tmp_path / "sleep").write_text("#!/bin/sh\n")
    (tmp_path / "sleep").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    words = ["3", "*member not found*", "member", "remove", "2a"]
    done = subprocess.run(["sh", "-c", etcd.PERSIST, "sh", *words], capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert (tmp_path / "log").read_text().count("member remove 2a") == asked
    assert done.stderr.strip() == ("no" if code else "")


def test_one_that_is_not_in_sync_yet_has_not_been_promoted():
    """Both errors begin alike."""
    [command] = commands(etcd.promote, member="2a")
    pattern = re.search(r"sh 1500 '([^']+)'", command)[1]
    said = "Error: etcdserver: can only promote a learner member"
    for words, matches in ((said, True), (f"{said} which is in sync with leader", False)):
        script = f'case "$1" in {pattern.replace(" ", chr(92) + " ")}) echo yes ;; esac'
        assert subprocess.check_output(["sh", "-c", script, "sh", words], text=True) == ("yes\n" if matches else "")


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
