"""What a bundle is made of, whatever its versions: ``pinned/components.toml``, and its placeholders filled in."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from haplane.bundle.manifest import Frozen, Role, Source

PINNED = Path(__file__).parent / "pinned"


class Destination(Frozen):
    """Where a program goes on the hosts of these roles."""

    path: str
    roles: tuple[Role, ...]


class Image(Frozen):
    """One image. ``content`` and ``tools`` map programs to their paths in an image that is put together here.

    Tools are programs and other files of the machine that it is put together on.
    """

    reference: str
    roles: tuple[Role, ...]
    content: dict[str, str] = {}
    tools: dict[str, str] = {}
    entrypoint: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The last word of the repository: ``coredns`` of ``registry.k8s.io/coredns/coredns:v1.13.1``."""
        return self.reference.rpartition(":")[0].rpartition("/")[2]


class Modules(Frozen):
    """The arguments of ``go build``. ``names`` renames outputs; ``cgo`` lists the C libraries linked in, if any."""

    packages: tuple[str, ...] = ()
    names: dict[str, str] = {}
    tags: tuple[str, ...] = ()
    cgo: tuple[str, ...] = ()
    variables: dict[str, str] = {}

    def outputs(self) -> dict[str, str]:
        """Programs by the name ``go build`` gives them: the last element of the package that is no major version."""
        built = [re.sub(r"/v\d+$", "", package).rpartition("/")[2] for package in self.packages]
        return {self.names.get(name, name): name for name in built}


class Download(Frozen):
    """One artifact. ``members`` maps programs to their paths in the archive; "" where the artifact is the program."""

    url: str
    members: dict[str, str]
    published: str | None = None

    @property
    def file_name(self) -> str:
        """The artifact's own name."""
        return self.url.rpartition("/")[2]


class Recipe(Frozen):
    """One project's programs and images, and the ways to get them."""

    name: str
    sources: tuple[Source, ...] = ("official", "modules")
    files: dict[str, Destination] = {}
    images: tuple[Image, ...] = ()
    modules: Modules = Modules()
    downloads: tuple[Download, ...] = ()

    @property
    def is_optional(self) -> bool:
        """Whether a lock may lack it: a source does, so everything else works without."""
        return len(self.sources) == 1

    def filled(self, version: str, architecture: str, build_date: str = "") -> Recipe:
        """The recipe with its placeholders replaced."""
        words = {
            "version": version,
            "minor": version.split(".")[1],
            "arch": architecture,
            "build_date": build_date,
        }
        return Recipe.model_validate(_filled(self.model_dump(), words))


@cache
def recipes(directory: Path = PINNED) -> tuple[Recipe, ...]:
    """Every component, in the order in which they are made."""
    document = tomllib.loads((directory / "components.toml").read_text())
    return tuple(Recipe(name=name, **section) for name, section in document.items())


def recipes_of(source: Source, directory: Path = PINNED) -> tuple[Recipe, ...]:
    """Those of the components that a source has."""
    return tuple(recipe for recipe in recipes(directory) if source in recipe.sources)


def _filled(value: Any, words: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return re.sub(r"\{(\w+)\}", lambda found: words[found[1]], value)
    if isinstance(value, dict):
        return {key: _filled(item, words) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_filled(item, words) for item in value]
    return value
