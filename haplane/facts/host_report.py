"""One composite fact per host: everything haplane wants to know, in one remote command."""

from __future__ import annotations

import json

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase

from haplane.domain.observed import HostReport
from haplane.domain.report_reading import parse_report
from haplane.errors import HaplaneError
from haplane.host_programs import packed, parts, program

NO_PYTHON = "python3 is not installed: install that package"


MODULES = (
    *("probe", "systemd", "network", "certificates", "haproxy", "machine", "peers", "etcd", "pods"),
    *("serving", "kubernetes"),
    *(
        "kubelet",
        "apiserver",
        "other_sections",
        "balancer",
        "leftovers",
        "static_pods",
        "components",
        "forwarding",
        "precedence",
    ),
    *("webhooks", "trials", "rights", "workloads", "dns", "surroundings", "stopped", "condition", "corefile"),
    *("own_pods", "findings", "namespaces", "pod_network", "kubeconfigs", "tokens", "conversions", "observe"),
)
"""Of the observer, each after those that it uses."""
RECORDER = (
    *("probe", "systemd", "pods", "serving", "kubernetes", "leftovers", "webhooks", "trials", "rights", "workloads"),
    "record",
)


def observer() -> str:
    """The program that a host runs to report what is there."""
    return program(*parts("facts", *MODULES))


def recorder() -> str:
    """The program that records which objects haplane has applied."""
    return program(*parts("facts", *RECORDER))


class HostReportFact(FactBase[HostReport | None]):
    """The host's report for one request (a JSON-able mapping): a :class:`haplane.domain.observed.HostReport`."""

    def command(self, request: dict[str, object]) -> StringCommand:
        guard = f"command -v python3 >/dev/null || {{ echo {NO_PYTHON} >&2; exit 127; }};"
        script = packed(observer())
        return StringCommand(guard, "python3", "-I", "-c", QuoteString(script), QuoteString(json.dumps(request)))

    def process(self, output: list[str]) -> HostReport:
        try:
            return parse_report("the host", output[-1])
        except HaplaneError as error:
            raise FactProcessError(str(error)) from None
