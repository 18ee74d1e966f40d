"""Images from container registries, by the OCI distribution API, every byte checked against its digest.

https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from haplane.bundle.challenge import Challenge, parse_challenge
from haplane.bundle.download import Report, Site
from haplane.bundle.image import Blob, write_archive
from haplane.bundle.image_documents import (
    INDEXES,
    MANIFESTS,
    Document,
    Image,
    Reference,
    parse_document,
    parse_image,
)
from haplane.bundle.mirrors import shown
from haplane.bundle.transport import ANONYMOUS, Status
from haplane.errors import HaplaneError

ACCEPT = {"Accept": ", ".join(INDEXES + MANIFESTS)}
UNAUTHORIZED = 401
TOKEN = re.compile(r"[\w.~+/=-]{1,65536}", re.ASCII)

Answer = TypeVar("Answer")


class Registry:
    """Fetches images. A token is requested when a registry asks for one, and again when it has expired."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._tokens: dict[tuple[str, str], str] = {}

    def fetch_image(
        self, reference: str, digest: str | None, architecture: str, *, target: Path, scratch: Path, report: Report
    ) -> None:
        """Write the image's archive to ``target``. ``digest`` pins what the tag must be (an index or a manifest).

        Raises HaplaneError when anything cannot be had or does not match its digest.
        """
        name = Reference.parse(reference)
        manifest, image = self._manifest(name, digest or name.digest, architecture)
        blobs = []
        for part in (image.config, *image.layers):
            path = scratch / part.digest.replace(":", "-")
            self._blob(name, part.digest, part.size, path, report)
            blobs.append(Blob(part.media_type, part.digest, part.size, path))
        write_archive(target, reference, manifest, blobs, architecture)

    def digest(self, reference: str) -> tuple[str, Document]:
        """What a tag is now: the digest of its index or manifest, and that document."""
        name = Reference.parse(reference)
        content = self._document(name, name.digest or name.tag)
        return _digest(content), parse_document(content, self._where(name, name.tag))

    def _blob(self, name: Reference, digest: str, size: int, path: Path, report: Report) -> None:
        address, sha256 = name.url("blobs", digest), digest.removeprefix("sha256:")

        def fetch(headers: Mapping[str, str]) -> None:
            self._site.download(address, path, sha256, report=report, headers=headers, most=size)

        self._authorized(name, fetch)

    def _manifest(self, name: Reference, digest: str | None, architecture: str) -> tuple[Blob, Image]:
        """The manifest for our architecture, by way of the index if there is one: as a blob, and parsed."""
        what = digest or name.tag
        content = self._document(name, what)
        where = self._where(name, what)
        document = parse_document(content, where)
        if not document.is_index:
            media_type = document.media_type or MANIFESTS[0]
            return Blob(media_type, _digest(content), len(content), content), parse_image(content, where)
        entry = document.entry(architecture)
        if entry is None:
            raise HaplaneError(f"{name.repository}:{name.tag} has no image for linux/{architecture}", where=where)
        content = self._document(name, entry.digest)
        image = parse_image(content, self._where(name, entry.digest))
        return Blob(entry.media_type, entry.digest, len(content), content), image

    def _document(self, name: Reference, what: str) -> bytes:
        address = name.url("manifests", what)
        content = self._authorized(name, lambda headers: self._site.document(address, {**headers, **ACCEPT}))
        if what.startswith("sha256:") and _digest(content) != what:
            raise HaplaneError(
                "an image manifest has the wrong digest",
                where=self._where(name, what),
                why=f"it is {_digest(content)}",
            )
        return content

    def _authorized(self, name: Reference, fetch: Callable[[Mapping[str, str]], Answer]) -> Answer:
        """Fetch with the token there is, if any; where that is refused, with a new one."""
        key = (name.host, name.repository)
        token = self._tokens.get(key)
        try:
            return fetch({"Authorization": f"Bearer {token}"} if token else {})
        except Status as refusal:
            if refusal.code != UNAUTHORIZED:
                raise
            self._tokens[key] = self._token(name, refusal)
        return fetch({"Authorization": f"Bearer {self._tokens[key]}"})

    def _token(self, name: Reference, refusal: Status) -> str:
        """A token for this registry, from the realm of its challenge: over https, or from a mirror itself."""
        challenge = parse_challenge(refusal.challenge)
        if challenge is None or challenge.scheme != "bearer" or not challenge.realm:
            raise self._unauthorized(name, refusal, challenge)
        if not self._site.mirrors.may_ask(challenge.realm):
            raise HaplaneError(
                f"the registry {name.host} names a token server that haplane does not contact",
                where=shown(challenge.realm),
                why="tokens are requested over https, or from a mirror itself",
                next_step="use another mirror, or --source modules",
            )
        answer = self._site.json(challenge.token_url(), self._headers_for_token_server(name, challenge.realm))
        token = answer.get("token") or answer.get("access_token")
        if not isinstance(token, str) or not TOKEN.fullmatch(token):
            raise HaplaneError(f"the registry {name.host} returned no token", where=shown(challenge.realm))
        return token

    def _headers_for_token_server(self, name: Reference, realm: str) -> Mapping[str, str]:
        """A password is sent only to a token server of the registry's own domain.

        The token is handed to the registry.
        """
        registry = urlsplit(self._where(name, name.tag)).hostname or ""
        server, domain = urlsplit(self._site.mirrors.url(realm)).hostname or "", registry.partition(".")[2]
        is_below = "." in domain and not domain[-1].isdigit() and f".{server}".endswith(f".{domain}")
        is_own = server == registry or is_below
        return {} if is_own else ANONYMOUS

    def _unauthorized(self, name: Reference, refusal: Status, challenge: Challenge | None) -> HaplaneError:
        if challenge is None or challenge.scheme != "basic":
            return refusal
        host = self._where(name, name.tag).split("/")[2].partition(":")[0]
        return HaplaneError(
            f"{host} requires a user and a password",
            where=self._where(name, name.tag),
            why=refusal.why,
            next_step=f"write into ~/.netrc or a file for --netrc: machine {host} login USER password PASSWORD",
        )

    def _where(self, name: Reference, what: str) -> str:
        return shown(self._site.mirrors.url(name.url("manifests", what)))


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
