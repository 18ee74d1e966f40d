"""What `up`, `restore`, `upgrade` and `node remove` share: the phases that make hosts what the inventory says."""

from __future__ import annotations

from haplane.phases.converge.apply_cluster import APPLY_CLUSTER
from haplane.phases.converge.approve_serving_certificates import APPROVE_SERVING
from haplane.phases.converge.check_bucket import CHECK_BUCKET
from haplane.phases.converge.configure_kubelets import CONFIGURE_KUBELETS
from haplane.phases.converge.decommission import DECOMMISSION
from haplane.phases.converge.delete_nodes import DELETE_NODES
from haplane.phases.converge.free_space import FREE_SPACE
from haplane.phases.converge.initialise_masters import INITIALISE_MASTERS, TIDY_MASTERS
from haplane.phases.converge.install_agents import INSTALL_AGENTS
from haplane.phases.converge.issue_kubelet_clients import ISSUE_KUBELET_CLIENTS
from haplane.phases.converge.join_workers import JOIN_WORKERS
from haplane.phases.converge.mark_nodes import MARK_MASTERS, MARK_WORKERS
from haplane.phases.converge.prepare_hosts import PREPARE_HOSTS
from haplane.phases.converge.push_bundle import FINISH_PUSHES, PUSH_BUNDLE
from haplane.phases.converge.recover_control_planes import AWAIT_RECOVERED, RECOVER_CONTROL_PLANES
from haplane.phases.converge.replace_pods import REPLACE_PODS
from haplane.phases.converge.restart_control_planes import RESTART_CONTROL_PLANES
from haplane.phases.converge.restart_controllers import RESTART_CONTROLLERS
from haplane.phases.converge.restart_etcd import RESTART_ETCD
from haplane.phases.converge.schedule_snapshots import START_TIMERS, UNSCHEDULE
from haplane.phases.converge.seal_keys import SEAL_KEYS
from haplane.phases.converge.serve_kubelets import SERVE_KUBELETS
from haplane.phases.converge.start_balancers import START_BALANCERS
from haplane.phases.converge.start_container_runtime import START_CONTAINER_RUNTIME
from haplane.phases.converge.start_kubelets import START_KUBELETS
from haplane.phases.converge.undrain_servers import UNDRAIN_SERVERS
from haplane.phases.upgrade.stage import TIDY_STAGED

PREPARE = (
    PUSH_BUNDLE,
    PREPARE_HOSTS,
    START_BALANCERS,
    START_CONTAINER_RUNTIME,
)
"""Before etcd."""

CONVERGE = (
    DELETE_NODES,
    INITIALISE_MASTERS,
    RECOVER_CONTROL_PLANES,
    ISSUE_KUBELET_CLIENTS,
    START_KUBELETS,
    AWAIT_RECOVERED,
    SERVE_KUBELETS,
    UNDRAIN_SERVERS,
    RESTART_ETCD,
    FREE_SPACE,
    RESTART_CONTROL_PLANES,
    RESTART_CONTROLLERS,
    APPLY_CLUSTER,
    TIDY_MASTERS,
    CONFIGURE_KUBELETS,
    REPLACE_PODS,
    MARK_MASTERS,
    JOIN_WORKERS,
    MARK_WORKERS,
    APPROVE_SERVING,
    DECOMMISSION,
    UNSCHEDULE,
    SEAL_KEYS,
    INSTALL_AGENTS,
    START_TIMERS,
    CHECK_BUCKET,
    FINISH_PUSHES,
    TIDY_STAGED,
)
"""Once etcd serves."""
