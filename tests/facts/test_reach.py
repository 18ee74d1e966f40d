"""What a host answers of its connections."""

import json

import pytest
from pyinfra.api.exceptions import FactProcessError

from haplane.facts.reach import ReachFact

ANSWER = {"window": [1.0, 2.0], "listened": [["tcp", 2380]], "failed": [["tcp", "192.0.2.1", 2380, "no answer"]]}


def test_an_answer_is_read_from_the_last_line():
    found = ReachFact().process(["a login banner", json.dumps(ANSWER)])
    assert found.listened == (("tcp", 2380),)
    assert found.failed == ((("tcp", "192.0.2.1", 2380), "no answer"),)


@pytest.mark.parametrize("said", ["no answer", "[]", "[" * 100_000, json.dumps(ANSWER | {"failed": [[1]]})])
def test_an_answer_that_cannot_be_read_is_pyinfras_own_error(said):
    """Any other exception ended the run for every host: one that was nested too deep did."""
    with pytest.raises(FactProcessError):
        ReachFact().process([said])
