"""Every route goes through each minor version, in order, and begins where the oldest program is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haplane.domain.upgrade_route import hops, problem_of
from haplane.domain.versions import Running, Version, parse

versions = st.builds(Version, st.just(1), st.integers(33, 38), st.integers(0, 5))


def running(apiservers, kubelets):
    return [
        *(Running(f"m{number}", "kube-apiserver", str(version)) for number, version in enumerate(apiservers, 1)),
        *(Running(f"m{number}", "kubelet", str(version)) for number, version in enumerate(kubelets, 1)),
    ]


@given(st.lists(versions, min_size=1), st.lists(versions), versions, st.sets(versions), st.sets(versions))
def test_no_minor_version_is_skipped_and_no_api_server_goes_back(apiservers, kubelets, wanted, available, known):
    every = running(apiservers, kubelets)
    if problem_of(every, str(wanted)) is not None:
        return
    route, missing = hops(every, wanted, available, known)
    assert route[-1] == wanted
    if wanted <= min(apiservers + kubelets):
        assert (route, missing) == ((wanted,), ())
        return
    there = {*(version.minor for version in route), *(one.version.minor for one in missing)}
    assert there == set(range(min(there), wanted.minor + 1))
    assert min(there) in {max(apiservers).minor, min(apiservers).minor + 1} or wanted < max(apiservers)
    assert list(route) == sorted(route)
    assert set(route[:-1]) <= available
    for version in route[:-1]:
        assert all(one <= version for one in apiservers), "what runs is not taken back"


def test_the_newest_patch_release_that_there_is_a_bundle_of():
    built = [parse(one) for one in ("1.36.1", "1.36.3", "1.37.2")]
    found = hops(running(["1.35.4"], []), parse("1.37.2"), built, [])
    assert found == ((parse("1.36.3"), parse("1.37.2")), ())
    _, missing = hops(running(["1.35.4", "1.36.4"], []), parse("1.37.2"), built, [parse("1.36.4")])
    assert [(str(one.version), one.minor) for one in missing] == [("1.36.4", "1.36")]


@pytest.mark.parametrize(
    ("apiservers", "kubelets", "route"),
    [
        (["1.37.2"] * 3, ["1.37.2", "1.35.4"], ["1.37.2"]),
        (["1.36.3"] * 3, ["1.36.3", "1.34.1"], ["1.36.4", "1.37.2"]),
        (["1.36.4", "1.35.4"], ["1.33.0"], ["1.36.4", "1.37.2"]),
    ],
)
def test_kubelets_that_were_left_behind_take_no_api_server_back(apiservers, kubelets, route):
    """A worker that was away for two upgrades (`--without`) had every API server go back for its sake."""
    built = [parse(one) for one in ("1.35.8", "1.36.4", "1.37.2")]
    found, missing = hops(running(apiservers, kubelets), parse("1.37.2"), built, [])
    assert ([str(one) for one in found], missing) == (route, ())


@given(st.lists(versions, min_size=1, max_size=3), st.lists(versions, max_size=4), versions)
def test_back_by_patch_releases_always_and_by_a_minor_version_only_beside_an_api_server_of_it(
    apiservers, kubelets, wanted
):
    every = running(apiservers, kubelets)
    back = any(version[:2] > wanted[:2] for version in apiservers + kubelets)
    problem = problem_of(every, str(wanted))
    if back and all(version[:2] != wanted[:2] for version in apiservers):
        assert "newer minor version" in problem
    else:
        assert "newer" not in (problem or "")
    same = [Running("m1", "kube-apiserver", f"1.36.{patch}") for patch in range(5)]
    assert problem_of(same, "1.36.2") is None
    assert hops(same, Version(1, 36, 2), [], []) == ((Version(1, 36, 2),), ())


@pytest.mark.parametrize(
    ("apiservers", "kubelets", "wanted", "problem"),
    [
        (["1.35.4"] * 3, ["1.35.4"] * 3, "1.36.3", None),
        (["1.36.3", "1.35.4", "1.35.4"], ["1.35.4"] * 3, "1.36.3", None),
        (["1.36.3", "1.35.4", "1.35.4"], ["1.35.4"] * 3, "1.35.4", None),
        (["1.36.3"] * 3, ["1.35.4"] * 3, "1.35.4", "no API server runs as 1.35 any more"),
        (["1.36.3"] * 3, ["1.36.3"] * 3, "1.35.4", "m1 kube-apiserver 1.36.3 is of a newer minor version"),
        (["1.36.4"] * 3, ["1.36.4"] * 3, "1.36.3", None),
        (["1.36.3", "1.36.4"], ["1.36.4"] * 2, "1.36.3", None),
        (["1.36.3", "1.35.4"], ["1.35.4"] * 2, "1.35.3", None),
        (["1.37.2"] * 3, ["1.33.1", "1.37.2", "1.37.2"], "1.37.2", "m1 kubelet 1.33.1 is more than 3 minor versions"),
        (["1.37.2", "1.35.4"], ["1.35.4"] * 2, "1.37.2", "API servers run as 1.35.4 and as 1.37.2"),
        (["1.36.3"], ["odd"], "1.37.2", "m1 kubelet odd is not a released version"),
    ],
)
def test_what_may_become_what(apiservers, kubelets, wanted, problem):
    found = problem_of(running(apiservers, kubelets), wanted)
    assert (found is None) if problem is None else (problem in found)
