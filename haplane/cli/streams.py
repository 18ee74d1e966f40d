"""What is written to stdout and stderr, and what becomes of a run that cannot write there."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TextIO

import click

from haplane.errors import HaplaneError


def say(text: str) -> None:
    """A line on stdout. Raises HaplaneError where it cannot be written."""
    with written():
        click.echo(text)


def remark(text: str) -> None:
    """A line on stderr, if that takes one: what a run does is not to depend on it."""
    try:
        click.echo(text, err=True)
    except BrokenPipeError:
        raise
    except OSError:
        _abandon(sys.stderr)


@contextlib.contextmanager
def written() -> Iterator[None]:
    """Around what writes to stdout. Raises HaplaneError where that fails, BrokenPipeError where nobody reads it."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        _abandon(sys.stdout)
        raise HaplaneError(
            f"the output cannot be written: {error.strerror}", next_step="make room there, or write it elsewhere"
        ) from None


def _abandon(stream: TextIO) -> None:
    """Have what is left in its buffer go nowhere: Python would fail to write it once more when it ends."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
