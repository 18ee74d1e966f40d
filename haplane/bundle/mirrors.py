"""Where the projects' files are fetched from: their own sites, or mirrors of some or all of them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from haplane.errors import BadInput

API_HOSTS = {"docker.io": "registry-1.docker.io"}
"""Registries whose API is not at the host that references name."""
EXAMPLE = "https://HOST/PATH, or SITE=https://HOST/PATH for one site"


@dataclass(frozen=True)
class Mirrors:
    """``tree`` serves every site as TREE/HOST/PATH; ``sites`` maps single sites to what stands for them.

    A site's mirror has its paths below its own. Of a registry's mirror the path is a prefix of the repositories, as
    the proxy projects of Harbor, Nexus and Artifactory have them: its API is at /v2/ of its host.
    """

    tree: str | None = None
    sites: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, values: Iterable[str], known: Collection[str] = ()) -> Mirrors:
        """From what the user gave, each ``URL`` or ``SITE=URL``, of the sites that are ``known``, where any are.

        Raises BadInput.
        """
        tree: str | None = None
        sites: dict[str, str] = {}
        for value in values:
            site, separator, address = value.rpartition("=")
            parts = _checked(address if separator else value)
            text = parts.geturl().rstrip("/")
            if separator:
                if known and site not in known:
                    raise BadInput(
                        f'there is no site "{site}" to mirror',
                        where=f"--mirror {site}={shown(address)}",
                        next_step=f"use one of {', '.join(sorted(known))}",
                    )
                sites[API_HOSTS.get(site, site)] = text
            elif tree is not None:
                raise BadInput(
                    "there are two mirrors for all sites", where=value, next_step=f"give one, or {EXAMPLE}"
                )
            else:
                tree = text
        return cls(tree, sites)

    def url(self, address: str) -> str:
        """Where an official address is really fetched."""
        if self.is_mirrors(address):
            return address
        parts = urlsplit(address)
        mirror = self.sites.get(parts.netloc)
        if mirror is None:
            return address if self.tree is None else f"{self.tree}/{address.removeprefix('https://')}"
        if not parts.path.startswith("/v2/"):
            return f"{mirror}{parts.path}" + (f"?{parts.query}" if parts.query else "")
        base = urlsplit(mirror)
        return f"{base.scheme}://{base.netloc}/v2{base.path}/{parts.path.removeprefix('/v2/')}"

    def is_unauthenticated(self, address: str) -> bool:
        """Whether any host on the way can answer for that address: over http, and not from this machine."""
        parts = urlsplit(self.url(address))
        return parts.scheme == "http" and not is_loopback(parts.hostname or "")

    def is_mirrors(self, address: str) -> bool:
        """Whether an address is on a mirror's own host."""
        known = [mirror for mirror in (self.tree, *self.sites.values()) if mirror is not None]
        return any(urlsplit(address)[:2] == urlsplit(mirror)[:2] for mirror in known)

    def may_ask(self, address: str) -> bool:
        """Whether an address that a server named is one to use: over https, or on a mirror itself."""
        parts = parsed(address)
        if parts is None or not parts.hostname or parts.username is not None:
            return False
        return parts.scheme == "https" or self.is_mirrors(address)


def is_loopback(host: str) -> bool:
    """Whether that host is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def parsed(address: str) -> SplitResult | None:
    """An address taken apart; None where that is not possible, be it for a port that is none."""
    try:
        parts = urlsplit(address)
        _ = parts.hostname, parts.port
    except ValueError:
        return None
    return parts


def shown(address: str) -> str:
    """An address for messages: without a password, and without its query, which may hold a signature."""
    parts = parsed(address)
    if parts is None:
        return "an address that cannot be read"
    host = parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}{parts.path}"[:300]


def _checked(address: str) -> SplitResult:
    parts = parsed(address)
    host = parts.hostname if parts is not None else None
    if parts is None or not host or parts.scheme not in {"http", "https"} or parts.query or parts.fragment:
        raise BadInput("not a valid mirror address", where=shown(address), next_step=f"give {EXAMPLE}")
    if parts.username is not None:
        raise BadInput(
            "a password in a mirror's address is shown in process lists",
            where=shown(address),
            next_step=f"write into ~/.netrc or a file for --netrc: machine {host} login USER password PASSWORD",
        )
    return parts
