"""Images from container registries, by the OCI distribution API, every byte checked against its digest.

https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from haplane.bundle.download import Report, Site, Status
from haplane.bundle.image import Blob, write_archive
from haplane.errors import HaplaneError

INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
ACCEPT = {"Accept": ", ".join(INDEXES + MANIFESTS)}
API_HOSTS = {"docker.io": "registry-1.docker.io"}
UNAUTHORIZED = 401


@dataclass(frozen=True)
class Reference:
    """``HOST/REPOSITORY:TAG``, taken apart; ``host`` is where the API of that registry is."""

    host: str
    repository: str
    tag: str

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Take a full reference apart."""
        name, _, tag = text.rpartition(":")
        host, _, repository = name.partition("/")
        return cls(API_HOSTS.get(host, host), repository, tag)

    def url(self, kind: str, what: str) -> str:
        """The address of a manifest (by tag or digest) or blob (by digest) of this repository."""
        return f"https://{self.host}/v2/{self.repository}/{kind}/{what}"


class Registry:
    """Fetches images for one architecture. Tokens are asked for when a registry wants one."""

    def __init__(self, site: Site, architecture: str) -> None:
        self._site = site
        self._architecture = architecture

    def fetch_image(self, reference: str, digest: str | None, target: Path, scratch: Path, report: Report) -> None:
        """Write the image's archive to ``target``. ``digest`` pins what the tag must be (an index or a manifest).

        Raises HaplaneError when anything cannot be had or is not what its digest says.
        """
        name = Reference.parse(reference)
        headers = self._authorization(name)
        manifest, document = self._manifest(name, digest, headers)
        blobs = []
        for descriptor in (document["config"], *document["layers"]):
            digest = descriptor["digest"]
            path = scratch / digest.replace(":", "-")
            sha256 = digest.removeprefix("sha256:")
            self._site.download(name.url("blobs", digest), path, sha256, report=report, headers=headers)
            blobs.append(Blob(descriptor["mediaType"], digest, descriptor["size"], path))
        write_archive(target, reference, manifest, blobs, self._architecture)

    def _manifest(self, name: Reference, digest: str | None, headers: dict[str, str]) -> tuple[Blob, Any]:
        """The manifest for our architecture, by way of the index if there is one: as a blob, and what it says."""
        content = self._document(name, digest or name.tag, headers)
        document = _parsed(content)
        media_type = document.get("mediaType", INDEXES[0] if "manifests" in document else MANIFESTS[0])
        if media_type in MANIFESTS:
            return Blob(media_type, f"sha256:{hashlib.sha256(content).hexdigest()}", len(content), content), document
        for entry in document["manifests"]:
            platform = entry.get("platform", {})
            if (platform.get("os"), platform.get("architecture")) == ("linux", self._architecture):
                content = self._document(name, entry["digest"], headers)
                return Blob(entry["mediaType"], entry["digest"], len(content), content), _parsed(content)
        raise HaplaneError(f"{name.repository}:{name.tag} has no image for linux/{self._architecture}")

    def _document(self, name: Reference, what: str, headers: dict[str, str]) -> bytes:
        address = name.url("manifests", what)
        content = self._site.document(address, {**headers, **ACCEPT})
        actual = f"sha256:{hashlib.sha256(content).hexdigest()}"
        if what.startswith("sha256:") and actual != what:
            raise HaplaneError("an image manifest has the wrong digest", where=address, why=f"it is {actual}")
        return content

    def _authorization(self, name: Reference) -> dict[str, str]:
        """Ask for the tag; where that is refused with a challenge, fetch the token the challenge asks for."""
        try:
            self._site.document(name.url("manifests", name.tag), ACCEPT)
        except Status as refusal:
            challenge = _challenge(refusal)
            if not challenge:
                raise
            query = urlencode({key: value for key, value in challenge.items() if key != "realm"})
            answer = self._site.json(f"{challenge['realm']}?{query}")
            token = answer.get("token") or answer.get("access_token")
            return {"Authorization": f"Bearer {token}"}
        return {}


def _challenge(refusal: Status) -> dict[str, str]:
    """The parts of a ``Bearer realm="...",service="...",scope="..."`` challenge; none if it is no such refusal."""
    header = refusal.headers["WWW-Authenticate"] or ""
    if refusal.code != UNAUTHORIZED or not header.startswith("Bearer "):
        return {}
    parts = dict(re.findall(r'(\w+)="([^"]*)"', header))
    return parts if "realm" in parts else {}


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError as error:
        raise HaplaneError("a registry's answer is not JSON", why=str(error)) from error
