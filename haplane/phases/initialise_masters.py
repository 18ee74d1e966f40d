"""kubeadm's phases, the same ones on all masters at once: nobody is first."""

from __future__ import annotations

from haplane.deploys.recipes import initialise_master, remove_super_admin, start_kubelet
from haplane.desired.files import KUBEADM_CONFIG
from haplane.domain.files import Part
from haplane.domain.plan import MASTER_EVIDENCE, SUPER_ADMIN_CONFIG, Kind
from haplane.phases.phase import Phase, Run
from haplane.phases.push_bundle import wait_for_images
from haplane.remote.session import deploy


def initialise_masters(run: Run) -> None:
    """Every master that has not been through them, as soon as its images are there."""
    hosts = run.hosts(Kind.INITIALISE)
    wait_for_images(run, hosts)
    deploy(hosts, initialise_master, run.progress, config=KUBEADM_CONFIG, evidence=MASTER_EVIDENCE)


def start_kubelets(run: Run) -> None:
    """Kubelets that are down, or whose unit changed. Their pods run on meanwhile."""
    hosts = run.hosts(Kind.KUBELET)
    deploy(hosts, start_kubelet, run.progress, paths_of=run.paths(hosts, Part.KUBELET))


def tidy_masters(run: Run) -> None:
    """Take away what bypasses authorization, on every master that kubeadm has left it on."""
    hosts = run.reachable(run.hosts(Kind.INITIALISE, Kind.TIDY))
    deploy(hosts, remove_super_admin, run.progress, path=SUPER_ADMIN_CONFIG)


INITIALISE_MASTERS = Phase("Run kubeadm's phases on all masters", (Kind.INITIALISE,), initialise_masters)
START_KUBELETS = Phase("Start kubelets", (Kind.KUBELET,), start_kubelets)
TIDY_MASTERS = Phase("Remove super-admin.conf", (Kind.TIDY,), tidy_masters, also_after=(Kind.INITIALISE,))
