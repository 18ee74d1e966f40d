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
