"""What `snapshot prune` asks before it removes."""

import pytest

from haplane.cli import snapshot
from haplane.cli.output import Output
from haplane.errors import Refused
from haplane.workflows.snapshot import Pruning

MOST = Pruning(kept=("a",), removable=("b", "c"), abandoned=())
FEW = Pruning(kept=("a", "b"), removable=("c",), abandoned=())


def agreed(pruning, *, assume_yes=False, remove_most=False):
    return snapshot.agreed(Output(), pruning, "i.py", assume_yes=assume_yes, remove_most=remove_most)


def test_a_script_has_to_name_it_when_more_go_than_stay():
    assert agreed(FEW, assume_yes=True)
    assert agreed(MOST, assume_yes=True, remove_most=True)
    with pytest.raises(Refused, match="more snapshots than it keeps") as refused:
        agreed(MOST, assume_yes=True)
    assert "2 snapshots would be removed and 1 kept" in refused.value.why
    assert "--remove-most" in refused.value.next_step


@pytest.mark.parametrize(("answers", "result"), [([True, True], True), ([True, False], False), ([False], False)])
def test_a_person_is_asked_again_when_more_go_than_stay(monkeypatch, answers, result):
    asked = []

    def answer(_, question):
        asked.append(question)
        return answers[len(asked) - 1]

    monkeypatch.setattr(snapshot, "agree_or_end", answer)
    assert agreed(MOST, remove_most=True) is result
    assert len(asked) == len(answers)
