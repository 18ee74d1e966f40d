"""The lock: for each supported Kubernetes version, every component pinned, for both sources.

``pinned/VERSION.toml`` is read here; ``pinned/modules/COMPONENT-VERSION/`` holds the go.mod and go.sum that pin what
is built from Go modules, down to the hash of every module.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from haplane.bundle.manifest import Role, Sha256, Source
from haplane.errors import BadInput

PINNED = Path(__file__).parent / "pinned"
RECIPE_FORMAT = 1  # raised when the same lock would give other bytes: every component is then made anew


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Destination(_Frozen):
    """Where a binary goes on the hosts of these roles."""

    path: str
    roles: tuple[Role, ...]


class PinnedImage(_Frozen):
    """One image. ``content`` and ``tools`` map programs to their paths in an image that is put together here.

    Tools are programs and other files of the machine that it is put together on.
    """

    reference: str
    roles: tuple[Role, ...]
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")] | None = None
    content: dict[str, str] = {}
    tools: dict[str, str] = {}
    entrypoint: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The last word of the repository: ``coredns`` of ``registry.k8s.io/coredns/coredns:v1.13.1``."""
        return self.reference.rpartition(":")[0].rpartition("/")[2]


class Modules(_Frozen):
    """What ``go build`` is told. ``names`` renames outputs; ``cgo`` lists the C libraries linked in, if any."""

    version: str
    packages: tuple[str, ...] = ()
    names: dict[str, str] = {}
    tags: tuple[str, ...] = ()
    cgo: tuple[str, ...] = ()
    variables: dict[str, str] = {}

    def outputs(self) -> dict[str, str]:
        """Binaries by the name ``go build`` gives them: the last element of the package that is no major version."""
        built = [re.sub(r"/v\d+$", "", package).rpartition("/")[2] for package in self.packages]
        return {self.names.get(name, name): name for name in built}


class Download(_Frozen):
    """One artifact. ``members`` maps binaries to their paths in the archive; "" where the artifact is the binary."""

    url: str
    members: dict[str, str]
    sha256: Sha256 | None = None
    published: str | None = None

    @property
    def file_name(self) -> str:
        """The artifact's own name."""
        return self.url.rpartition("/")[2]

    @model_validator(mode="after")
    def _has_a_checksum(self) -> Download:
        if (self.sha256 is None) == (self.published is None):
            raise ValueError("needs either sha256 or published")
        return self


class Official(_Frozen):
    """What is downloaded; images come from the registry in their reference."""

    version: str
    downloads: tuple[Download, ...] = ()


class Component(_Frozen):
    """One project's binaries and images, and both ways to get them."""

    name: str
    files: dict[str, Destination] = {}
    images: tuple[PinnedImage, ...] = ()
    modules: Modules
    official: Official

    @model_validator(mode="before")
    @classmethod
    def _fill_in_versions(cls, value: Any) -> Any:
        return {**value, **{source: _filled(value[source]) for source in ("modules", "official")}}

    @property
    def module_directory(self) -> Path:
        """Where this component's go.mod and go.sum are."""
        return PINNED / "modules" / f"{self.name}-{self.modules.version}"

    def version(self, source: Source) -> str:
        """The version this source gives."""
        return self.official.version if source == "official" else self.modules.version

    def fingerprint(self, source: Source) -> str:
        """Changes whenever what is pinned changes: files made under another fingerprint are made anew."""
        other = "official" if source == "modules" else "modules"
        recipe = {"format": RECIPE_FORMAT, "source": source, **self.model_dump(mode="json", exclude={other})}
        digest = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode())
        if source == "modules" and self.modules.packages:
            for path in sorted(self.module_directory.iterdir()):
                digest.update(path.name.encode() + b"\0" + path.read_bytes())
        return digest.hexdigest()


class Lock(_Frozen):
    """Everything pinned for one Kubernetes version."""

    kubernetes_version: str
    architecture: str
    components: tuple[Component, ...]


def supported_versions() -> tuple[str, ...]:
    """The Kubernetes versions a bundle can be made for, oldest first."""
    versions = (path.name.removesuffix(".toml") for path in PINNED.glob("*.toml"))
    return tuple(sorted(versions, key=lambda version: [int(part) for part in version.split(".")]))


def load_lock(kubernetes_version: str) -> Lock:
    """The lock for that version. Raises BadInput for one that is not pinned."""
    if kubernetes_version not in supported_versions():
        raise BadInput(
            f"there is no lock for Kubernetes {kubernetes_version}",
            next_step=f"choose one of: {', '.join(supported_versions())}",
        )
    document = tomllib.loads((PINNED / f"{kubernetes_version}.toml").read_text())
    top = {key: document.pop(key) for key in ("kubernetes_version", "architecture")}
    components = tuple(Component(name=name, **section) for name, section in document.items())
    return Lock(**top, components=components)


def _filled(section: dict[str, Any]) -> Any:
    """The section with {version} replaced by its own version everywhere."""

    def fill(value: Any) -> Any:
        if isinstance(value, str):
            return value.replace("{version}", section["version"])
        if isinstance(value, dict):
            return {key: fill(item) for key, item in value.items()}
        if isinstance(value, list):
            return [fill(item) for item in value]
        return value

    return fill(section)
