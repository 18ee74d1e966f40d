"""Refusals of several looks in one report."""

import pytest

from haplane.context.phase import Look
from haplane.errors import BadInput, HaplaneError, Problems, Refused, UnfitHosts, Unreachable
from haplane.observation.at_once import at_once

LATE, UNFIT = Refused("late"), UnfitHosts("unfit", [HaplaneError("m1"), HaplaneError("m2")])
WRONG = Problems("wrong", [HaplaneError("a"), HaplaneError("b")])


@pytest.mark.parametrize(
    ("errors", "kind", "whats"),
    [
        ([LATE, UNFIT], UnfitHosts, ["late", "m1", "m2"]),
        ([WRONG, BadInput("c")], Problems, ["a", "b", "c"]),
        ([WRONG, Unreachable("m1")], UnfitHosts, ["a", "b", "m1"]),
    ],
)
def test_what_several_looks_refuse_is_one_error(errors, kind, whats):
    looked = []

    def refusing(error):
        def look(context):
            looked.append(context)
            raise error

        return Look("look", look)

    with pytest.raises(kind, match="all of it") as found:
        at_once("all", "all of it", *map(refusing, errors), Look("last", looked.append)).carry_out("context")
    assert [one.what for one in found.value.problems] == whats
    assert looked == ["context"] * (len(errors) + 1), "none is left out for what an earlier one refuses"
    with pytest.raises(type(errors[0])) as alone:
        at_once("all", "all of it", refusing(errors[0])).carry_out("context")
    assert alone.value is errors[0]
