import pyrage
import pytest

from haplane.config.in_clear import sent_in_clear
from haplane.config.snapshots import Snapshots

RECIPIENT = str(pyrage.x25519.Identity.generate().to_public())


def snapshots(**changes):
    return Snapshots.model_validate({"recipients": [RECIPIENT], **changes})


@pytest.mark.parametrize("value", [None, snapshots(), snapshots(s3={"bucket": "abc"})])
def test_nothing_to_say(value):
    assert sent_in_clear(value) == ()


@pytest.mark.parametrize(("scheme", "warnings"), [("http", 2), ("https", 0)])
def test_each_setting_that_is_sent_in_clear_is_named(scheme, warnings):
    found = sent_in_clear(
        snapshots(
            s3={"bucket": "abc", "endpoint_url": f"{scheme}://s3.test:9000"},
            on_failure={"webhook": f"{scheme}://hook.test/x"},
        )
    )
    assert len(found) == warnings
    assert all("http://" in sentence and "Use https" in sentence for sentence in found)


def test_a_webhook_s_token_is_not_shown():
    [found] = sent_in_clear(snapshots(on_failure={"webhook": "http://hook.test:8080/services/T0KEN"}))
    assert "is http://hook.test:8080: anyone" in found
    assert "T0KEN" not in found
