"""The programs of a real bundle name every flag and gate that haplane writes for them."""

import pytest
import samples

from haplane.bundle.manifest import default_directory
from haplane.bundle.program_help import helps
from haplane.desired.files import etcd_unit, kubeadm_configuration, node_files
from haplane.domain import host_paths
from haplane.domain.upgrade_flags import accepted, in_command_line, in_kubeadm_configuration, refused
from haplane.observation.upgrade_checks import PROGRAMS
from haplane.supported import DEFAULT_VERSION

pytestmark = pytest.mark.bundle


def test_they_know_what_haplane_writes_and_not_what_was_made_up():
    inventory = samples.inventory(tuning={"kubelet": {"featureGates": {"AllAlpha": False, "MadeUp": True}}})
    master = inventory.masters[0]
    kubelet = next(one for one in node_files(inventory, "pause", "") if one.path == host_paths.KUBELET_SERVICE)
    written = [
        *in_kubeadm_configuration(kubeadm_configuration(inventory, master), "x"),
        *in_command_line("kubelet", kubelet.content.decode(), "x"),
        *in_command_line("etcd", etcd_unit(master, "token", 1 << 30).content.decode(), "x"),
        *in_command_line("kube-apiserver", "--made-up=1", "x"),
    ]
    known = {name: accepted(text) for name, text in helps(default_directory(DEFAULT_VERSION), PROGRAMS).items()}
    assert sorted(known) == sorted(PROGRAMS)
    assert len(written) > 50
    assert [str(one) for one in refused(written, known)] == ["feature gate MadeUp", "--made-up"]
