"""The CIS Kubernetes Benchmark 1.12: each control by its number; exceptions are skipped with their reason."""

from __future__ import annotations

import pytest

from haplane.checks.controls import CONTROLS, EXCEPTIONS, Control
from haplane.checks.evaluate import Subject
from haplane.checks.fleet import Fleet, Machine


def of(role: str) -> pytest.MarkDecorator:
    """The controls of hosts with this role."""
    mine = [control for control in CONTROLS if control.role == role]
    return pytest.mark.parametrize("control", mine, ids=[control.number for control in mine])


def evaluate(control: Control, machine: Machine, fleet: Fleet) -> None:
    """Fails with what is wrong on that host."""
    if reason := EXCEPTIONS.get(control.number):
        pytest.skip(f"exception: {reason}")
    wrong = control.evaluate(Subject(machine.name, machine.facts, fleet.kubelet(machine.name)))
    assert wrong is None, wrong


@of("master")
def test_masters(control: Control, master: Machine, fleet: Fleet) -> None:
    """Masters."""
    evaluate(control, master, fleet)


@of("member")
def test_etcd(control: Control, member: Machine, fleet: Fleet) -> None:
    """Etcd members."""
    evaluate(control, member, fleet)


@of("node")
def test_nodes(control: Control, node: Machine, fleet: Fleet) -> None:
    """Nodes."""
    evaluate(control, node, fleet)
