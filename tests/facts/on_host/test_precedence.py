"""Files that take the place of haplane's."""

import pytest

from haplane.facts.on_host import precedence, systemd


@pytest.mark.parametrize(
    ("unit", "content", "counts"),
    [
        ("kubelet", '[Service]\nEnvironment="KUBELET_EXTRA_ARGS=--x"\n', True),
        ("kubelet", "[Service]\nExecStart=\nExecStart=/usr/bin/kubelet\n", True),
        ("kubelet", "[Service]\nMemoryMax=2G\n# ExecStart=none\n", False),
        ("containerd", "[Service]\nEnvironment=HTTPS_PROXY=http://proxy.example:3128\n", False),
    ],
)
def test_a_drop_in_that_changes_what_a_unit_runs_is_found(tmp_path, monkeypatch, unit, content, counts):
    (tmp_path / "10-mine.conf").write_text(content)
    shown = f"LoadState=loaded\nFragmentPath=/etc/systemd/system/{unit}.service\n"
    shown += f"DropInPaths={tmp_path}/10-mine.conf\n"
    monkeypatch.setattr(systemd, "run_if_installed", lambda *words: shown if words[-1] == f"{unit}.service" else "")
    monkeypatch.setattr(precedence.os.path, "exists", lambda path: True)
    assert precedence.overridden_units() == ({unit: [f"{tmp_path}/10-mine.conf"]} if counts else {})


def test_a_unit_from_elsewhere_is_found(monkeypatch):
    shown = "LoadState=loaded\nFragmentPath=/run/systemd/system/kubelet.service\nDropInPaths=\n"
    monkeypatch.setattr(systemd, "run_if_installed", lambda *words: shown)
    monkeypatch.setattr(precedence.os.path, "exists", lambda path: True)
    assert precedence.overridden_units()["kubelet"] == ["/run/systemd/system/kubelet.service"]


@pytest.mark.parametrize(
    ("value", "other", "found"),
    [
        ("1", "net.ipv4.ip_forward=0\n", {}),
        ("0", "net.ipv4.ip_forward=0\n", {"net.ipv4.ip_forward": "0, set by {other}"}),
        ("0", "# net.ipv4.ip_forward=0\n", {"net.ipv4.ip_forward": "0"}),
        (None, "", {}),  # this kernel does not have it
    ],
)
def test_a_kernel_setting_that_another_file_or_hand_undid_is_found(tmp_path, monkeypatch, value, other, found):
    ours, others = tmp_path / "99-haplane.conf", tmp_path / "99-hardening.conf"
    ours.write_text("# Written by haplane.\nnet.ipv4.ip_forward = 1\n")
    others.write_text(other)
    kernel = tmp_path / "net" / "ipv4"
    kernel.mkdir(parents=True)
    if value is not None:
        (kernel / "ip_forward").write_text(f"{value}\n")
    monkeypatch.setattr(precedence, "OUR_SYSCTL", str(ours))
    monkeypatch.setattr(precedence, "SYSCTL_FILES", (f"{tmp_path}/*.conf",))
    monkeypatch.setattr(precedence, "PROC_SYS", str(tmp_path))
    expected = {name: text.format(other=others) for name, text in found.items()}
    assert precedence.changed_kernel_settings() == expected


@pytest.mark.parametrize(("code", "missing"), [(0, True), (1, False)])
def test_a_setting_whose_module_could_be_loaded_and_is_not(code, missing, tmp_path, monkeypatch):
    """`modprobe -r br_netfilter`; a kernel without that module lacks the setting for good, as a container does."""
    name = "net.bridge.bridge-nf-call-iptables"
    (tmp_path / "ours.conf").write_text(f"{name} = 1\n")
    (tmp_path / "modprobe").write_text(f"#!/bin/sh\nexit {code}\n")
    (tmp_path / "modprobe").chmod(0o755)
    monkeypatch.setattr(precedence, "OUR_SYSCTL", str(tmp_path / "ours.conf"))
    monkeypatch.setattr(precedence, "PROC_SYS", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    expected = {name: "not there, as the module br_netfilter is not loaded"} if missing else {}
    assert precedence.changed_kernel_settings() == expected
