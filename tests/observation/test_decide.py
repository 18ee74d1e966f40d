"""What is decided rests on what most masters show, and never on a CA that has expired."""

from datetime import timedelta

import pytest
import samples
from contexts import context_of

from haplane.domain import host_paths
from haplane.domain.plan import Kind
from haplane.errors import Refused
from haplane.observation.decide import CAS, decide
from haplane.pki.ca import new_ca

INVENTORY = samples.inventory()
OLD = new_ca("kubernetes", now=samples.NOW - timedelta(days=3651)).certificate.decode()


def deciding(observation):
    context = context_of(INVENTORY, observation)
    return decide(context.request, context.view, context.decision)


def showing(masters, path, pem):
    own = {one: content.decode() for one, content in samples.identity().to_files().items() if one in CAS}
    observation = samples.converged(INVENTORY)
    for name in ("m1", "m2", "m3"):
        shown = dict(observation.reports[name].certificates) | own
        observation = samples.altered(observation, name, certificates=shown)
    for name in masters:
        shown = dict(observation.reports[name].certificates) | {path: pem}
        observation = samples.altered(observation, name, certificates=shown)
    return observation


@pytest.mark.parametrize("path", CAS)
def test_nothing_is_issued_by_a_ca_that_has_expired(path):
    """kubeadm would: every API server restarted, and nobody could verify any of them."""
    with pytest.raises(Refused, match="have expired") as refusal:
        deciding(showing(("m1", "m2", "m3"), path, OLD))
    assert path in refusal.value.what
    assert "docs/certificates.md" in refusal.value.next_step


def test_one_master_that_shows_another_ca_decides_nothing():
    lying = deciding(showing(("m1",), host_paths.ETCD_CA_CRT, OLD))
    assert lying.etcd_ca == samples.identity().etcd.certificate
    assert {step.host for step in lying.plan.of(Kind.KEYS)} == set()
