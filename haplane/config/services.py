"""The two Services that every cluster has, as kubeadm numbers and names them (cmd/kubeadm/app/constants). Pure."""

from __future__ import annotations

from ipaddress import IPv4Address

from haplane.config.model import Cluster


def api_service(cluster: Cluster) -> IPv4Address:
    """The address of the service kubernetes."""
    return cluster.service_network[1]


def api_service_name(cluster: Cluster) -> str:
    """Its name in cluster DNS."""
    return f"kubernetes.default.svc.{cluster.dns_domain}"


def dns_service(cluster: Cluster) -> IPv4Address:
    """The address of the service kube-dns, where kubelets have pods ask."""
    return cluster.service_network[10]
