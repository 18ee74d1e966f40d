"""The watch of a drill: its process, and what it has seen."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from haplane.config.model import Inventory
from haplane.drills.probing.client import Target
from haplane.drills.probing.lanes import State, parse_states
from haplane.drills.probing.recording import Recording
from haplane.host_programs import parts, program
from haplane.remote.openssh import ssh_command

HOST_STATE = program(*parts("drills", "host_state"))
ALIVE = (1, 2)
"""A host that stops responding is noticed within 3 s."""


def watch(inventory: Inventory, target: Target) -> Recording[State]:
    """Follow each master's /readyz, every node, the etcd leader and the holder of the address."""
    settings = {
        "target": asdict(target),
        "port": inventory.cluster.apiserver_port,
        "masters": {host.name: str(host.address) for host in inventory.masters},
        "hosts": _commands(inventory),
    }
    return Recording(
        [sys.executable, "-m", "haplane.drills.probing.watch"], json.dumps(settings) + "\n", parse_states
    )


def _commands(inventory: Inventory) -> dict[str, list[str]]:
    endpoint = inventory.cluster.endpoint.address
    watched = {host.name: host for host in (*inventory.etcd, *inventory.balancer_hosts)}
    return {
        name: ssh_command(
            host,
            *("python3", "-I", "-c", HOST_STATE, endpoint, "yes" if host in inventory.etcd else "no"),
            alive=ALIVE,
        )
        for name, host in watched.items()
    }
