import pytest
from pydantic import ValidationError

from haplane.domain.reported import Observed
from haplane.domain.validation import first_error


class Part(Observed):
    size: int


class Whole(Observed):
    parts: tuple[Part, ...]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"parts": [{"size": "s3cret"}]}', "parts.0.size: Input should be a valid integer"),
        ("s3cret", "Invalid JSON"),
    ],
)
def test_the_first_error_names_its_field_and_repeats_nothing_of_the_input(text, expected):
    with pytest.raises(ValidationError) as caught:
        Whole.model_validate_json(text)
    found = first_error(caught.value)
    assert found.startswith(expected)
    assert "s3cret" not in found
