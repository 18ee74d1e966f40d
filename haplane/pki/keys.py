"""Private and public keys as PEM: made, read and compared. What is read may come from a host: it is never trusted."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from haplane.errors import Refused

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey


@dataclass(frozen=True)
class SigningPair:
    """A bare key pair, both halves PEM. The private half is never shown by ``repr``."""

    public_key: bytes
    private_key: bytes = field(repr=False)

    @classmethod
    def generate(cls, private_key: PrivateKey) -> SigningPair:
        """The PEM forms of a key just made."""
        return cls(public_key_pem(private_key.public_key()), private_key_pem(private_key))

    def disagreement(self, name: str) -> str | None:
        """Why the two halves are not one pair, or None. Raises Refused when either half is not a key."""
        private = parse_private_key(self.private_key, f"{name}.key")
        public = parse_public_key(self.public_key, f"{name}.pub")
        matches = same_public_key(private.public_key(), public)
        return None if matches else f"{name}.pub is not the public half of {name}.key"


def new_elliptic_key() -> ec.EllipticCurvePrivateKey:
    """A new ECDSA P-256 key, kubeadm's ``encryptionAlgorithm: ECDSA-P256``."""
    return ec.generate_private_key(ec.SECP256R1())


def private_key_pem(key: PrivateKey) -> bytes:
    """PEM as kubeadm writes it (``EC PRIVATE KEY``, ``RSA PRIVATE KEY``); Ed25519 has only the PKCS #8 form."""
    traditional = not isinstance(key, ed25519.Ed25519PrivateKey)
    form = PrivateFormat.TraditionalOpenSSL if traditional else PrivateFormat.PKCS8
    return key.private_bytes(Encoding.PEM, form, NoEncryption())


def public_key_pem(key: PublicKey) -> bytes:
    """PEM ``PUBLIC KEY``, which kube-apiserver takes as ``--service-account-key-file``."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def signing_key_pem(raw: str) -> bytes:
    """The PEM form of an Ed25519 public key given as the base64 of its 32 bytes, as an inventory has it."""
    return public_key_pem(ed25519.Ed25519PublicKey.from_public_bytes(base64.b64decode(raw)))


def raw_public_key(pem: bytes, source: str) -> str:
    """The reverse. Raises Refused naming ``source`` for anything but an Ed25519 public key."""
    key = parse_public_key(pem, source)
    if not isinstance(key, ed25519.Ed25519PublicKey):
        raise Refused("not a key that signs snapshots", where=source, why="it is not an Ed25519 key")
    return base64.b64encode(key.public_bytes_raw()).decode()


def parse_private_key(pem: bytes, source: str) -> PrivateKey:
    """The key in ``pem``. Raises Refused naming ``source`` when it is none, is encrypted or of an unknown kind."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The parser's own words are left out: they may quote what it choked on.
        raise Refused("not a usable private key", where=source, why="it is not an unencrypted PEM key") from None
    if not isinstance(key, PrivateKey):
        raise Refused("not a usable private key", where=source, why="only ECDSA, RSA and Ed25519 keys are known")
    return key


def parse_public_key(pem: bytes, source: str) -> PublicKey:
    """The key in ``pem``. Raises Refused naming ``source`` when it is none or of an unknown kind."""
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Refused("not a usable public key", where=source, why="it is not a PEM public key") from None
    if not isinstance(key, PublicKey):
        raise Refused("not a usable public key", where=source, why="only ECDSA, RSA and Ed25519 keys are known")
    return key


def same_public_key(one: PublicKey, other: PublicKey) -> bool:
    """Whether both are the same key, whatever their encoding was."""
    return public_key_pem(one) == public_key_pem(other)
