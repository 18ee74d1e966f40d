import json
import os
import re
import subprocess

import pytest
from fake_hosts import commands

from haplane.domain import host_paths
from haplane.errors import DEADLINE_MARK
from haplane.operations import etcd
from haplane.scripts import script

EXISTS = 'test ! -e "$path" || echo'
BEFORE = {EXISTS: [host_paths.ETCD_BOOTSTRAPPED]}


def test_a_member_that_was_ever_part_of_a_cluster_never_forms_one():
    assert commands(etcd.start_new_cluster, BEFORE, drop_in="new") == []
    assert commands(etcd.forbid_bootstrap, BEFORE, seconds=80) == []


def test_the_permission_to_form_a_cluster_lives_in_run_and_is_taken_away():
    [start] = commands(etcd.start_new_cluster, {}, drop_in="Environment=INITIAL_CLUSTER_STATE=new")
    assert "/run/systemd/system/etcd.service.d/" in start
    assert "drop_in='\"'\"'Environment=INITIAL_CLUSTER_STATE=new'\"'\"'" in start
    wait, settle = commands(etcd.forbid_bootstrap, {}, seconds=80)
    assert "get haplane-health" in wait  # an alarm about space fails `endpoint health` and stops no read
    assert settle.index('rm -f "$ETCD_BOOTSTRAP_DROP_IN"') < settle.index('> "$ETCD_BOOTSTRAPPED"')


@pytest.mark.parametrize(
    ("older", "serves", "restarted"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_a_member_that_waits_with_a_ca_from_before_is_restarted(tmp_path, monkeypatch, older, serves, restarted):
    """`up` put the CA back, and waited in vain: systemd was still starting the member that had read the other one."""
    ca, unit = tmp_path / "ca.crt", tmp_path / "etcd.service"
    for path in (ca, unit):
        path.write_text("")
        os.utime(path, (1_000_000, 1_000_000))
    (tmp_path / "systemctl").write_text(
        f'#!/bin/sh\ncase $1 in show) echo @{1_000_000 - 60 if older else 1_000_060} ;; *) echo "$@" ;; esac\n'
    )
    (tmp_path / "etcdctl").write_text(f"#!/bin/sh\nexit {0 if serves else 1}\n")
    for name in ("systemctl", "etcdctl"):
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    text = script("take_up_etcd_files").replace("wait_for 20 ", "wait_for 0 ")
    text = text.replace(f"'{host_paths.ETCD_PKI}'", str(ca)).replace(f"'{host_paths.ETCD_SERVICE}'", str(unit))
    done = subprocess.run(["sh", "-c", text], capture_output=True, text=True, check=True)
    assert ("restart --no-block etcd.service" in done.stdout) is restarted


def test_data_are_moved_before_the_mark_so_that_an_interrupted_member_refuses_to_start():
    [command] = commands(etcd.move_data, timestamp="20261122T190000Z")
    moved, mark = command.index('mv -T "$ETCD_MEMBER_DATA"'), command.index('rm -f "$ETCD_BOOTSTRAPPED"')
    assert command.index("systemctl stop etcd") < moved < mark


@pytest.mark.parametrize(
    ("answers", "code", "asked"),
    [
        (["unhealthy cluster", ""], 0, 2),
        (["unhealthy cluster", "etcdserver: member not found"], 0, 2),
        (["no"], 1, 1),
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
    text = script("remove_member", id="2a").replace("wait_for 130 ", "wait_for 0 " if code else "wait_for 130 ")
    done = subprocess.run(["sh", "-c", text], capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert (tmp_path / "log").read_text().count("member remove -- 2a") == asked
    assert done.stderr.strip() == (f"{DEADLINE_MARK} not within 0 s: etcd removes the member 2a: no" if code else "")


def test_one_that_is_not_in_sync_yet_has_not_been_promoted(tmp_path):
    """Both errors begin alike."""
    text = script("promote_learner", id="2a").replace("wait_for 1700 ", "wait_for 0 ")
    said = "Error: etcdserver: can only promote a learner member"
    for words, promoted in ((said, True), (f"{said} which is in sync with leader", False)):
        (tmp_path / "etcdctl").write_text(f"#!/bin/sh\necho '{words}' >&2\nexit 1\n")
        (tmp_path / "etcdctl").chmod(0o755)
        environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
        done = subprocess.run(["sh", "-c", text], env=environment, stderr=subprocess.DEVNULL, check=False)
        assert (done.returncode == 0) is promoted


URL = "https://10.0.0.24:2380"


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([{"ID": 9, "peerURLs": [URL], "isLearner": True}], None),
        ([{"ID": 9, "name": "m4", "peerURLs": [URL], "isLearner": True}], None),
        ([{"ID": 9, "name": "m4", "peerURLs": [URL]}], f"{URL} is already the peer URL of the voter 9 (m4)"),
        (
            [{"ID": 10, "name": "x", "peerURLs": [URL], "isLearner": True}],
            f"{URL} is already the peer URL of the learner a (x)",
        ),
    ],
)
def test_a_peer_url_that_another_member_has_is_no_learner_that_was_added(tmp_path, monkeypatch, members, said):
    program = tmp_path / "etcdctl"
    program.write_text(
        '#!/bin/sh\ncase "$*" in\n'
        f"*'member list'*) echo '{json.dumps({'members': members})}' ;;\n"
        '*"member add --learner --peer-urls='
        + URL
        + ' -- m4") echo "etcdserver: Peer URLs already exists" >&2; exit 1 ;;\n'
        "*) exit 2 ;;\nesac\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    [command] = commands(etcd.add_learner, member="m4", peer_url=URL)
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode == 0) is (said is None)
    assert done.stderr.strip() == (said or "")


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
    subprocess.run(["sh", "-c", script("hand_over_leadership")], check=True)
    assert offers() == asked


def test_a_member_that_does_not_answer_hands_nothing_over_and_holds_nothing_up(tmp_path, monkeypatch):
    (tmp_path / "etcdctl").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "etcdctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert "does not answer" in subprocess.check_output(["sh", "-c", script("hand_over_leadership")], text=True)
