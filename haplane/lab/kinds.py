"""The kinds of machines that a lab can be made of."""

from __future__ import annotations

from collections.abc import Mapping

from haplane.lab.machine_kind import MachineKind
from haplane.lab.nspawn.machine import Nspawn
from haplane.lab.plan import Plan
from haplane.lab.qemu.machine import Qemu

KINDS: Mapping[str, MachineKind] = {"nspawn": Nspawn(), "qemu": Qemu()}


def kind_of(plan: Plan) -> MachineKind:
    """The kind that the inventory's ``cluster.lab.machines`` names."""
    return KINDS[plan.machines]
