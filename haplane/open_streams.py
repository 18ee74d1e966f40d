"""Standard streams that were closed before the program began, opened on /dev/null. To be imported before all else:
the first file that is opened otherwise takes the place of standard output.
"""

from __future__ import annotations

import os
import sys

STANDARD = (0, 1, 2)


def open_missing() -> None:
    """Open every standard stream that is not."""
    for number in STANDARD:
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one
    sys.stdin = sys.stdin or os.fdopen(0)
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")
