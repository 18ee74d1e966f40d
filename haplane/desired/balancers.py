"""haproxy and keepalived: the endpoint's on load balancers, etcd's on masters whose etcd is elsewhere.

Nothing depends on who is first in a list but their order of lines.
"""

from __future__ import annotations

from haplane.config.model import Host, Inventory
from haplane.domain import host_paths
from haplane.domain.files import Part, WantedFile
from haplane.render import render


def haproxy_files(inventory: Inventory, host: Host) -> list[WantedFile]:
    """The endpoint's balancer on load balancers, the etcd endpoint on masters whose etcd is elsewhere."""
    balances = host in inventory.balancer_hosts
    needs_etcd = host in inventory.masters and inventory.etcd_is_external
    text = render(
        "haproxy.cfg.j2",
        endpoint_port=inventory.cluster.endpoint.port if balances else None,
        apiserver_port=inventory.cluster.apiserver_port,
        masters=inventory.masters,
        etcd=inventory.etcd if needs_etcd else (),
    )
    return [
        WantedFile.text(host_paths.HAPROXY_CFG, text, Part.HAPROXY),
        WantedFile.text(
            host_paths.HAPROXY_REMEMBER_SERVERS, render("haproxy-remember-servers.j2"), Part.HAPROXY, 0o755
        ),
        WantedFile.text(host_paths.HAPROXY_DROP_IN, render("haproxy-service.conf.j2"), Part.HAPROXY),
    ]


def keepalived_files(inventory: Inventory, host: Host, interface: str) -> list[WantedFile]:
    """The floating address, and the packet filter before it. Priorities only break the tie of the first election."""
    cluster = inventory.cluster
    peers = [str(other.address) for other in inventory.balancer_hosts if other != host]
    text = render(
        "keepalived.conf.j2",
        name=host.name,
        interface=interface,
        router_id=cluster.keepalived.router_id,
        priority=100 - inventory.balancer_hosts.index(host),
        advert_seconds=cluster.keepalived.advert_seconds,
        address=str(host.address),
        peers=peers,
        endpoint_address=cluster.endpoint.address,
    )
    check = render("haproxy-accepts.j2", endpoint_port=cluster.endpoint.port)
    rules = render("haplane-vrrp.nft.j2", interface=interface, address=str(host.address), peers=peers)
    return [
        WantedFile.text(host_paths.VRRP_FILTER_NFT, rules, Part.VRRP_FILTER),
        WantedFile.text(host_paths.VRRP_FILTER_SERVICE, render("haplane-vrrp.service.j2"), Part.VRRP_FILTER),
        WantedFile.text(host_paths.KEEPALIVED_CONF, text, Part.KEEPALIVED),
        WantedFile.text(host_paths.KEEPALIVED_CHECK, check, Part.KEEPALIVED, 0o755),
        WantedFile.text(host_paths.KEEPALIVED_WORK_CHECK, render("haproxy-works.j2"), Part.KEEPALIVED, 0o755),
        WantedFile.text(host_paths.KEEPALIVED_DROP_IN, render("keepalived-service.conf.j2"), Part.KEEPALIVED),
    ]
