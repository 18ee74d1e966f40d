"""``haplane verify``: run haplane's suites and the user's own against a cluster and collect what they found."""

from __future__ import annotations

from collections.abc import Sequence

from haplane.checks.process import OWN, collect, run, user_suite
from haplane.checks.results import Check, Verification
from haplane.config.model import Inventory
from haplane.domain.progress import Progress


def verify(inventory: Inventory, *, with_pods: bool, suites: Sequence[str], progress: Progress) -> Verification:
    """Check a cluster, with the suites in these directories beside haplane's own.

    Users' suites are loaded before any host is contacted. Raises BadInput for one that cannot be loaded, HaplaneError
    when a suite cannot be run to its end.
    """
    users = [user_suite(directory) for directory in suites]
    for suite in users:
        progress("verify", f"loading the suite {suite.name}")
        collect(suite, inventory)
    progress("verify", f"checking {len(inventory.hosts)} hosts")
    checks: list[Check] = run(OWN, inventory, progress=progress, options=["--with-pods"] if with_pods else [])
    unreachable = [f"--unreachable={name}" for name in Verification(checks=tuple(checks)).unreachable]
    for suite in users:
        checks += run(suite, inventory, progress=progress, options=unreachable)
    return Verification(checks=tuple(checks))
