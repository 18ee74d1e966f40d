"""What programs are started with, compared with what their own `--help` names."""

import pytest
import samples

from haplane.desired.files import etcd_unit, kubeadm_configuration
from haplane.domain.upgrade_flags import (
    Written,
    accepted,
    environment_files,
    in_command_line,
    in_file_of_host,
    in_kubeadm_configuration,
    unnamed,
)
from haplane.errors import HaplaneError

KUBELET = """
      --node-ip string                                           IP address of the node.
  -v, --v Level                                                  number for the log level verbosity
      --feature-gates mapStringBool                              A set of key=value pairs. Options are:
                NodeSwap=true|false (BETA - default=true)
"""
APISERVER = """
      --goaway-chance float                                To prevent HTTP/2 clients
                                                           kube:AllAlpha=true|false (ALPHA - default=false)
"""
ETCD = """
  --initial-cluster-state 'new'
    Initial cluster state ('new' when bootstrapping a new cluster). See --initial-cluster.
    CompactHashCheck=true|false (ALPHA - default=false)
"""


def test_flags_and_gates_that_a_program_names():
    assert accepted(KUBELET).flags == {"node-ip", "v", "feature-gates"}
    assert accepted(KUBELET).gates == {"NodeSwap"}
    assert accepted(APISERVER).gates == {"AllAlpha"}
    assert accepted(ETCD).flags == {"initial-cluster-state"}


def test_what_haplane_writes_for_every_component():
    """From the files themselves, so that none is forgotten when one is added."""
    inventory = samples.inventory(
        tuning={"kubelet": {"featureGates": {"NodeSwap": True}}, "kube_proxy": {"featureGates": {"Odd": True}}}
    )
    text = kubeadm_configuration(inventory, inventory.masters[0])
    found = list(in_kubeadm_configuration(text, "x.py"))
    assert {one.program for one in found} == {
        "kubelet", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy",
    }  # fmt: skip
    assert Written("kube-apiserver", "goaway-chance", "x.py") in found
    assert Written("kubelet", "node-ip", "x.py") in found
    assert Written("kubelet", "NodeSwap", "x.py", gate=True, value="true") in found
    assert Written("kube-proxy", "Odd", "x.py", gate=True, value="true") in found
    assert sum(one.program == "kube-apiserver" for one in found) == text.split("controllerManager:")[0].split(
        "apiServer:"
    )[1].split("extraVolumes")[0].count("- {name: ")


def test_a_unit_and_a_drop_in_name_flags_and_gates_but_not_in_comments():
    unit = etcd_unit(samples.host("m1", 21), "token", 1 << 30).content.decode()
    found = {str(one) for one in in_command_line("etcd", unit, "etcd.service")}
    assert {"--initial-cluster-state", "feature gate CompactHashCheck", "--snapshot-count"} <= found
    text = '# --not-this\nKUBELET_KUBEADM_ARGS="--housekeeping-interval=10s --feature-gates=A=true,B=false"\n'
    named = [str(one) for one in in_command_line("kubelet", text, "x")]
    assert named == ["--housekeeping-interval", "--feature-gates", "feature gate A", "feature gate B"]


@pytest.mark.parametrize(
    ("program", "text", "named"),
    [
        ("kubelet", 'Environment="X=--feature-gates A=true,B=false"', ["--feature-gates", "A=true", "B=false"]),
        ("kubelet", "ExecStart=/x --feature-gates \\\n  A=true", ["--feature-gates", "A=true"]),
        ("kubelet", "X='--feature-gates=\"A=true, kube:B=false\"'", ["--feature-gates", "A=true", "B=false"]),
        ("kubelet", "X=--feature_gates=A=true", ["--feature-gates", "A=true"]),
        ("kubelet", "X=--feature-gates $GATES\nB=true", ["--feature-gates"]),
        ("kubelet", "X=--feature-gates\nB=true", ["--feature-gates"]),
        ("kubelet", "X=--foo_bar=1 --foo-bar --v=4", ["--foo-bar", "--v"]),
        ("kubelet", "; X=--not-this\n  # --nor-this", []),
        ("etcd", "X=--foo_bar=1", ["--foo_bar"]),
        ("etcd", "Environment=FEATURE_GATES=A=true", ["A=true"]),
    ],
)
def test_flags_and_gates_are_read_as_the_program_reads_them(program, text, named):
    """Gates after a blank were not read, and `--foo_bar` was read as `--foo`, which no program has."""
    found = [f"{one.name}={one.value}" if one.gate else str(one) for one in in_command_line(program, text, "x")]
    assert found == named


def test_files_of_variables_that_a_drop_in_names():
    text = (
        b"EnvironmentFile=-/etc/default/kubelet\n EnvironmentFile = /run/a\n#EnvironmentFile=/no\nEnvironmentFile=\n"
    )
    assert environment_files(text) == ["/etc/default/kubelet", "/run/a"]


def test_only_what_a_known_program_does_not_name_is_doubtful():
    written = [
        Written("kubelet", "node-ip", "x"),
        Written("kubelet", "gone", "x"),
        Written("kubelet", "Gone", "x", gate=True),
        Written("kube-proxy", "unknown", "x"),
    ]
    found = unnamed(written, {"kubelet": accepted(KUBELET)})
    assert [str(one) for one in found] == ["--gone", "feature gate Gone"]


@pytest.mark.parametrize("content", [b"#" * 70_000, b" ".join(b"--flag-%d" % number for number in range(300))])
def test_a_file_of_a_host_that_is_none_of_flags_is_one_problem_of_that_host(content):
    """Each flag in it was tried on a program that was unpacked for it, for hours."""
    with pytest.raises(HaplaneError, match=r"w1: the flags in /etc/x cannot be checked"):
        in_file_of_host("kubelet", content, "w1", "/etc/x")
