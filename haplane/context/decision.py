"""The decision: the plan, the wanted state and the warnings of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from haplane.domain.plan import Plan, Wants
from haplane.pki.cluster_identity import ClusterIdentity
from haplane.recovery.choice import Restoration


@dataclass(frozen=True)
class Decision:
    """The plan, what each host should be, and what that rests on.

    ``headline`` says what the plan means besides its steps, a line each. ``identity`` is in memory only: made for a
    new cluster, given to a restore, or read back from masters. With ``verify_kubelets`` API servers verify kubelets'
    serving certificates. ``data_to_discard`` names hosts whose etcd data is moved away and copied from the others.

    For a restore: ``restore_under_way`` is the one that this one completes and how far it was, ``highest_revision``
    the one that members reported before.
    """

    plan: Plan = Plan()
    headline: tuple[str, ...] = ()
    wants: Mapping[str, Wants] = field(default_factory=dict)
    identity: ClusterIdentity | None = None
    etcd_ca: bytes = b""
    kubernetes_ca: bytes = b""
    verify_kubelets: bool = True
    data_to_discard: frozenset[str] = frozenset()
    restoration: Restoration | None = None
    restore_under_way: str | None = None
    highest_revision: int | None = None
