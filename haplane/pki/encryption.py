"""Secrets encrypted at rest: the keys, and the EncryptionConfiguration that kube-apiserver reads.

The file is written as JSON, which is YAML: it is read back from hosts, and JSON has one meaning and no dependency.
The first key writes, all of them read; ``identity`` last lets objects written before encryption be read.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from haplane.errors import Refused

KEY_BYTES = 32  # secretbox: XSalsa20 takes a 256 bit key and no other
KEY_NAME = re.compile(r"[A-Za-z0-9-]{1,63}")


@dataclass(frozen=True)
class EncryptionKey:
    """One secretbox key: ``secret`` is 32 bytes. Its name is stored with every object that it encrypted."""

    name: str
    secret: bytes = field(repr=False)

    @classmethod
    def generate(cls) -> EncryptionKey:
        """A random key, named after its own digest so that keys of different clusters never share a name."""
        secret = os.urandom(KEY_BYTES)
        return cls("key-" + hashlib.sha256(secret).hexdigest()[:12], secret)


def render_encryption(keys: Sequence[EncryptionKey]) -> bytes:
    """The EncryptionConfiguration for Secrets, the first of ``keys`` being the one that writes."""
    listed = [{"name": key.name, "secret": base64.b64encode(key.secret).decode()} for key in keys]
    configuration = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "EncryptionConfiguration",
        "resources": [{"resources": ["secrets"], "providers": [{"secretbox": {"keys": listed}}, {"identity": {}}]}],
    }
    return json.dumps(configuration, indent=2).encode() + b"\n"


def parse_encryption(text: bytes, source: str) -> tuple[EncryptionKey, ...]:
    """The keys of a configuration that :func:`render_encryption` wrote, the writing one first.

    Raises Refused naming ``source``, and quoting nothing of it, when it is anything else.
    """
    try:
        configuration = json.loads(text)
        providers = configuration["resources"][0]["providers"]
        keys = tuple(_parse_key(key) for key in providers[0]["secretbox"]["keys"])
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        raise _unusable(source) from None
    distinct = len({key.name for key in keys}) == len(keys)
    if not keys or not distinct or json.loads(render_encryption(keys)) != configuration:
        raise _unusable(source)
    return keys


def merge_encryption(held: Iterable[Sequence[EncryptionKey]]) -> tuple[EncryptionKey, ...]:
    """Every key once, in the order in which they are first held: the first one writes.

    Raises Refused when two different keys have one name: what either of them wrote could not be told apart.
    """
    merged: dict[str, EncryptionKey] = {}
    for keys in held:
        for key in keys:
            if merged.setdefault(key.name, key) != key:
                raise Refused(f"two different encryption keys are called {key.name}")
    return tuple(merged.values())


def _parse_key(entry: Any) -> EncryptionKey:  # noqa: ANN401 - any JSON
    if not KEY_NAME.fullmatch(entry["name"]):
        raise ValueError("not a key name")
    try:
        secret = base64.b64decode(entry["secret"], validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None
    if len(secret) != KEY_BYTES:
        raise ValueError("not a secretbox key")
    return EncryptionKey(entry["name"], secret)


def _unusable(source: str) -> Refused:
    return Refused(
        "the encryption-at-rest keys are not as haplane writes them",
        where=source,
        next_step="put the file back as haplane wrote it, from another master that still has it",
    )
