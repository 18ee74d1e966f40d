"""Lengths of time as people say them. Pure."""

from __future__ import annotations

UNITS = ((86400, "day", "days"), (3600, "h", "h"), (60, "min", "min"))


def in_words(seconds: float) -> str:
    """The largest unit that fits and the next one: ``400 days``, ``2 days 3 h``, ``3 h 12 min``, ``45 s``."""
    whole = max(0, round(seconds))
    for place, (length, one, many) in enumerate(UNITS):
        if whole < length:
            continue
        count, rest = divmod(whole, length)
        words = f"{count} {one if count == 1 else many}"
        smaller = UNITS[place + 1] if place + 1 < len(UNITS) else None
        if smaller is None or count >= 10 or not rest // smaller[0]:
            return words
        return f"{words} {rest // smaller[0]} {smaller[1] if rest // smaller[0] == 1 else smaller[2]}"
    return f"{whole} s"
