"""Why text from elsewhere has not the shape that it should have, in words that hold nothing of that text. Pure."""

from __future__ import annotations

from pydantic import ValidationError

from haplane.errors import HaplaneError


def first_error(error: ValidationError) -> str:
    """The first of them with its field, as in ``machine.memory_bytes: Field required``."""
    first = error.errors(include_input=False, include_url=False)[0]
    field = ".".join(map(str, first["loc"]))
    return f"{field}: {first['msg']}" if field else first["msg"]


def unreadable(host: str, what: str, error: ValidationError) -> HaplaneError:
    """For ``what`` a host returned, when it is not of the agreed shape."""
    return HaplaneError(
        f"{host} returned {what} that cannot be read",
        where=host,
        why=first_error(error),
        next_step="re-run with --debug",
    )
