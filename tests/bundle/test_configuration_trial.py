"""Settings that a kubelet does not know were found midway, on hosts: its own program is asked first."""

import json
import platform
from pathlib import Path
from types import SimpleNamespace

import pytest
import samples

from haplane.bundle import configuration_trial
from haplane.bundle.configuration_trial import WRONG_ALWAYS, Refusal, Trial, refusals_of
from haplane.bundle.flags import wrong_flags
from haplane.bundle.manifest import default_directory, load_manifest
from haplane.bundle.program_help import Printed
from haplane.desired.files import kube_proxy_configuration, kubeadm_configuration, kubelet_configuration
from haplane.domain.platform import architecture
from haplane.supported import DEFAULT_VERSION

ALWAYS = (
    "invalid configuration: eventBurst (--event-burst) -1 must not be a negative number, "
    "invalid configuration: eventRecordQPS (--event-qps) -1 must not be a negative number"
)
FAILED = 'E1201 run.go:72] "command failed" err="'
KUBELET = FAILED + 'failed to validate kubelet configuration, error: [{}], path: &TypeMeta{{}}"'
CGROUPS = "kubelet is configured to not run on a host using cgroup v1. cgroup v1 support is unsupported"
PODS = "invalid configuration: maxPods (--max-pods) -3 must not be a negative number"
GVK = (
    'error: error unmarshaling configuration schema.GroupVersionKind{Group:"g", Version:"v", '
    'Kind:"KubeletConfiguration"}: '
)
DOCUMENT = "KubeletConfiguration"
PANIC = "panic: failed to merge global and in-flight X while setting defaults, error: unrecognized gate: M\n\ng"


@pytest.fixture
def saying(monkeypatch, tmp_path):
    """Has every program say this; the words that programs were started with."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(configuration_trial, "file_of", lambda *_: SimpleNamespace(sha256="0" * 64))
    monkeypatch.setattr(configuration_trial, "unpack_by_name", lambda *given: Path(given[2]))
    started = []

    def says(code, text):
        def run(_, program, *words):
            started.append((str(program), *words))
            return Printed(code, text)

        monkeypatch.setattr(configuration_trial, "run_alone", run)
        return started

    return says


MANIFEST = SimpleNamespace(architecture=architecture(platform.machine()))


@pytest.mark.parametrize(
    ("program", "code", "text", "document", "why"),
    [
        ("kubeadm", 0, "ok\n", None, None),
        ("kubeadm", 1, GVK + 'strict decoding error: unknown field "x"\nTo see', DOCUMENT, 'unknown field "x"'),
        (
            *("kubeadm", 1),
            GVK + "json: cannot unmarshal string into Go struct field KubeletConfiguration.maxPods of type int32",
            *(DOCUMENT, "maxPods is a string, and has to be int32"),
        ),
        ("kubeadm", 1, "error: apiServer.certSANs: Invalid value: x\n", "", "apiServer.certSANs: Invalid value: x"),
        ("kubelet", 1, KUBELET.format(f"{ALWAYS}, {CGROUPS}"), None, None),
        ("kubelet", 1, KUBELET.format(ALWAYS), None, None),
        ("kubelet", 1, KUBELET.format(f"{PODS}, {ALWAYS}, {CGROUPS}"), "", PODS.partition(": ")[2]),
        ("kubelet", 1, KUBELET.format(f"{ALWAYS}, {PODS}"), "", PODS.partition(": ")[2]),
        ("kubelet", 2, PANIC, "", "unrecognized gate: M"),
        ("kubelet", 1, FAILED + 'failed to parse kubelet flag: unknown flag: --event-qps"', None, None),
        ("kube-proxy", 0, "", None, None),
        ("kube-proxy", 1, FAILED + 'failed validate: X.Min: Invalid: \\"a\\""', "", 'X.Min: Invalid: "a"'),
        ("kube-proxy", 1, "it broke", "", "it broke"),
    ],
)  # fmt: skip
def test_what_programs_say_of_a_configuration(saying, program, code, text, document, why):  # noqa: PLR0917
    started = saying(code, text)
    expected = [] if why is None else [Refusal(program, document, why)]
    assert refusals_of(Path(), MANIFEST, [Trial(program, "{}")]) == expected
    assert refusals_of(Path(), MANIFEST, [Trial(program, "{}")]) == expected
    assert len(started) == (1 if why is None else 2)  # what was accepted is not asked again
    saying(1, "error: it changed")
    assert refusals_of(Path(), MANIFEST, [Trial("kubeadm", '{"another": 1}')]) == [
        Refusal("kubeadm", "", "it changed")
    ]


def test_another_architectures_programs_are_not_run():
    assert refusals_of(Path(), SimpleNamespace(architecture="s390x"), [Trial("kubelet", "{}")]) == []


def refused(tuning):
    inventory = samples.inventory(kubernetes_version=DEFAULT_VERSION, tuning=tuning)
    bundle = default_directory(DEFAULT_VERSION)
    trials = [
        Trial("kubeadm", kubeadm_configuration(inventory, inventory.masters[0])),
        Trial("kubelet", json.dumps(kubelet_configuration(inventory))),
        Trial("kube-proxy", json.dumps(kube_proxy_configuration(inventory))),
    ]
    return {(one.program, one.why) for one in refusals_of(bundle, load_manifest(bundle), trials)}


@pytest.mark.bundle
def test_the_real_programs_take_what_haplane_writes_and_name_what_is_wrong(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(Path.home()))
    bundle = default_directory(DEFAULT_VERSION)
    monkeypatch.setattr("haplane.bundle.configuration_trial.cache_directory", lambda: tmp_path)
    assert bundle.exists()
    assert refused({}) == set()
    assert refused({"kubelet": {"maxpod": 1}}) == {("kubeadm", 'unknown field "maxpod"')}
    why = "maxPods (--max-pods) -3 must not be a negative number"
    found = refused({"kubelet": {"maxPods": -3}, "kube_proxy": {"conntrack": {"min": -1}}})
    assert ("kubelet", why) in found
    assert any(program == "kube-proxy" and "Min" in text for program, text in found)
    assert {("kubelet", "unrecognized feature gate: MadeUp")} == refused(
        {"kubelet": {"featureGates": {"MadeUp": True}}}
    )


@pytest.mark.bundle
def test_flags_are_read_by_the_component_itself():
    bundle = default_directory(DEFAULT_VERSION)
    manifest = load_manifest(bundle)
    assert wrong_flags(bundle, manifest, "kube-scheduler", {"v": 2, "kube-api-qps": 5.5}) == ()
    found = wrong_flags(bundle, manifest, "kube-apiserver", {"v": 2, "max-requests-inflight": "many", "event-tt": 1})
    assert [(one.name, one.nearest) for one in found] == [("event-tt", "event-ttl"), ("max-requests-inflight", None)]
    assert found[1].why.startswith('invalid argument "many" for "--max-requests-inflight"')


def test_a_kubelet_is_only_ever_started_with_what_it_refuses(saying):
    started = saying(1, KUBELET.format(ALWAYS))
    refusals_of(Path(), MANIFEST, [Trial("kubelet", "{}")])
    assert set(WRONG_ALWAYS) <= set(started[0])
