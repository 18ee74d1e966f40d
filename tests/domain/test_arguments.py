"""Flags of the control plane's components: ours, and an inventory's in their place."""

from hypothesis import given
from hypothesis import strategies as st

from haplane.domain.arguments import (
    APISERVER,
    OWNED,
    Setting,
    apiserver_arguments,
    flags_in,
    merged,
    refused_flags,
)

SETTING = Setting(300, 50, "A,B", "/etc/kubernetes/pki/ca.crt")
NAMES = st.sampled_from(["profiling", "goaway-chance", "v", "feature-gates"])
VALUES = st.one_of(st.booleans(), st.integers(0, 9), st.text("ab", max_size=3), st.lists(st.text("ab"), max_size=3))


@given(st.dictionaries(NAMES, VALUES))
def test_every_flag_of_ours_that_is_not_replaced_stays_and_every_other_is_as_given(flags):
    own = apiserver_arguments(SETTING, {})
    found = apiserver_arguments(SETTING, flags)
    assert [one for one in own if one[0] not in flags] == [one for one in found if one[0] not in flags]
    for name, value in flags.items():
        count = len(value) if isinstance(value, list) else 1
        assert len([1 for other, _ in found if other == name]) == count


def test_admission_plugins_are_added_to_ours():
    found = dict(
        apiserver_arguments(SETTING, {"enable-admission-plugins": "PodTolerationRestriction,NodeRestriction"})
    )
    assert found["enable-admission-plugins"] == "NodeRestriction,DenyServiceExternalIPs,PodTolerationRestriction"


def test_oidc_is_not_for_the_command_line():
    assert "oidc-issuer-url" not in dict(apiserver_arguments(SETTING, {"oidc-issuer-url": "https://x"}))


def test_a_boolean_is_written_as_go_reads_it():
    assert merged([], {"profiling": True}) == [("profiling", "true")]


def test_every_flag_that_the_cluster_rests_on_is_refused_with_a_reason():
    assert {name for name, why in refused_flags(APISERVER, dict.fromkeys(OWNED[APISERVER], "x")) if why} == set(
        OWNED[APISERVER]
    )
    assert not list(refused_flags(APISERVER, {"v": 2}))


def test_the_flags_in_a_help_text():
    text = "Generic flags:\n\n      --advertise-address ip   The IP --not-a-flag on\n  -h, --help   help\n"
    assert flags_in(text) == {"advertise-address", "help"}
