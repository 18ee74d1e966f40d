"""Certificates: issued by the right CA, for the right names, and with days left."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from haplane.checks.certificates import ca_disagreements, certificate_problems, expected_certificates
from haplane.checks.fleet import Fleet, Machine
from haplane.config.model import Inventory
from haplane.domain import host_paths
from haplane.pki.certificates import CertificateFacts


def test_certificates(machine: Machine, inventory: Inventory) -> None:
    """Complete, issued by the right CA, more than 7 days left."""
    expected = expected_certificates(inventory, machine.host)
    problems = certificate_problems(machine.facts.certificates, expected, datetime.now(UTC))
    assert not problems, "\n".join(problems)


def test_cas_agree(fleet: Fleet) -> None:
    """CAs are the same on all hosts."""
    held = {name: machine.facts.certificates for name, machine in fleet.machines.items()}
    if not any(held.values()):
        pytest.skip("no reachable host has a CA certificate")
    problems = ca_disagreements(held)
    assert not problems, "\n".join(problems)


def test_apiserver_serves_its_file(master: Machine) -> None:
    """The certificate the API server serves is the one on disk."""
    assert_served(master, f"apiserver {master.name}", host_paths.APISERVER_CRT)


def test_etcd_serves_its_file(member: Machine) -> None:
    """The certificate etcd serves is the one on disk."""
    assert_served(member, "etcd health", f"{host_paths.ETCD_SERVER_STEM}.crt")


def test_kubelet_serves_its_file(node: Machine) -> None:
    """The certificate the kubelet serves is the one on disk, which the cluster's CA issued."""
    assert_served(node, "kubelet", host_paths.KUBELET_SERVING_CRT)


def assert_served(machine: Machine, request: str, path: str) -> None:
    """A renewed certificate takes effect only once it is served."""
    answer = machine.facts.requests[request]
    assert answer.served is not None, f"no certificate was served: {answer}"
    assert path in machine.facts.certificates, f"{path} is absent"
    on_disk = CertificateFacts.from_pem(machine.facts.certificates[path].encode(), path)
    assert answer.served == on_disk.fingerprint, f"the served certificate is not {path}: restart the service"
