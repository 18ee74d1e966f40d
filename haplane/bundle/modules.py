"""The source ``modules``: binaries built from Go modules, images put together from them.

Every module is pinned with its hash by the go.mod and go.sum beside the lock.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from haplane.bundle.image import make_layer, write_image
from haplane.bundle.lock import Component
from haplane.bundle.manifest import Source
from haplane.bundle.process import require, run
from haplane.bundle.programs import closure
from haplane.bundle.recipe import Modules
from haplane.bundle.store import Made
from haplane.domain.progress import Progress
from haplane.errors import HaplaneError

BUILD_DEADLINE_SECONDS = 4 * 3600.0  # Kubernetes takes 6 minutes on two idle cores with nothing cached


class ModulesMaker:
    """Makes components on this machine."""

    source: Source = "modules"

    def __init__(self, architecture: str) -> None:
        self.architecture = architecture

    def require_tools(self, components: Sequence[Component]) -> None:
        """Raise Problems for what is missing of go, zstd, gcc and its libraries, and programs put into images."""
        linked = {library for component in components for library in component.modules.cgo}
        packed = {tool for component in components for image in component.images for tool in image.tools}
        require(["go", "zstd", "ldd", *(["gcc", "pkg-config"] if linked else []), *sorted(packed)], sorted(linked))

    def make(self, component: Component, scratch: Path, progress: Progress) -> Made:
        """Build the component's programs and put its images together. Raises HaplaneError when go fails."""
        binaries = build_binaries(component, scratch / "bin", progress)
        archives = {image.name: scratch / f"{image.name}.tar" for image in component.images}
        for image in component.images:
            progress(component.name, f"image {image.name}")
            program = {path: binaries[name] for name, path in image.content.items()}
            tools = [closure(tool, path) for tool, path in image.tools.items()]
            layers = [make_layer(files, scratch) for files in (*tools, program) if files]
            write_image(archives[image.name], image.reference, layers, image.entrypoint, self.architecture)
        return Made(binaries, archives, "pinned" if binaries else "machine")


def build_binaries(component: Component, target: Path, progress: Progress) -> dict[str, Path]:
    """Build a component's packages into the directory ``target``; returns the binaries by their names in the lock.

    What go has already built there, or in its own cache, is not built again. The binaries are static.
    """
    recipe = component.modules
    if not recipe.packages:
        return {}
    target.mkdir(parents=True, exist_ok=True)
    run(
        ["go", "build", "-v", *_options(recipe), "-o", f"{target}/", *recipe.packages],
        what=f"building {component.name} {component.version}",
        directory=component.module_directory,
        environment=_environment(recipe),
        deadline_seconds=BUILD_DEADLINE_SECONDS,
        on_line=_Listener(component.name, progress),
    )
    binaries = {name: target / built for name, built in recipe.outputs().items()}
    for binary in binaries.values():
        if not binary.is_file():
            raise HaplaneError(f"go build produced no {binary.name}", where=str(target))
    return binaries


def _options(recipe: Modules) -> list[str]:
    flags = ["-s", "-w", *(f"-X={name}={value}" for name, value in recipe.variables.items())]
    tags = list(recipe.tags)
    if recipe.cgo:
        flags += ["-linkmode=external", "-extldflags=-static"]
        tags += ["netgo", "osusergo"]  # glibc's resolver does not work in a static binary
    return ["-trimpath", "-mod=readonly", "-buildvcs=false", f"-tags={','.join(tags)}", f"-ldflags={' '.join(flags)}"]


def _environment(recipe: Modules) -> dict[str, str]:
    cgo = "1" if recipe.cgo else "0"
    return {**os.environ, "CGO_ENABLED": cgo, "GOOS": "linux", "GOARCH": "amd64", "GOWORK": "off", "GOFLAGS": ""}


class _Listener:
    """Turns what ``go build -v`` writes, a line for each module fetched and package compiled, into progress."""

    def __init__(self, component: str, progress: Progress) -> None:
        self.component = component
        self.progress = progress
        self.fetched = self.compiled = 0

    def __call__(self, line: str) -> None:
        if line.startswith("go: downloading"):
            self.fetched += 1
            self.progress(self.component, f"fetching modules ({self.fetched})")
        elif not line.startswith(("go:", "#")):
            self.compiled += 1
            self.progress(self.component, f"compiling ({self.compiled} packages)")
