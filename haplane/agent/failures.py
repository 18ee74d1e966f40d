"""Whatever ends a run of the agent, as an error with a message: unexpected failures are reported like all others."""

from __future__ import annotations

import traceback
from pathlib import Path

from haplane.errors import HaplaneError

WORDS = 200
"""Characters of an unexpected error's own text that are reported."""


class Stopped(BaseException):
    """SIGTERM, SIGHUP or SIGINT. A BaseException, so that no library handles it as an error of its own."""


def explained(error: BaseException) -> HaplaneError:
    """Any failure as a HaplaneError; of an unexpected one its type, its text shortened, and where it was raised."""
    if isinstance(error, HaplaneError):
        return error
    if isinstance(error, Stopped):
        return HaplaneError("the run was stopped before it was complete")
    if isinstance(error, OSError) and error.strerror:
        return HaplaneError(f"the operating system refused it: {error.strerror}", where=_name(error.filename))
    return HaplaneError(
        "unexpected failure of the snapshot agent",
        where=_raised_at(error),
        why=f"{type(error).__name__}: {error}"[:WORDS],
        next_step="please report this as a defect of haplane, with this text; existing snapshots are not affected",
    )


def _name(filename: object) -> str | None:
    return None if filename is None else str(filename)


def _raised_at(error: BaseException) -> str | None:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else None
