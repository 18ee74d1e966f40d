import pytest

from haplane.domain.durations import in_words

DAY = 86400


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0 s"), (0, "0 s"), (45.4, "45 s"),
        (60, "1 min"), (90, "1 min"), (3600, "1 h"), (3600 + 720, "1 h 12 min"),
        (DAY, "1 day"), (DAY + 3 * 3600, "1 day 3 h"), (2 * DAY + 59, "2 days"), (400 * DAY + 5000, "400 days"),
    ],
)  # fmt: skip
def test_in_words(seconds, words):
    assert in_words(seconds) == words
