"""The operator's age identity: created, proven to decrypt, and recorded as proven.

A snapshot cannot be read without its identity, so none is encrypted to a recipient whose identity was never proven.
Only the recipient, which is public, is recorded.
"""

from __future__ import annotations

import json
import os
import secrets
import shlex
import stat
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import pyrage

from haplane.errors import BadInput, HaplaneError
from haplane.private import make_private, state_directory

CHALLENGE_BYTES = 32
LONGEST_FILE = 1 << 20
PREFIX = "AGE-SECRET-KEY-1"


def new_identity(file: Path, now: datetime) -> str:
    """Write a new identity as age-keygen does, root's or the user's alone, and return its recipient.

    Raises BadInput when the file exists or cannot be written.
    """
    identity = pyrage.x25519.Identity.generate()
    recipient = str(identity.to_public())
    text = f"# created: {now.isoformat(timespec='seconds')}\n# public key: {recipient}\n{identity}\n"
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as writing:
                writing.write(text)
                writing.flush()
                os.fsync(writing.fileno())
        except BaseException:  # a part of an identity is none, and the next attempt would not overwrite it
            file.unlink()
            raise
    except FileExistsError:
        raise BadInput(
            "this file exists, and an identity is never overwritten",
            where=str(file),
            why="snapshots that were encrypted to it could never be read again",
            next_step="give the name of a new file",
        ) from None
    except OSError as error:
        raise BadInput(
            "the file cannot be written",
            where=str(file),
            why=error.strerror,
            next_step="give a file in a directory that exists and is yours",
        ) from None
    return recipient


def read_identities(file: Path) -> tuple[pyrage.x25519.Identity, ...]:
    """The identities in an age identity file. Raises BadInput, quoting nothing of it, when it holds anything else.

    A file that others can read is refused, as ssh refuses such a key; a pipe has no others.
    """
    try:
        with file.open("rb") as reading:
            _refuse_readable(file, os.fstat(reading.fileno()).st_mode)
            text = reading.read(LONGEST_FILE).decode()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not a text file"
        raise BadInput(
            "the identity cannot be read",
            where=str(file),
            why=why,
            next_step="give the file that `haplane keys new` wrote",
        ) from None
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    try:
        found = tuple(pyrage.x25519.Identity.from_str(line) for line in lines)
    except pyrage.IdentityError:
        found = ()
    if not found:
        raise BadInput(
            "not an age identity",
            where=str(file),
            why="a line of it is damaged, or of another kind"
            if any(line.startswith(PREFIX) for line in lines)
            else f"it has no line that starts with {PREFIX}",
            next_step="give the file that `haplane keys new` wrote; remove a passphrase from it with `age -d`",
        )
    return found


def _refuse_readable(file: Path, mode: int) -> None:
    if stat.S_ISREG(mode) and mode & 0o077:
        raise BadInput(
            "others can read this identity",
            where=str(file),
            why=f"its mode is {stat.S_IMODE(mode):04o}: whoever has it decrypts every snapshot and the keys in it",
            next_step=f"`chmod 600 {shlex.quote(str(file))}`; if others may have copied it, make a new one "
            "(`haplane keys new FILE`) and put its recipient into the inventory",
        )


def prove(identities: Iterable[pyrage.x25519.Identity]) -> tuple[str, ...]:
    """Encrypt a challenge to each identity's recipient, decrypt it again, and record those recipients.

    Raises HaplaneError when what comes out is not what went in.
    """
    recipients = []
    for identity in identities:
        recipient = identity.to_public()
        challenge = secrets.token_bytes(CHALLENGE_BYTES)
        if pyrage.decrypt(pyrage.encrypt(challenge, [recipient]), [identity]) != challenge:
            raise HaplaneError("the identity does not decrypt what is encrypted to it", where=str(recipient))
        recipients.append(str(recipient))
    _record(recipients)
    return tuple(recipients)


def proven() -> frozenset[str]:
    """Recipients whose identity has decrypted a challenge on this machine."""
    try:
        known = json.loads(_record_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return frozenset()
    return frozenset(known) if isinstance(known, list) and all(isinstance(one, str) for one in known) else frozenset()


def _record(recipients: Iterable[str]) -> None:
    record = _record_file()
    known = sorted(proven() | set(recipients))
    try:
        make_private(record.parent)
        fresh = record.with_name(f"{record.name}.{os.getpid()}")
        fresh.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
        fresh.replace(record)
    except OSError as error:
        raise HaplaneError(
            "the identity works, but that cannot be recorded",
            where=str(record),
            why=str(error),
            next_step="make that directory writable, or set XDG_STATE_HOME to one that is",
        ) from None


def _record_file() -> Path:
    return state_directory() / "proven-recipients.json"
