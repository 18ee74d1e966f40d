"""Reports of one host that lies: any value of the schema, with a taste for names and numbers that mean something."""

from hypothesis import strategies as st

from haplane.domain import host_paths
from haplane.domain.apiserver_report import Apiserver
from haplane.domain.balancer_report import Balancer
from haplane.domain.cluster_health import DaemonSet, Lease, Pod, Webhook, Workloads
from haplane.domain.etcd_report import Etcd
from haplane.domain.observed import File, HostReport, Kubernetes, Node
from haplane.domain.plan import CONTROL_PLANE_LABEL, CONTROL_PLANE_LABELS, MADE_LABEL
from haplane.domain.reported import MOST
from haplane.domain.restoration import Journal, Leftovers
from haplane.domain.snapshot_report import Sealed, SnapshotReport

LABELS = sorted({MADE_LABEL, *CONTROL_PLANE_LABELS})
NAMES = ("m1", "m2", "m3", "m4", "m5", "e1", "e2", "e3", "w1", "lb1", "ghost")
REVISIONS = st.sampled_from([0, 1, 100, 10**15, 1 << 53])
SIZES = st.sampled_from([0, 1, 1 << 20, 1900 << 20, 1 << 50])
IDS = st.integers(0, 8) | st.just((1 << 64) - 1)
CLUSTER = 0xC1
"""What the honest members' cluster is called (samples.py)."""
CLUSTERS = st.sampled_from([0, CLUSTER, CLUSTER + 1, CLUSTER + 2])


def members():
    """A member list of existing members, of some of them, of strangers, at anybody's address."""
    address = st.integers(20, 50).map(lambda number: f"https://10.0.0.{number}:2380")
    member = st.fixed_dictionaries(
        {
            "ID": IDS,
            "name": st.sampled_from(("", *NAMES)),
            "peerURLs": st.lists(address, max_size=2),
            "isLearner": st.booleans(),
        }
    )
    return st.none() | st.lists(member, max_size=5)


def subsets_of(honest):
    """The true list without some of its members: what hurts most."""
    listed = [member.model_dump(by_alias=True) for member in honest]
    return st.lists(st.sampled_from(listed), unique_by=lambda member: member["ID"]) if listed else st.just([])


@st.composite
def forgers(draw, honest):
    """A member that serves, and has seen more than anybody, with a list of its own making."""
    listed = [member.model_dump(by_alias=True) for member in honest]
    told = [member for member in listed if draw(st.booleans())] or listed[:1]
    return Etcd.model_validate(
        {
            "bootstrapped": True,
            "has_data": True,
            "reads_through_quorum": True,
            "members": told,
            "status": {"header": {"member_id": draw(IDS), "revision": 10**15, "cluster_id": draw(CLUSTERS)}},
            "data_cluster_id": draw(st.none() | CLUSTERS),
            "outsiders": {f"{member['ID']:x}": True for member in told},
        }
    )


@st.composite
def etcds(draw, honest=()):
    alarms = IDS.map(lambda number: f"memberID:{number} alarm:CORRUPT ") | st.just("alarm:CORRUPT ")
    status = {
        "header": {"member_id": draw(IDS), "revision": draw(REVISIONS), "cluster_id": draw(CLUSTERS)},
        "leader": draw(IDS),
        "errors": draw(st.lists(alarms, max_size=2)),
        "dbSize": draw(SIZES),
        "dbSizeInUse": draw(SIZES),
    }
    return Etcd.model_validate(
        {
            "bootstrapped": draw(st.booleans()),
            "has_data": draw(st.booleans()),
            "reads_through_quorum": draw(st.booleans()),
            "members": draw(members() | subsets_of(honest)),
            "status": draw(st.none() | st.just(status)),
            "data_cluster_id": draw(st.none() | CLUSTERS),
            "outsiders": draw(st.dictionaries(IDS.map(lambda number: f"{number:x}"), st.booleans(), max_size=3)),
            "last_words": draw(st.sampled_from([(), ("found data inconsistency with peers",)])),
        }
    )


NODES = st.builds(
    Node,
    name=st.sampled_from(NAMES),
    uid=st.just("x"),
    ready=st.booleans(),
    labels=st.lists(st.sampled_from([*LABELS, CONTROL_PLANE_LABEL]), unique=True).map(tuple),
    taints=st.just(()),
    unschedulable=st.booleans(),
    kubelet_version=st.sampled_from(["v1.35.4", "v1.99.0", "[link=https://x]"]),
    address=st.integers(10, 70).map(lambda number: f"10.0.0.{number}"),
)
KUBERNETES = st.none() | st.builds(
    Kubernetes,
    uid=st.sampled_from([None, "cluster-1", "other"]),
    nodes=st.lists(NODES, max_size=8).map(tuple),
    objects=st.just(()),
    applied=st.none() | st.just("x"),
    coredns_ready=st.integers(0, 9),
)
JOURNALS = st.builds(
    Journal,
    stamp=st.sampled_from(["20261122T190000Z", "99991231T235959Z"]),
    stage=st.sampled_from(["preparing", "replacing", "serving"]),
    source=st.just("file x"),
    database=st.just("0" * 64),
    revision=st.just(1),
    bump=st.just(10**9),
    uid=st.just(""),
    members=st.lists(st.sampled_from(NAMES), max_size=3).map(tuple),
)
SEALED = st.builds(Sealed, fingerprint=st.just("x"), sha256=st.just("0" * 64), recipients=st.just(("age1liar",)))


