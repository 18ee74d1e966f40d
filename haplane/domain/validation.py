"""Why text from elsewhere has not the shape that it should have, in words that hold nothing of that text. Pure."""

from __future__ import annotations

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from haplane.errors import HaplaneError


def first_error(error: ValidationError) -> str:
    """The first of them with its field, as in ``machine.memory_bytes: Field required``."""
    return described(error.errors(include_input=False, include_url=False)[0])


def described(one: ErrorDetails) -> str:
    """One of them."""
    field = ".".join(map(str, one["loc"]))
    return f"{field}: {one['msg']}" if field else one["msg"]


def unreadable(host: str, what: str, error: ValidationError) -> HaplaneError:
    """For ``what`` a host returned, when it is not of the agreed shape."""
    return HaplaneError(
        f"{host} returned {what} that cannot be read",
        where=host,
        why=first_error(error),
        next_step="re-run with --debug",
    )
