"""Files that haplane or kubeadm made and that are gone: what needs them runs on, and does not start again."""

from dataclasses import replace

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
    return tuple(map(str, status_of(INVENTORY, observation).problems))


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
    found = tuple(map(str, found))
    what = "m2: /usr/local/bin/etcdctl is missing or not executable (haplane brings it with the bundle)"
    assert found == (f"{what}; fix: `haplane up inventories/test.py`",)


def seen(observation, **changed):
    """The lines about etcd and units, where these files of hosts are not as haplane writes them."""
    found = summarise(
        replace(roster(INVENTORY), changed=changed),
        observation,
        endpoint_answers=True,
        certificates=Certificates(None, None),
        now=samples.NOW,
    ).problems
    return tuple(map(str, found))


def with_etcd(observation, name, **changes):
    return samples.altered(observation, name, etcd=observation.reports[name].etcd.model_dump(by_alias=True) | changes)


def test_a_member_without_its_keys_is_not_told_to_be_restarted():
    """`rm -rf /etc/etcd/pki`: it serves who is connected, and a restart would have ended it."""
    observation = with_etcd(without("m1", host_paths.ETCD_PKI), "m1", status=None, reads_through_quorum=False)
    (line,) = [line for line in seen(observation) if line.startswith("etcd member m1")]
    assert line.startswith("etcd member m1: not healthy (/etc/etcd/pki/server.crt, ")
    assert line.endswith(" are missing); fix: `haplane up inventories/test.py`")


def test_nor_is_one_with_another_ca_or_a_certificate_of_no_use():
    hangs = with_etcd(CONVERGED, "m2", status=None, reads_through_quorum=False)
    foreign = seen(hangs, m2=(host_paths.ETCD_MEMBER_CA_CRT,))
    useless = seen(samples.altered(hangs, "m2", unusable={f"{host_paths.ETCD_PKI}/server.crt": "it has no key"}))
    for lines, why in ((foreign, "ca.crt is not as haplane writes it"), (useless, "server.crt: it has no key")):
        (line,) = (line for line in lines if line.startswith("etcd member m2"))
        assert line == f"etcd member m2: not healthy (/etc/etcd/pki/{why}); fix: `haplane up inventories/test.py`"


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        ("flag provided but not defined: -nonsense", True),
        ("panic: listen tcp 10.9.9.9:2379: bind: cannot assign requested address", True),
        ("panic: open /var/lib/etcd/x: no space left on device", False),
    ],
)
def test_a_member_that_fails_by_an_edited_unit_gets_haplanes(words, fix):
    observation = with_etcd(samples.stopped(CONVERGED, "m2"), "m2", last_words=[words])
    by_unit, by_others = (
        [line for line in seen(observation, **changed) if line.startswith("etcd member m2")]
        for changed in ({"m2": (host_paths.ETCD_SERVICE,)}, {})
    )
    assert by_unit[0].endswith("fix: `haplane up inventories/test.py`") is fix
    assert not by_others[0].endswith("fix: `haplane up inventories/test.py`")


@pytest.mark.parametrize(
    ("name", "unit", "path"),
    [("w1", "kubelet", host_paths.KUBELET_SERVICE), ("lb1", "haproxy", host_paths.HAPROXY_CFG)],
)
def test_a_unit_that_fails_by_an_edited_file_gets_haplanes(name, unit, path):
    """A log was named, and `up` had it in its plan."""
    units = CONVERGED.reports[name].model_dump()["units"]
    units[unit] |= {"active": False, "starting": True, "why": "unknown keyword"}
    observation = samples.altered(CONVERGED, name, units=units)
    what = f"{name}: {unit} is not running ({path} is not as haplane writes it; unknown keyword)"
    assert f"{what}; fix: `haplane up inventories/test.py`" in seen(observation, **{name: (path,)})
    assert f"{name}: {unit} is not running (unknown keyword); fix: `journalctl" in "\n".join(seen(observation))


def test_hosts_that_nothing_has_been_set_up_on_lack_nothing():
    assert not [line for line in problems(samples.fresh(INVENTORY)) if "missing (what needs" in line]
