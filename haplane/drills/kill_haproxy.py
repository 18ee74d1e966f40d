"""haproxy alone dies on a load balancer that lives on: keepalived must notice and hand the address over."""

from __future__ import annotations

from haplane.config.model import Host
from haplane.domain.status import Status
from haplane.drills.kill_load_balancer import chosen
from haplane.drills.story import Fault, Scene, Story
from haplane.remote.openssh import run

# Masked for as long as the drill lasts: systemd would have it back before anybody had noticed.
KILL = "systemctl mask --runtime --quiet haproxy && systemctl kill --kill-whom=all --signal=KILL haproxy"
REVIVE = "systemctl unmask --runtime --quiet haproxy && systemctl reset-failed haproxy; systemctl start haproxy"


def plan(scene: Scene, status: Status, wanted: str | None) -> Fault:
    """On the load balancer asked for, or else on the holder of the address. Raises Refused when there is only one."""
    name, role = chosen(scene, status, wanted)
    host = scene.inventory.host(name)
    return Fault(
        host=name,
        role=role,
        announcement=f"haproxy on {name} ({role}) is killed, and started again once service has recovered.",
        apply=lambda: _shell(host, KILL),
        undo=lambda: _shell(host, REVIVE),
    )


def _shell(host: Host, script: str) -> None:
    run(host, "sh", "-c", script)


STORY = Story(
    "kill-haproxy", "Kill haproxy alone, on load balancer HOST or the one that holds the endpoint's address.", plan
)
