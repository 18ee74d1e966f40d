"""``haplane verify``: run haplane's suites and the user's own against a cluster and collect what they found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from haplane.checks.fleet import gather_fleet, to_json
from haplane.checks.process import OWN, collect, run, user_suite
from haplane.checks.results import Check, Verification
from haplane.config.model import Inventory
from haplane.domain.progress import Progress
from haplane.executor import Executor
from haplane.workflows.prepare import over_ssh


def verify(
    inventory: Inventory,
    *,
    with_pods: bool,
    suites: Sequence[str],
    progress: Progress,
    executor: Executor | None = None,
) -> Verification:
    """Check a cluster, with the suites in these directories beside haplane's own.

    Hosts report once, to this process. Another compares, and reaches hosts itself only to start pods. So do users'
    suites, which are loaded before any host is contacted.

    Raises BadInput for one that cannot be loaded, HaplaneError when a suite cannot be run to its end.
    """
    users = [user_suite(directory) for directory in suites]
    for suite in users:
        progress("verify", f"loading the suite {suite.name}")
        collect(suite, inventory)
    progress("verify", f"checking {len(inventory.hosts)} hosts")
    fleet = gather_fleet(inventory, (executor or over_ssh(progress)).attempt)
    with TemporaryDirectory(prefix="haplane-") as directory:
        facts = Path(directory) / "facts.json"
        facts.write_text(to_json(fleet), encoding="utf-8")
        options = [f"--facts={facts}", *(["--with-pods"] if with_pods else [])]
        checks: list[Check] = run(OWN, inventory, progress=progress, options=options)
    unreachable = [f"--unreachable={name}" for name in Verification(checks=tuple(checks)).unreachable]
    for suite in users:
        checks += run(suite, inventory, progress=progress, options=unreachable)
    return Verification(checks=tuple(checks))
