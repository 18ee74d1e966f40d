import re

import pytest

from haplane.domain import problem
from haplane.domain.status import problems

NEXT_STEP = re.compile(r"; fix: .*`[^`]+`")


@pytest.fixture(scope="session", autouse=True)
def every_problem_names_a_command():
    """Of all that the tests here make status report."""

    def checked(line, inventory):
        assert NEXT_STEP.search(str(line)), f"no next step, or none that names a command: {line}"
        return problem.named(line, inventory)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(problems, "named", checked)
        yield
