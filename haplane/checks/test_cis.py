"""The CIS Kubernetes Benchmark 1.12: each control by its number; exceptions are skipped with their reason."""

from __future__ import annotations

import pytest

from haplane.checks.controls import CONTROLS, EXCEPTIONS, Control
from haplane.checks.fleet import Fleet, Machine
from haplane.checks.judges import Subject


def of(role: str) -> pytest.MarkDecorator:
    """The controls of hosts with this role."""
    mine = [control for control in CONTROLS if control.role == role]
    return pytest.mark.parametrize("control", mine, ids=[control.number for control in mine])


def judge(control: Control, machine: Machine, fleet: Fleet) -> None:
    """Fails with what is wrong."""
    if reason := EXCEPTIONS.get(control.number):
        pytest.skip(f"exception: {reason}")
    wrong = control.judge(Subject(machine.name, machine.survey, fleet.kubelet(machine.name)))
    assert wrong is None, wrong


@of("master")
def test_masters(control: Control, master: Machine, fleet: Fleet) -> None:
    """Masters."""
    judge(control, master, fleet)


@of("member")
def test_etcd(control: Control, member: Machine, fleet: Fleet) -> None:
    """Members of etcd."""
    judge(control, member, fleet)


@of("node")
def test_nodes(control: Control, node: Machine, fleet: Fleet) -> None:
    """Nodes."""
    judge(control, node, fleet)
