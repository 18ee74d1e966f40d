"""The statement by which a cluster certifies the key that one member signs snapshots with. Pure.

It is text, so that it can be read and checked by hand; the cluster's signing key, which only masters hold, signs its
very bytes. A member's key can neither certify another key nor sign as another member.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

TITLE = "haplane snapshot signer 1"
STATEMENT = re.compile(
    TITLE + r"\n"
    r"cluster (?P<cluster>[a-z0-9-]{1,40})\n"
    r"member (?P<member>[a-z0-9][a-z0-9.-]{0,62})\n"
    r"key (?P<key>[A-Za-z0-9+/]{43}=)\n"
    r"issuer (?P<issuer>[A-Za-z0-9+/]{43}=)\n"
    r"issued (?P<issued>[0-9]{8}T[0-9]{6}Z)\n",
    re.ASCII,
)
LONGEST = 1024


@dataclass(frozen=True)
class SignerStatement:
    """``key`` is the member's, ``issuer`` the cluster's: public Ed25519 keys as base64. ``issued`` is a UTC time."""

    cluster: str
    member: str
    key: str
    issuer: str
    issued: str

    @property
    def text(self) -> str:
        """What is signed."""
        return (
            f"{TITLE}\ncluster {self.cluster}\nmember {self.member}\n"
            f"key {self.key}\nissuer {self.issuer}\nissued {self.issued}\n"
        )

    @classmethod
    def parse(cls, text: str) -> SignerStatement | None:
        """None for anything but such a statement."""
        found = STATEMENT.fullmatch(text) if len(text) <= LONGEST else None
        return cls(**found.groupdict()) if found else None
