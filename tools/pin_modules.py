"""Make the go.mod and go.sum of one component in a version: ``python tools/pin_modules.py COMPONENT VERSION``.

Needs Go and a module proxy. Kubernetes' module names its staging modules by paths of its own repository; each is
replaced by the version in which it is published.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from haplane.bundle.recipe import PINNED, recipes

GO = "1.25.0"
MODULES = {
    "kubernetes": ("k8s.io/kubernetes",),
    "etcd": tuple(f"go.etcd.io/etcd/{name}/v3" for name in ("server", "etcdctl", "etcdutl")),
    "containerd": ("github.com/containerd/containerd/v2",),
    "runc": ("github.com/opencontainers/runc",),
    "cni-plugins": ("github.com/containernetworking/plugins",),
    "flannel": ("github.com/flannel-io/flannel",),
    "coredns": ("github.com/coredns/coredns",),
    "age": ("filippo.io/age",),
    "external-attacher": ("github.com/kubernetes-csi/external-attacher/v4",),
}
OURS = ("coredns", "external-attacher")
"""Whose directories have a main package of ours, which is the same for all versions."""

TENCENT = "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/vpc"
REPLACED = {"flannel": {TENCENT: "v1.0.1136"}}
"""Not all versions of the client of a backend that haplane does not offer are in the proxy."""


def replacements(component: str, version: str) -> dict[str, str]:
    """The module versions that stand for those a module asks for."""
    if component != "kubernetes":
        return REPLACED.get(component, {})
    command = ["go", "mod", "download", "-json", f"k8s.io/kubernetes@v{version}"]
    downloaded = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    staging = re.findall(r"^\s*(?:replace )?(k8s\.io/\S+) => \./staging", Path(downloaded["GoMod"]).read_text(), re.M)
    return dict.fromkeys(staging, f"v0.{version.partition('.')[2]}")


def main(component: str, version: str) -> None:
    """Write the directory and let go complete it."""
    directory = PINNED / "modules" / f"{component}-{version}"
    directory.mkdir(exist_ok=True)
    recipe = next(recipe for recipe in recipes() if recipe.name == component)
    lines = [f"module haplane.invalid/{component}", f"go {GO}"]
    lines += [f"require {module} v{version}" for module in MODULES[component]]
    lines += [f"replace {module} => {module} {other}" for module, other in replacements(component, version).items()]
    if component in OURS:
        for file in max((PINNED / "modules").glob(f"{component}-*/main.go")).parent.glob("*.go"):
            (directory / file.name).write_bytes(file.read_bytes())
    own = f"haplane.invalid/{component}"
    lines += [f"tool {package}" for package in recipe.modules.packages if package != own]
    (directory / "go.mod").write_text("\n\n".join(lines) + "\n")
    subprocess.run(
        ["go", "mod", "tidy"], cwd=directory, check=True, env=os.environ | {"GOFLAGS": "", "GOWORK": "off"}
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
