"""Files that haplane or kubeadm made and that are gone: what needs them runs on, and does not start again."""

import pytest
import samples
from statuses import status_of

from haplane.domain import host_paths
from haplane.domain.status import Certificates, summarise
from haplane.observation.health import roster

INVENTORY = samples.inventory(workers=1)
CONVERGED = samples.converged(INVENTORY)


def without(name, *lost):
    """Converged, but for the files of that host below or at these paths."""
    files = CONVERGED.reports[name].model_dump(by_alias=True)["files"]
    return samples.altered(
        CONVERGED, name, files={path: one for path, one in files.items() if not path.startswith(lost)}
    )


def problems(observation):
    return status_of(INVENTORY, observation).problems


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("m1", host_paths.KUBERNETES_PKI),
        ("m1", host_paths.FRONT_PROXY_CLIENT_CRT),
        ("m1", host_paths.ENCRYPTION_YAML),
        ("m1", host_paths.AUDIT_POLICY_YAML),
        ("m2", host_paths.ETCD_SERVICE),
        ("w1", host_paths.KUBERNETES_CA_CRT),
        ("w1", host_paths.KUBELET_CLIENT_PEM),
        ("w1", host_paths.CONTAINERD_CONFIG_TOML),
        ("lb1", host_paths.HAPROXY_CFG),
    ],
)
def test_a_file_that_is_gone_is_named_with_what_puts_it_back(name, lost):
    (only,) = problems(without(name, lost))
    assert only.startswith(f"{name}: /")
    assert "missing (what needs it may run on, but does not start again); fix: `haplane up" in only


def test_a_program_of_the_bundle_that_is_gone_or_not_executable_is_named():
    """`chmod -x /opt/cni/bin/*` looked healthy until the next pod."""
    bundle = dict(CONVERGED.reports["m2"].bundle)
    del bundle["/usr/local/bin/etcdctl"]
    observation = samples.altered(CONVERGED, "m2", bundle=bundle)
    found = summarise(
        roster(INVENTORY, samples.manifest()),
        observation,
        endpoint_answers=True,
        certificates=Certificates(None, None),
        now=samples.NOW,
    ).problems
    what = "m2: /usr/local/bin/etcdctl is missing or not executable (haplane brings it with the bundle)"
    assert found == (f"{what}; fix: `haplane up inventories/test.py`",)


def test_hosts_that_nothing_has_been_set_up_on_lack_nothing():
    assert not [line for line in problems(samples.fresh(INVENTORY)) if "missing (what needs" in line]
