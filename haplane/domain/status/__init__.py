"""What ``haplane status`` shows and calls a problem, one module per subject. Pure."""

from haplane.domain.status.certificates import (
    Certificate,
    Certificates,
    Renewer,
    certificate_problems,
    summarise_certificates,
    validity,
)
from haplane.domain.status.model import (
    BalancerStatus,
    ClusterStatus,
    EtcdCluster,
    MasterStatus,
    MemberStatus,
    NodeStatus,
    Quorum,
    Roster,
    Status,
)
from haplane.domain.status.summary import passing_problems, summarise

__all__ = [
    "BalancerStatus",
    "Certificate",
    "Certificates",
    "ClusterStatus",
    "EtcdCluster",
    "MasterStatus",
    "MemberStatus",
    "NodeStatus",
    "Quorum",
    "Renewer",
    "Roster",
    "Status",
    "certificate_problems",
    "passing_problems",
    "summarise",
    "summarise_certificates",
    "validity",
]
