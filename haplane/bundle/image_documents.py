"""References, and what registries answer to them: manifests and indexes. Pure: every response is untrusted.

https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from haplane.bundle.mirrors import API_HOSTS
from haplane.domain.validation import first_error
from haplane.errors import HaplaneError

INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
LAYER_LIMIT = 2 << 30
LIST_LIMIT = 500
DIGEST = r"sha256:[0-9a-f]{64}"
NAME = r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*"
REFERENCE = re.compile(
    rf"(?P<host>[A-Za-z0-9.-]+(?::\d{{1,5}})?)/(?P<name>{NAME})(?::(?P<tag>\w[\w.-]{{0,127}}))?(?:@(?P<digest>{DIGEST}))?",
    re.ASCII,
)


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)


class Descriptor(_Answer):
    """What a manifest refers to. Its digest becomes part of paths and addresses."""

    media_type: Annotated[str, Field(alias="mediaType", max_length=200)]
    digest: Annotated[str, Field(pattern=rf"^{DIGEST}$")]
    size: Annotated[int, Field(ge=0, le=LAYER_LIMIT)]


class Platform(_Answer):
    """What an entry of an index is for."""

    os: str = ""
    architecture: str = ""


class Entry(Descriptor):
    """One image of an index."""

    platform: Platform = Platform()


class Image(_Answer):
    """A manifest of one image."""

    config: Descriptor
    layers: Annotated[tuple[Descriptor, ...], Field(max_length=LIST_LIMIT)]


class Document(_Answer):
    """A manifest or an index, as far as the two differ."""

    schema_version: Annotated[int, Field(alias="schemaVersion")] = 2
    media_type: Annotated[str | None, Field(alias="mediaType")] = None
    manifests: Annotated[tuple[Entry, ...], Field(max_length=LIST_LIMIT)] | None = None

    @property
    def is_index(self) -> bool:
        """Whether it lists images for several platforms."""
        return self.media_type in INDEXES or (self.media_type is None and self.manifests is not None)

    def entry(self, architecture: str) -> Entry | None:
        """The image for Linux on that architecture. Entries for unknown platforms are attestations."""
        wanted = ("linux", architecture)
        found = (one for one in self.manifests or () if (one.platform.os, one.platform.architecture) == wanted)
        return next(found, None)


Kind = TypeVar("Kind", bound=_Answer)


@dataclass(frozen=True)
class Reference:
    """``HOST/REPOSITORY[:TAG][@DIGEST]``, taken apart; ``host`` is where the API of that registry is."""

    host: str
    repository: str
    tag: str = "latest"
    digest: str | None = None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Take a full reference apart. Raises ValueError for anything else."""
        found = REFERENCE.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is not an image reference like HOST/REPOSITORY:TAG")
        host = API_HOSTS.get(found["host"], found["host"])
        return cls(host, found["name"], found["tag"] or "latest", found["digest"])

    def url(self, kind: str, what: str) -> str:
        """The address of a manifest (by tag or digest) or blob (by digest) of this repository."""
        return f"https://{self.host}/v2/{self.repository}/{kind}/{what}"


def parse_document(content: bytes, where: str) -> Document:
    """A manifest or index. Raises HaplaneError for anything else, the first format of Docker's included."""
    document = _parsed(content, Document, where)
    if document.schema_version == 1:
        raise HaplaneError(
            "a registry returned an image manifest of schema 1",
            where=where,
            why="that format cannot be checked by digest; registries return it when the Accept header is lost",
            next_step="use a mirror that passes headers on, or --source modules",
        )
    return document


def parse_image(content: bytes, where: str) -> Image:
    """The manifest of one image. Raises HaplaneError for anything else."""
    return _parsed(content, Image, where)


def _parsed(content: bytes, kind: type[Kind], where: str) -> Kind:
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        raise HaplaneError(
            "a registry returned something other than an image manifest", where=where, why=first_error(error)
        ) from None
