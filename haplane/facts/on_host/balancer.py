"""haproxy's servers, the endpoint's address, and whether VRRP is filtered."""

from __future__ import annotations

import os
import re
import socket
from typing import Any

from haplane.facts.on_host.haproxy import endpoint_usage, haproxy_servers
from haplane.facts.on_host.kubelet import why_unserved
from haplane.facts.on_host.kubernetes import is_ready
from haplane.facts.on_host.network import addresses
from haplane.facts.on_host.other_sections import HAPROXY_CFG, KEEPALIVED_CONF, MOST_SECTIONS, other_sections
from haplane.facts.on_host.probe import NotInstalled, read, run, run_if_installed

VRRP_FILTER = "/etc/haplane/vrrp.nft"
VRRP_LINES = 200
ENTERED = re.compile(r"\(endpoint\) Entering (BACKUP|FAULT|MASTER) STATE")
ACCEPT_SECONDS = 1.0
"""What keepalived gives its own check."""


def balancer(endpoint: str, port: int, ping: bool) -> dict[str, Any]:
    """Haproxy's servers, whether the endpoint is ready, and whether another host answers at its address."""
    held = any(endpoint in found for found in addresses().values())
    answered, unknown, lacks = answers_pings(endpoint) if ping and not held else (False, "", "")
    may_exist = held or answered or os.path.exists("/etc/kubernetes/kubelet.conf")  # before `up` there is none
    ready = may_exist and is_ready(endpoint, port, seconds=2)
    haproxy, keepalived = read(HAPROXY_CFG) or "", read(KEEPALIVED_CONF) or ""
    return {
        "holds_endpoint": held,
        "endpoint_answers": answered,
        "endpoint_unknown": unknown,
        "endpoint_lacks": lacks,
        "endpoint_ready": ready,
        "endpoint_unreached": why_unserved(f"https://{endpoint}:{port}") if may_exist and not ready else "",
        "adverts_filtered": adverts_filtered(),
        "accepts": accepts(haproxy, port),
        "vrrp": vrrp_state(keepalived),
        "servers": haproxy_servers(),
        "clients": endpoint_usage(),
        **configured(haproxy, keepalived),
    }


def answers_pings(address: str) -> tuple[bool, str, str]:
    """Whether a host answers there; why that is not known, and for want of which program.

    No reason to fail: most hosts need not know it.
    """
    try:
        return run("ping", "-c1", "-W0.5", "-n", address) is not None, "", ""
    except NotInstalled as error:
        return False, str(error), error.program
    except OSError as error:
        return False, str(error), ""


def accepts(haproxy: str, port: int) -> bool | None:
    """Whether haproxy takes connections, as keepalived's check asks it; None where it has no endpoint to serve."""
    if "frontend endpoint" not in haproxy:
        return None
    try:
        socket.create_connection(("127.0.0.1", port), ACCEPT_SECONDS).close()
    except OSError:
        return False
    return True


def vrrp_state(keepalived: str) -> str:
    """The state that keepalived was the last to enter since the host's start; "" where that is not known."""
    if "vrrp_instance endpoint" not in keepalived:
        return ""
    limits = "--boot", f"--lines={VRRP_LINES}"
    journal = run_if_installed("journalctl", "--unit=keepalived", *limits, "--output=cat", "--no-pager") or ""
    return next(iter(reversed(ENTERED.findall(journal))), "")


def configured(haproxy: str, keepalived: str) -> dict[str, Any]:
    """What the files have: sections that are not haplane's, the masters behind it, the addresses that are held."""
    masters = re.search(r"^backend apiservers$(.*?)(?=^\S|\Z)", haproxy, re.M | re.S)
    addresses = re.findall(r"^\s+server \S+ ([0-9.]{7,15}):", masters.group(1) if masters else "", re.M)
    held = re.findall(r"virtual_ipaddress\s*\{([^}]*)\}", keepalived)
    return {
        "other_sections": other_sections(haproxy, keepalived),
        "balanced": addresses[:MOST_SECTIONS],
        "addresses": [word for text in held for word in re.findall(r"\b[0-9.]{7,15}\b", text)][:MOST_SECTIONS],
    }


def adverts_filtered() -> bool | None:
    """Whether the table is loaded: flushing the ruleset removes it. None where there is no filter to load.

    Raises OSError when nft is missing or late.
    """
    if not os.path.exists(VRRP_FILTER):
        return None
    return run("nft", "list", "table", "ip", "haplane_vrrp") is not None
