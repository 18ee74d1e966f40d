"""A host's answer as a report. What is odd in one part of it hides no other part, and is never taken for good. Pure.

Much of a report is in the words of others: of users of the cluster, of packet filters, of files that somebody put
there. What decides about the host itself is read whole or not at all.
"""

from __future__ import annotations

import json

from pydantic import ValidationError

from haplane.domain.observed import HostReport
from haplane.domain.validation import described, first_error
from haplane.errors import HaplaneError

OR_NONE = frozenset({"images", "kubernetes", "snapshots"})
OF_ITS_PROBES = frozenset({"failed", "lacks"})
MAY_BE_UNKNOWN = (OR_NONE | {name for name, field in HostReport.model_fields.items() if not field.is_required()}) - (
    OF_ITS_PROBES
)
"""Parts that a host reports as ``failed`` where it could not look."""


def parse_report(host: str, text: str) -> HostReport:
    """A host's JSON answer. A part that cannot be read counts as one that ``failed``, and is empty.

    Raises HaplaneError when the answer is not of the agreed shape otherwise.
    """
    try:
        return HostReport.model_validate_json(text)
    except ValidationError as error:
        found = _without_odd_parts(text)
        if found is not None:
            return found
        raise HaplaneError(
            f"{host} returned a report that cannot be read",
            where=f"{host}: observation",
            why=first_error(error),
            next_step="check what `python3` and the login shell print on that host, then run again",
        ) from None


def _without_odd_parts(text: str) -> HostReport | None:
    """None where something else is odd as well.

    Names of files that are not UTF-8 come as halves of characters, which only Python's parser takes.
    """
    try:
        document = json.loads(json.dumps(json.loads(text), ensure_ascii=False).encode(errors="replace"))
        return HostReport.model_validate_json(json.dumps(document))
    except ValidationError as error:
        whys = {str(one["loc"][0]): described(one) for one in reversed(error.errors()) if one["loc"]}
    except (ValueError, RecursionError):
        return None
    if not whys or not whys.keys() <= MAY_BE_UNKNOWN:
        return None
    sound = {part: value for part, value in document.items() if part not in whys}
    report = HostReport.model_validate_json(json.dumps(sound | dict.fromkeys(OR_NONE & whys.keys())))
    failed = {part: f"what it reports cannot be read: {why}" for part, why in whys.items()}
    return report.model_copy(update={"failed": {**report.failed, **failed}})
