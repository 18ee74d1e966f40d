"""Write haplane's own locks from the tables in tests/bundle/published: no checksum is ever typed.

``python tools/shipped_locks.py``. Which versions are taken is decided here; to make the modules directories of a new
one, run tools/pin_modules.py first. With access to the sites `haplane bundle pin` does all of this for one version.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from haplane import supported
from haplane.bundle.lock import ARCHITECTURES, Lock, ModulePins, OfficialPins
from haplane.bundle.lock_text import lock_text
from haplane.bundle.recipe import recipes_of

TABLES = Path(__file__).parent.parent / "tests" / "bundle" / "published"
ORIGIN = ("Written by tools/shipped_locks.py from tests/bundle/published; do not edit.",)

ATTACHER = {"external-attacher": "4.13.0"}
OLDER = ATTACHER | {"cni-plugins": "1.9.1", "runc": "1.4.3", "age": "1.3.1", "flannel": "0.26.7"}
NEWER_MODULES = ATTACHER | {
    "containerd": "2.3.7",
    "runc": "1.4.4",
    "cni-plugins": "1.10.0",
    "flannel": "0.26.7",  # from 0.28 on it ends unless an iptables program is there, which the image does not have
    "age": "1.3.2",
}
OFFICIAL = {
    "etcd": "3.6.14", "runc": "1.4.3", "cni-plugins": "1.9.1", "flannel-cni-plugin": "1.7.1-flannel1",
    "flannel": "0.28.4", "age": "1.3.2",
}  # fmt: skip
OFFICIAL_VERSIONS = {
    "1.35.4": OFFICIAL | {"containerd": "2.2.7"},
    "1.35.8": OFFICIAL | {"containerd": "2.2.7"},
    "1.36.3": OFFICIAL | {"containerd": "2.3.4"},
    "1.36.4": OFFICIAL | {"containerd": "2.3.4"},
}
MODULE_VERSIONS = {
    "1.35.4": OLDER | {"etcd": "3.6.16", "containerd": "2.2.9", "flannel-cni-plugin": "0.9.1"},
    "1.36.3": NEWER_MODULES | {"etcd": "3.6.16", "flannel-cni-plugin": "0.9.1"},
    "1.37.2": NEWER_MODULES | {"etcd": "3.7.3", "flannel-cni-plugin": "0.9.1"},
}
BUILD_DATES = {"1.35.4": "2026-04-15T18:01:22Z", "1.36.3": "2026-07-22T18:07:38Z", "1.37.2": "2026-10-27T12:01:04Z"}
"""What the Go module proxy reports as each version's time."""


KUBESPRAY, ELSEWHERE = (tomllib.loads((TABLES / f"{name}.toml").read_text()) for name in ("kubespray", "elsewhere"))


def checksum(url: str, version: str, architecture: str) -> str | None:
    """The published checksum of what is at an address."""
    name = url.rpartition("/")[2]
    program = re.split(r"-v?\d|-linux|\.", name)[0]
    found: str | None = (KUBESPRAY | ELSEWHERE).get(program, {}).get(architecture, {}).get(version)
    return found


def official(version: str, versions: dict[str, str]) -> OfficialPins:
    """What is published for one Kubernetes version."""
    sums, digests = {}, {}
    for recipe in recipes_of("official"):
        for architecture in ARCHITECTURES:
            filled = recipe.filled(versions[recipe.name], architecture)
            for download in filled.downloads:
                if found := checksum(download.url, versions[recipe.name], architecture):
                    sums[download.url] = found
            for image in filled.images:
                if digest := ELSEWHERE["digests"].get(image.reference):
                    digests[image.reference] = digest
    return OfficialPins(versions=versions, sha256=dict(sorted(sums.items())), digests=dict(sorted(digests.items())))


def main() -> None:
    """Write every lock."""
    for version in sorted(OFFICIAL_VERSIONS.keys() | MODULE_VERSIONS.keys()):
        constants = ELSEWHERE["constants"][version]
        core = {"kubernetes": version, "coredns": constants["coredns"], "pause": constants["pause"]}
        pins, modules = None, None
        if version in OFFICIAL_VERSIONS:
            chosen = OFFICIAL_VERSIONS[version] | core
            pins = official(version, {recipe.name: chosen[recipe.name] for recipe in recipes_of("official")})
        if version in MODULE_VERSIONS:
            chosen = MODULE_VERSIONS[version] | core
            versions = {recipe.name: chosen[recipe.name] for recipe in recipes_of("modules")}
            modules = ModulePins(versions=versions, build_date=BUILD_DATES[version])
        lock = Lock(kubernetes_version=version, official=pins, modules=modules)
        (supported.LOCKS / f"{version}.toml").write_text(lock_text(lock, ORIGIN))


if __name__ == "__main__":
    main()
