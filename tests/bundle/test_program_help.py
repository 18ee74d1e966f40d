"""The programs of a real bundle name every flag and gate that haplane writes for them."""

import pytest
import samples

from haplane.bundle import program_help
from haplane.bundle.manifest import default_directory
from haplane.bundle.program_help import Question, helps, refusals
from haplane.desired.files import etcd_unit, kubeadm_configuration, node_files
from haplane.domain import host_paths
from haplane.domain.upgrade_flags import accepted, in_command_line, in_kubeadm_configuration, unnamed
from haplane.observation.upgrade_checks import PROGRAMS
from haplane.supported import DEFAULT_VERSION

pytestmark = pytest.mark.bundle


def test_they_know_what_haplane_writes_and_not_what_was_made_up():
    inventory = samples.inventory(tuning={"kubelet": {"featureGates": {"AllAlpha": False, "MadeUp": True}}})
    master = inventory.masters[0]
    kubelet = next(
        one for one in node_files(inventory, master, "pause", "") if one.path == host_paths.KUBELET_SERVICE
    )
    written = [
        *in_kubeadm_configuration(kubeadm_configuration(inventory, master), "x"),
        *in_command_line("kubelet", kubelet.content.decode(), "x"),
        *in_command_line("etcd", etcd_unit(master, "token", 1 << 30).content.decode(), "x"),
        *in_command_line("kube-apiserver", "--made-up=1", "x"),
    ]
    known = {name: accepted(text) for name, text in helps(default_directory(DEFAULT_VERSION), PROGRAMS).items()}
    assert sorted(known) == sorted(PROGRAMS)
    assert len(written) > 50
    assert [str(one) for one in unnamed(written, known)] == ["feature gate MadeUp", "--made-up"]


def test_what_help_leaves_out_is_asked_of_the_program():
    """CSIServiceAccountTokenSecrets is generally available since 1.36: not named, taken as true, refused as false."""
    bundle = default_directory(DEFAULT_VERSION)
    gates = {
        "CSIServiceAccountTokenSecrets=true": None,
        "CSIServiceAccountTokenSecrets=false": "locked to true",
        "MadeUp=true": "unrecognized feature gate: MadeUp",
    }
    for program in ("kubelet", "kube-apiserver", "kube-proxy"):
        asked = {Question(program, f"--feature-gates={pair}", gate=True): words for pair, words in gates.items()}
        found = refusals(bundle, asked)
        for one, words in asked.items():
            assert one not in found if words is None else words in found[one], (one, found)
    for program in ("kubelet", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy"):
        made_up = Question(program, "--made-up=")
        assert refusals(bundle, [made_up, Question(program, "--v=")]) == {made_up: "unknown flag: --made-up"}


def test_the_api_servers_help_names_every_gate_of_the_node_as_well():
    known = {name: accepted(text) for name, text in helps(default_directory(DEFAULT_VERSION), PROGRAMS).items()}
    assert known["kubelet"].gates | known["kube-proxy"].gates <= known["kube-apiserver"].gates


def test_what_a_program_printed_is_not_asked_for_again(monkeypatch, tmp_path):
    """By its digest, so that another bundle with the same program is not unpacked either."""
    bundle = default_directory(DEFAULT_VERSION)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    helps.cache_clear()
    first = helps(bundle, ("kubelet",))
    helps.cache_clear()
    monkeypatch.setattr(program_help, "unpack_by_name", pytest.fail)
    assert helps(bundle, ("kubelet",)) == first
    assert (tmp_path / "haplane" / "program-help").stat().st_mode & 0o077 == 0
    helps.cache_clear()
