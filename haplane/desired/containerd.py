"""The container runtime's files, and the HTTP proxy that it and API servers go through."""

from __future__ import annotations

from haplane.config.model import Inventory
from haplane.domain import host_paths
from haplane.domain.files import Part, WantedFile
from haplane.render import render


def containerd_files(inventory: Inventory, pause_image: str, *, systemd_cgroup: bool) -> list[WantedFile]:
    """Its configuration and unit, and a file for each registry of the inventory; what others put beside stays."""
    configuration = render(
        "containerd.toml.j2",
        pause_image=pause_image,
        restrict_oom_score_adj=inventory.cluster.tuning.containerd_restrict_oom_score_adj,
        systemd_cgroup=systemd_cgroup,
    )
    service = render("containerd.service.j2", proxy_environment=proxy_environment(inventory))
    registries = {
        f"{host_paths.CONTAINERD_REGISTRIES}/{name}/hosts.toml": render(
            "registry-hosts.toml.j2", server=registry_url(name), mirrors=registry.mirrors
        )
        for name, registry in sorted(inventory.cluster.registries.items())
    }
    return [
        WantedFile.text(host_paths.CONTAINERD_CONFIG_TOML, configuration, Part.CONTAINERD),
        WantedFile.text(host_paths.CONTAINERD_SERVICE, service, Part.CONTAINERD),
        *(WantedFile.text(path, text, Part.HOST) for path, text in registries.items()),
    ]


def proxy_environment(inventory: Inventory) -> list[tuple[str, str]]:
    """The variables of the inventory's proxy, none without one. The cluster itself is never reached through it."""
    cluster = inventory.cluster
    if cluster.proxy is None:
        return []
    hosts = [word for host in inventory.everyone for word in (host.name, str(host.address))]
    direct = [
        *("localhost", "127.0.0.1", ".svc", f".{cluster.dns_domain}"),
        *(str(cluster.pod_network), str(cluster.service_network), cluster.endpoint.address),
        *(*hosts, *cluster.proxy.no_proxy),
    ]
    given = {"HTTP_PROXY": cluster.proxy.http, "HTTPS_PROXY": cluster.proxy.https}
    found = [(name, url) for name, url in given.items() if url is not None]
    return [*found, ("NO_PROXY", ",".join(dict.fromkeys(direct)))]


def registry_url(name: str) -> str:
    """Where a registry itself is: Docker's has another name, and ``_default`` stands for any."""
    return {"docker.io": "https://registry-1.docker.io", "_default": ""}.get(name, f"https://{name}")
