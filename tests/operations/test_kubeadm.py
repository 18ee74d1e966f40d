from fake_hosts import commands

from haplane.domain.plan import MASTER_EVIDENCE
from haplane.operations import kubeadm

EXISTS = 'do test ! -e "$path"'


def run_phases(*present):
    return commands(kubeadm.run_phases, {EXISTS: list(present)}, config="/k.yaml", evidence=MASTER_EVIDENCE)


def test_a_fresh_master_goes_through_all_phases_but_those_of_the_cluster():
    [_, init] = run_phases()
    assert init.startswith("kubeadm init --config /k.yaml --skip-phases=")
    skipped = set(init.split("=", 1)[1].split(","))
    assert skipped == {
        "upload-config", "upload-certs", "mark-control-plane", "bootstrap-token", "addon", "show-join-command",
    }  # fmt: skip


def test_a_master_left_half_way_skips_preflight_which_takes_its_files_for_a_strangers():
    assert ",preflight" in run_phases(MASTER_EVIDENCE[0])[1]


def test_a_master_that_has_been_through_is_left_alone():
    assert run_phases(*MASTER_EVIDENCE) == []


def test_a_worker_joins_once():
    first = commands(kubeadm.join, {EXISTS: []}, config="/join.yaml")
    assert first[-1] == "kubeadm join --config /join.yaml"
    assert commands(kubeadm.join, {EXISTS: [kubeadm.KUBELET_CONFIG]}, config="/join.yaml") == []


def test_a_file_is_removed_once():
    assert commands(kubeadm.absent, {EXISTS: ["/etc/a b"]}, path="/etc/a b") == ["rm -f '/etc/a b'"]
    assert commands(kubeadm.absent, {EXISTS: []}, path="/etc/a b") == []