HOOKS = st.builds(
    Webhook,
    kind=st.just("validatingwebhookconfiguration"),
    name=st.sampled_from(["policy", "a"]),
    webhook=st.sampled_from(["policy.example.org", "a"]),
    why=st.just("gone"),
)
DAEMON_SETS = st.builds(
    DaemonSet,
    name=st.sampled_from(["kube-system/kube-proxy", "kube-flannel/flannel"]),
    desired=st.integers(0, 9),
    ready=st.integers(0, 9),
    pods=st.lists(
        st.builds(
            Pod, name=st.just("x"), node=st.sampled_from(NAMES), ready=st.booleans(), reason=st.just("ErrImagePull"),
            message=st.just(""),
        ),
        max_size=5,
    ).map(tuple),
    warning=st.none() | st.just("a"),
)  # fmt: skip
PATHS = st.lists(st.sampled_from(["/api/v1/namespaces/kube-system/services/kube-dns", "/api/v1/nodes/x"]), max_size=2)
WORKLOADS = st.builds(
    Workloads,
    daemon_sets=st.lists(DAEMON_SETS, max_size=3).map(tuple),
    webhooks=st.lists(HOOKS, max_size=3).map(tuple),
    leases=st.dictionaries(
        st.sampled_from(["kube-scheduler", "x"]), st.builds(Lease, holder=st.just(""), age_seconds=st.just(9))
    ),
    hindered=st.dictionaries(st.sampled_from(["kube-proxy", *(f"a{number}" for number in range(50))]), st.just("no")),
    missing=PATHS.map(tuple),
    edited=PATHS.map(tuple),
    held=PATHS.map(tuple),
)
"""As one API server reports them that hides something, or invents it."""


LIED = File(sha256="6" * 64, mode=0o600, user_id=0)
TELLING_FILES = (
    *host_paths.ROTATION_FILES["signing"], host_paths.ETCD_CA_CRT, host_paths.ETCD_MEMBER_CA_CRT,
    host_paths.KUBERNETES_CA_CRT, f"{host_paths.SIGNING_STEM}.pub", host_paths.SUPER_ADMIN_KUBECONFIG,
)  # fmt: skip
SETTINGS = (
    st.sampled_from(["dns_domain", "pod_network", "name", "address", "apiserver_version"]),
    st.sampled_from(["m2", "10.0.0.22", "1.99.0", "evil"]),
)
MACHINE = (
    st.sampled_from(["swap_bytes", "user_id", "disk_free_bytes", "disk_bytes"]),
    st.sampled_from([1, -MOST, MOST]),
)


@st.composite
def lies(draw, report: HostReport, truth) -> HostReport:
    """What that host reports when it is free to report anything, its address and its files included.

    ``truth``: the members there are, for lies that are close to it.
    """
    files = dict(report.files) if draw(st.booleans()) else {}
    files |= draw(st.dictionaries(st.sampled_from(TELLING_FILES), st.just(LIED), max_size=3))
    return report.model_copy(
        update={
            "etcd": draw(etcds(truth) | forgers(truth) | st.just(report.etcd)),
            "kubernetes": draw(KUBERNETES | st.just(report.kubernetes)),
            "workloads": draw(st.none() | WORKLOADS | st.just(report.workloads)),
            "apiserver": Apiserver(ready=draw(st.booleans())),
            "balancer": Balancer(
                holds_endpoint=draw(st.booleans()),
                endpoint_answers=draw(st.booleans()),
                endpoint_ready=draw(st.booleans()),
                servers=None,
            ),
            "leftovers": Leftovers(journal=draw(st.none() | JOURNALS)),
            "snapshots": SnapshotReport(sealed=draw(SEALED)),
            "files": files,
            "settings": draw(st.dictionaries(*SETTINGS, max_size=2)),
            "machine": report.machine.model_copy(update=draw(st.dictionaries(*MACHINE, max_size=1))),
            "failed": draw(st.sampled_from([{}, {"etcd": "it hangs"}, {"files": "it hangs"}, {"units": "it hangs"}])),
            "addresses": {"eth0": tuple(f"10.0.0.{number}" for number in range(10, 70))},
        }
    )
