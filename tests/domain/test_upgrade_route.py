"""Every route goes through each minor version, in order, and begins where the oldest program is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haplane.domain.upgrade_route import hops, problem_of
from haplane.domain.versions import Running, Version, parse

versions = st.builds(Version, st.just(1), st.integers(33, 38), st.integers(0, 5))


@given(st.lists(versions, min_size=1), versions, st.sets(versions), st.sets(versions))
def test_no_minor_version_is_skipped_and_no_step_goes_back(running, wanted, available, known):
    route, missing = hops(running, wanted, available, known)
    assert route[-1] == wanted
    if wanted <= min(running):
        assert (route, missing) == ((wanted,), ())
        return
    there = [version.minor for version in route] + [one.version.minor for one in missing]
    assert sorted(set(there)) == list(range(min(min(running).minor + 1, wanted.minor), wanted.minor + 1))
    assert list(route) == sorted(route)
    assert set(route[:-1]) <= available
    for version in route[:-1]:
        assert all(one <= version for one in running if one.minor == version.minor), "what runs is not taken back"


def test_the_newest_patch_release_that_there_is_a_bundle_of():
    built = [parse(one) for one in ("1.36.1", "1.36.3", "1.37.2")]
    assert hops([parse("1.35.4")], parse("1.37.2"), built, []) == ((parse("1.36.3"), parse("1.37.2")), ())
    _, missing = hops([parse("1.35.4"), parse("1.36.4")], parse("1.37.2"), built, [parse("1.36.4")])
    assert [(str(one.version), one.minor) for one in missing] == [("1.36.4", "1.36")]


def running(apiservers, kubelets):
    return [
        *(Running(f"m{number}", "kube-apiserver", version) for number, version in enumerate(apiservers, 1)),
        *(Running(f"m{number}", "kubelet", version) for number, version in enumerate(kubelets, 1)),
    ]


@pytest.mark.parametrize(
    ("apiservers", "kubelets", "wanted", "problem"),
    [
        (["1.35.4"] * 3, ["1.35.4"] * 3, "1.36.3", None),
        (["1.36.3", "1.35.4", "1.35.4"], ["1.35.4"] * 3, "1.36.3", None),
        (["1.36.3", "1.35.4", "1.35.4"], ["1.35.4"] * 3, "1.35.4", None),
        (["1.36.3"] * 3, ["1.35.4"] * 3, "1.35.4", "no API server runs as 1.35.4 any more"),
        (["1.36.3"] * 3, ["1.36.3"] * 3, "1.35.4", "m1 kube-apiserver 1.36.3 is newer"),
        (["1.37.2"] * 3, ["1.33.1", "1.37.2", "1.37.2"], "1.37.2", "m1 kubelet 1.33.1 is more than 3 minor versions"),
        (["1.36.3"], ["odd"], "1.37.2", "m1 kubelet odd is not a released version"),
    ],
)
def test_what_may_become_what(apiservers, kubelets, wanted, problem):
    found = problem_of(running(apiservers, kubelets), wanted)
    assert (found is None) if problem is None else (problem in found)
