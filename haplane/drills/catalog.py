"""Every drill, by name."""

from __future__ import annotations

from haplane.drills import (
    backup_restores,
    container_fails,
    cut_load_balancer,
    dead_node_pods,
    etcd_space,
    freeze,
    kill_apiserver,
    kill_etcd_leader,
    kill_haproxy,
    kill_load_balancer,
    kill_master,
    lose_data,
    partitions,
    power_cycle_everything,
    reboot_node,
    replace_master,
    rolling_restart,
    slow_network,
    split_vrrp,
)
from haplane.drills.drill import Drill

ALL = (
    kill_master.DRILL,
    kill_apiserver.DRILL,
    kill_etcd_leader.DRILL,
    freeze.LEADER,
    freeze.FOLLOWER,
    partitions.CUT,
    partitions.ONE_WAY,
    partitions.LOSSY,
    kill_load_balancer.DRILL,
    kill_haproxy.DRILL,
    freeze.HAPROXY,
    cut_load_balancer.DRILL,
    split_vrrp.DRILL,
    slow_network.DRILL,
    etcd_space.DISK,
    etcd_space.QUOTA,
    rolling_restart.DRILL,
    backup_restores.DRILL,
    container_fails.DRILL,
    reboot_node.DRILL,
    dead_node_pods.TAINTED,
    dead_node_pods.UNTAINTED,
    dead_node_pods.BACK,
    power_cycle_everything.DRILL,
    replace_master.DRILL,
    lose_data.QUORUM,
    lose_data.EVERYTHING,
)
DRILLS: dict[str, Drill] = {drill.name: drill for drill in ALL}
