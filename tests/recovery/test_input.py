"""What is named for a restore is checked before a host is contacted."""

from pathlib import Path

import pytest
import samples

from haplane.domain.progress import silent
from haplane.errors import BadInput
from haplane.recovery.input import refuse_wrong_request, refuse_wrong_snapshot
from haplane.recovery.request import RestoreRequest
from haplane.workflows.verify_snapshot import verify_snapshot

INVENTORY = samples.inventory(workers=1)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"file": Path("/nowhere")}, "there is no such file"),
        ({"pki": Path("/nowhere")}, "there is no such directory"),
        ({"identity": Path("/nowhere")}, "the identity cannot be read"),
        ({"without": ("nosuch",)}, "nosuch: not a master"),
        ({"without": ("w1",)}, "w1: not a master"),
        ({"snapshot": "nosuch"}, "'nosuch' is not the id of a snapshot"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_next_step(asked, words):
    with pytest.raises(BadInput, match=words) as refused:
        refuse_wrong_request(INVENTORY, RestoreRequest(**asked))
    assert refused.value.next_step


def test_what_may_be_meant_is_not():
    refuse_wrong_request(INVENTORY, RestoreRequest(file=Path("/"), without=("m1",)))
    refuse_wrong_snapshot("20261122T184500Z-m2-r12345", Path("/dev/null"))


def test_verify_contacts_no_host_for_it():
    with pytest.raises(BadInput, match="is not the id of a snapshot"):
        verify_snapshot(INVENTORY, "nosuch", None, silent, executor=None)
