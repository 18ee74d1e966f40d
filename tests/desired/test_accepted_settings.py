"""What programs refuse is told with the setting of the inventory that it comes from."""

from pathlib import Path

import pytest
import samples

from haplane.bundle.configuration_trial import Refusal
from haplane.desired import accepted_settings
from haplane.desired.accepted_settings import refuse_unusable_settings
from haplane.errors import Problems


@pytest.fixture
def refusing(monkeypatch):
    tried = []

    def refusals(*refusals):
        monkeypatch.setattr(
            accepted_settings, "refusals_of", lambda _, __, trials: tried.extend(trials) or list(refusals)
        )
        return tried

    return refusals


def test_each_setting_is_named_once(refusing):
    tried = refusing(
        Refusal("kubeadm", "KubeletConfiguration", 'unknown field "maxPod"'),
        Refusal("kubelet", "", "the same in other words"),
        Refusal("kube-proxy", "", "Min: Invalid value: -1"),
        Refusal("kubeadm", "", "it cannot be parsed"),
    )
    inventory = samples.inventory(tuning={"kubelet": {"maxPod": 1}, "kube_proxy": {"conntrack": {"min": -1}}})
    with pytest.raises(Problems, match="no host was contacted") as refusal:
        refuse_unusable_settings(inventory, Path(), samples.manifest())
    assert [(one.where.partition(": ")[2], one.why) for one in refusal.value.problems] == [
        ('cluster["tuning"]["kubelet"]', 'unknown field "maxPod"'),
        ('cluster["tuning"]["kube_proxy"]', "Min: Invalid value: -1"),
        ("cluster", "it cannot be parsed"),
    ]
    assert [one.program for one in tried] == ["kubeadm", "kubelet", "kube-proxy"]
    assert all('"maxPod": 1' in one.text for one in tried[:2])


def test_nothing_is_run_for_haplanes_own_settings(refusing):
    tried = refusing()
    refuse_unusable_settings(samples.inventory(), Path(), samples.manifest())
    assert tried == []
