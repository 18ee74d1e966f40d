"""Why text from elsewhere has not the shape that it should have, in words that hold nothing of that text. Pure."""

from __future__ import annotations

from pydantic import ValidationError


def first_error(error: ValidationError) -> str:
    """The first of them with its field, as in ``machine.memory_bytes: Field required``."""
    first = error.errors(include_input=False, include_url=False)[0]
    field = ".".join(map(str, first["loc"]))
    return f"{field}: {first['msg']}" if field else first["msg"]
