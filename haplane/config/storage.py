"""The types of values that say where snapshots are kept. Pure.

A value is taken when the service's own programs take it: botocore's rules for buckets, regions and endpoints (old and
S3-compatible buckets have capitals and underscores, regions are called RegionOne or GRA), and no stricter ones.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator

from haplane.config.values import refusal, text_of

URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?\.?|\[[0-9A-Fa-f:.]{2,45}\])"
    r"(?::(?P<port>[0-9]{1,5}))?(?P<path>/[\w./%+=~-]{0,1000})?",
    re.ASCII,
)
LABEL = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)")
USER = re.compile(r"//[^/]*@")
DNS_BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")

SYSTEM_TREES = (
    *("/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib32", "/lib64", "/libx32", "/lost+found", "/proc"),
    *("/root", "/run", "/sbin", "/snap", "/sys", "/tmp", "/usr", "/var/lock", "/var/mail", "/var/run", "/var/tmp"),  # noqa: S108
    *("/opt/cni", "/opt/containerd", "/opt/haplane", "/var/lib/apt", "/var/lib/cni", "/var/lib/containerd"),
    *("/var/lib/dpkg", "/var/lib/etcd", "/var/lib/kubelet", "/var/lib/systemd", "/var/log/journal", "/var/log/pods"),
)
"""Neither these nor anything below: the system's, Kubernetes', users' own, or gone after a reboot."""
SYSTEM_PARENTS = (
    *("/", "/media", "/mnt", "/opt", "/srv", "/var", "/var/backups", "/var/cache", "/var/lib", "/var/log"),
    *("/var/opt", "/var/spool"),
)
"""Not these, nor, but for :data:`OWN_BELOW`, what lies right below: it may be another program's."""
OWN_BELOW = ("/media", "/mnt", "/srv")
"""Where what lies right below is an administrator's: a disk, a site's data."""


def _url(text: str) -> str:
    if USER.search(text):
        raise refusal("holds a user name or password", "write the URL without: an inventory holds no secrets")
    found = URL.fullmatch(text)
    if found is None or not _is_host(found["host"]):
        raise refusal(
            "not an http or https URL", "write it like https://host.example.org:9000 or https://[2001:db8::1]"
        )
    if found["port"] and not 1 <= int(found["port"]) <= 65535:
        raise refusal("its port is not one", "use a number from 1 to 65535")
    return text


def _is_host(host: str) -> bool:
    if not host.startswith("["):
        return all(LABEL.fullmatch(label) for label in host.removesuffix(".").split("."))
    try:
        IPv6Address(host[1:-1])
    except AddressValueError:
        return False
    return True


def _proxy(text: str) -> str:
    found = URL.fullmatch(_url(text))
    if found is None or (found["path"] or "/") != "/":
        raise refusal("holds a path", "write a proxy like http://proxy.example.org:3128")
    return text


def _region(text: str) -> str:
    if not LABEL.fullmatch(text) or text.isdigit():
        raise refusal("not a region's name", "use letters, digits and hyphens, like eu-central-1, RegionOne or GRA")
    return text


def _directory(text: str) -> str:
    path = PurePosixPath(text)
    above = [str(each) for each in (path, *path.parents)]
    tree = next((each for each in above if each in SYSTEM_TREES), None)
    if tree is not None:
        raise refusal(f"in {tree}, which is the system's", OWN_DIRECTORY)
    if text in SYSTEM_PARENTS:
        raise refusal("a directory of the system", OWN_DIRECTORY)
    parent = str(path.parent)
    if parent in SYSTEM_PARENTS and parent not in OWN_BELOW:
        raise refusal(f"right below {parent}, where other programs keep theirs", OWN_DIRECTORY)
    return text


OWN_DIRECTORY = "give snapshots a directory of their own, like /var/lib/haplane/snapshots or /srv/backups/etcd"

ServiceUrl = Annotated[str, AfterValidator(_url)]
ProxyUrl = Annotated[str, AfterValidator(_proxy)]
BucketName = Annotated[
    str,
    text_of(
        r"(?!.*\.\.)[A-Za-z0-9_][A-Za-z0-9._-]{2,254}",
        "use the bucket's name: 3-255 letters, digits, hyphens, underscores and dots",
        "not a bucket's name",
    ),
]
RegionName = Annotated[str, AfterValidator(_region)]
KmsKey = Annotated[
    str,
    text_of(
        r"[A-Za-z0-9][A-Za-z0-9:/_.+=@-]{0,2047}",
        "use a key's id, ARN or alias, as the server's own program prints it",
        "not the name of a key",
    ),
]
ObjectPrefix = Annotated[
    str,
    text_of(
        r"([A-Za-z0-9_!=@+-][A-Za-z0-9._!=@+-]{0,99}(/(?!$)|$)){0,10}",
        "write it like backups/etcd, without a / around",
    ),
]
HostDirectory = Annotated[
    str,
    text_of(
        r"(/(?!\.\.?(/|$))[A-Za-z0-9._-]{1,100}){1,10}",
        "use an absolute path on the hosts, like /var/lib/haplane/snapshots, of letters, digits and ._-",
        "not a directory for snapshots",
    ),
    AfterValidator(_directory),
]
