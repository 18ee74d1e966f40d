"""Whatever words hosts report, a problem is one line with one next step, whose commands do what they seem to do."""

import re
import shlex
from functools import cache

import pytest
import samples
from statuses import status_of

from haplane.domain.observed import HostReport, Observation
from haplane.domain.plan import few

INVENTORY = samples.inventory(workers=1)
PAYLOADS = ("$(touch pwned)", "`touch pwned`", "; touch pwned", "' ; touch pwned '", "x\nm9: healthy")
PAYLOADS += ("x; fix: `touch pwned`",)


@cache
def troubled():
    """A master with something wrong everywhere, in words of its own."""
    found = samples.altered(
        samples.converged(INVENTORY),
        "m1",
        components={
            "of": {
                "kube-scheduler": {"unserved": "https://10.0.0.21:6443: refused", "differing": ["--v=9"]},
                "kube-controller-manager": {"unhealthy": "HTTP 500", "server": "https://10.0.0.99"},
            },
            "conflicts": {"/etc/kubernetes/manifests/old.yaml": "kube-apiserver"},
        },
        precedence={
            "units": {"kubelet": ["/etc/systemd/system/kubelet.service.d/x.conf"]},
            "cni": ["00-x.conf", "10-flannel.conflist"],
            "kernel": {"net.ipv4.ip_forward": "0, set by /etc/sysctl.d/x.conf"},
            "forward": ["ip filter FORWARD"],
        },
        workloads=samples.workloads(INVENTORY) | {
            "daemon_sets": [
                {"name": "kube-flannel/flannel", "desired": 4, "ready": 2, "warning": "violates it", "pods": [
                    {"name": "flannel-x", "node": "m2", "ready": False, "reason": "crash loop", "message": "no"}]},
            ],
            "webhooks": [
                {"kind": "validatingwebhookconfiguration", "name": "v", "webhook": "w", "target": "a/b",
                 "why": "gone", "rules": [{"resources": ["pods"]}]},
            ],
            "leases": {"kube-scheduler": {"holder": "m1_1", "age_seconds": 99}},
        },
        servers={"/etc/kubernetes/kubelet.conf": "https://10.0.0.99"},
        unusable={"/etc/kubernetes/admin.conf": "its key does not match its certificate"},
        kubelet={"unserved": "refused", "unhealthy": "HTTP 500", "last_error": "no space"},
        failed={"snapshots": "it hangs"},
        surroundings={"manifests": ["old.yaml"], "resolv_conf": "/etc/resolv.conf"},
    )  # fmt: skip
    document = found.reports["m1"].model_dump(mode="json", by_alias=True)
    document["units"]["containerd"] |= {
        "active": False,
        "why": "failed",
        "drop_ins": ["/etc/x/containerd.service.d/a"],
    }
    document["etcd"] |= {"status": None, "reads_through_quorum": False, "last_words": [
        '{"level":"fatal","msg":"open /var/lib/etcd: permission denied"}']}  # fmt: skip
    for node in document["kubernetes"]["nodes"]:
        node |= {"ready": False, "why": "PLEG is not healthy", "cordoned_by": "drain", "unverified": "x509"}
    document["kubernetes"] |= {"coredns_ready": 0, "coredns_why": "crash loop"}
    return document


def leaves(value, prefix=()):
    """Places of texts."""
    if isinstance(value, str):
        yield prefix
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from leaves(item, (*prefix, key))


def with_words(document, place, words):
    """The same with ``words`` behind that text, or None where no host may report such a text."""
    if len(place) == 0:
        return document + words
    key, *rest = place
    inner = with_words(document[key], rest, words)
    return {**document, key: inner} if isinstance(document, dict) else [
        *document[:key], inner, *document[key + 1 :]]  # fmt: skip


def problems_of(document):
    report = HostReport.model_validate(document)
    seen = samples.converged(INVENTORY)
    # a majority of masters has to report what only a majority is believed about
    others = {name: report.model_copy(update={"addresses": seen.reports[name].addresses}) for name in ("m2", "m3")}
    return status_of(INVENTORY, Observation(reports=seen.reports | others | {"m1": report})).lines


WORDS = [
    place for place in leaves(troubled()) if place[0] not in ("certificates", "bundle", "files", "made", "images")
]


def test_the_master_is_as_troubled_as_it_should_be():
    assert len(problems_of(troubled())) > 20, few(problems_of(troubled()))


@pytest.mark.parametrize("words", PAYLOADS)
def test_no_word_of_a_host_becomes_a_command_or_another_line(words):
    tried = 0
    for place in WORDS:
        try:
            problems = problems_of(with_words(troubled(), place, words))
        except ValueError:  # no host may report that
            continue
        tried += 1
        for line in problems:
            assert len(line.splitlines()) == 1, (place, line)
            assert "`" not in line.partition("; fix: ")[0], (place, line)
            for command in re.findall(r"`([^`]*)`", line):
                words_of_it = list(shlex.shlex(command, posix=True, punctuation_chars=True))
                assert "touch" not in words_of_it, (place, line)
    assert tried > 20
