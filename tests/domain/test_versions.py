import pytest
from hypothesis import given
from hypothesis import strategies as st

from haplane.domain import versions
from haplane.domain.versions import SUPPORTED_VERSIONS, Version, parse

numbers = st.integers(0, 999)


@given(numbers, numbers, numbers)
def test_what_is_written_is_read_back(major: int, minor: int, patch: int) -> None:
    version = Version(major, minor, patch)
    assert parse(str(version)) == parse(f"v{version}") == version


@pytest.mark.parametrize("text", ["", "1.35", "1.35.4-rc.1", "1.35.4\n", "01.2.3", "1.٣.4", "vv1.2.3", "1.2.3.4"])
def test_what_is_no_version(text: str) -> None:
    with pytest.raises(ValueError, match="is not a version"):
        parse(text)


def test_order_and_support() -> None:
    assert parse("1.9.10") < parse("1.10.0") < parse("1.10.1")
    assert all(str(parse(version)) == version and versions.is_supported(version) for version in SUPPORTED_VERSIONS)
    assert not versions.is_supported("v1.35.4")


@pytest.mark.parametrize(
    ("kubelet", "apiservers", "words"),
    [
        ("1.35.4", ["1.35.4"], None),
        ("1.35.9", ["1.35.4"], None),
        ("1.32.0", ["1.35.4"], None),
        ("1.31.9", ["1.35.4"], "more than 3 minor versions older"),
        ("1.36.0", ["1.35.4"], "newer than API server 1.35.4"),
        ("1.35.0", ["1.34.0", "1.35.0"], "newer than API server 1.34.0"),
        ("1.35.0", [], None),
    ],
)
def test_kubelets_beside_apiservers(kubelet: str, apiservers: list[str], words: str | None) -> None:
    problem = versions.kubelet_problem(parse(kubelet), map(parse, apiservers))
    assert problem is None if words is None else words in (problem or "")


@pytest.mark.parametrize(
    ("apiservers", "allowed"),
    [([], True), (["1.35.4"], True), (["1.34.9", "1.35.0"], True), (["1.33.0", "1.34.0", "1.35.0"], False)],
)
def test_apiservers_beside_each_other(apiservers: list[str], allowed: bool) -> None:
    assert (versions.apiserver_problem(map(parse, apiservers)) is None) == allowed


@pytest.mark.parametrize(
    ("current", "wanted", "allowed"),
    [
        ("1.35.3", "1.35.4", True),
        ("1.34.9", "1.35.0", True),
        ("1.33.0", "1.35.0", False),
        ("1.35.4", "1.35.3", False),
    ],
)
def test_upgrades(current: str, wanted: str, allowed: bool) -> None:
    assert (versions.upgrade_problem(parse(current), parse(wanted)) is None) == allowed
