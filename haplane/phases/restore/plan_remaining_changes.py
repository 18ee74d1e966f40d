"""What is left to do once the restored data is served."""

from __future__ import annotations

from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.observation.observe import observe
from haplane.observation.preconditions import wait_for_starting_api_servers
from haplane.observation.restore import decide_restore, up_to


def look_again(context: Context) -> None:
    """What is left to do is `up`'s: masters without a control plane, add-ons, marks."""
    observe(context)
    wait_for_starting_api_servers(context)
    decide_restore(context)


PLAN_REMAINING_CHANGES = Phase("Plan remaining changes", (), look_again, when=up_to("serving"))
