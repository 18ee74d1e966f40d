"""Certificates: issued by the right authority, for the right names, and with days left."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from haplane.checks.certificates import authority_disagreements, certificate_problems, expected_certificates
from haplane.checks.fleet import Fleet, Machine
from haplane.config.model import Inventory
from haplane.pki import paths
from haplane.pki.certificates import CertificateFacts


def test_certificates(machine: Machine, inventory: Inventory) -> None:
    """Complete, well issued, more than 7 days left."""
    expected = expected_certificates(inventory, machine.host)
    problems = certificate_problems(machine.survey.certificates, expected, datetime.now(UTC))
    assert not problems, "\n".join(problems)


def test_authorities_agree(fleet: Fleet) -> None:
    """Authorities are the same on all hosts."""
    held = {name: machine.survey.certificates for name, machine in fleet.machines.items()}
    if not any(held.values()):
        pytest.skip("no host that answers holds one")
    problems = authority_disagreements(held)
    assert not problems, "\n".join(problems)


def test_apiserver_serves_its_file(master: Machine) -> None:
    """The certificate the API server serves is the one on disk."""
    assert_served(master, f"apiserver {master.name}", f"{paths.KUBERNETES_PKI}/apiserver.crt")


def test_etcd_serves_its_file(member: Machine) -> None:
    """The certificate etcd serves is the one on disk."""
    assert_served(member, "etcd health", f"{paths.ETCD_SERVER}.crt")


def assert_served(machine: Machine, request: str, path: str) -> None:
    """A renewed certificate counts from the moment it is served."""
    answer = machine.survey.requests[request]
    assert answer.served is not None, f"nothing was served: {answer}"
    assert path in machine.survey.certificates, f"{path} is absent"
    on_disk = CertificateFacts.from_pem(machine.survey.certificates[path].encode(), path)
    assert answer.served == on_disk.fingerprint, f"it serves another one than {path}: restart it"
