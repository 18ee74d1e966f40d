"""What `status` makes of an observation, for tests."""

import samples

from haplane.domain.status import Certificates, summarise
from haplane.observation.health import roster


def status_of(inventory, observation, window=None):
    """The whole status, with an endpoint that answers and no certificate; ``window`` is when hosts were asked."""
    return summarise(
        roster(inventory),
        observation,
        endpoint_answers=True,
        certificates=Certificates(None, None),
        now=samples.NOW,
        window=window,
    )
