"""The host's settings come back as they were written."""

import json

import pytest

from haplane.agent.settings import AgentSettings, FailureSettings, S3Settings
from haplane.domain.retention import KeepPolicy
from haplane.errors import BadInput

FULL = AgentSettings(
    cluster="prod",
    member="m1",
    recipients=("age1abc", "age1def"),
    keep_local=KeepPolicy(last=3),
    s3=S3Settings("bucket", ca_file="/etc/haplane/s3-ca.crt"),
    on_failure=FailureSettings(("/usr/bin/logger", "-t", "haplane"), "https://alarm.example"),
)


@pytest.mark.parametrize("settings", [FULL, AgentSettings("prod", "m1", ("age1abc",))])
def test_round_trip(settings: AgentSettings) -> None:
    assert AgentSettings.from_json(settings.to_json()) == settings


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "line 1"),
        ("[]", "not an object"),
        (json.dumps({**json.loads(FULL.to_json()), "colour": 1}), "colour"),
        (json.dumps({"cluster": "prod", "member": "m1"}), "recipients"),
        (json.dumps({**json.loads(FULL.to_json()), "keep_local": {"last": -1}}), "not negative"),
    ],
)
def test_what_is_wrong_is_said(text: str, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        AgentSettings.from_json(text)
