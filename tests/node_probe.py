"""What became of a cluster's pods, and of requests while hosts were rebooted, for the story of the nodes."""

import json
from collections import Counter
from pathlib import Path

from soak_table import commit, now

PAGE = Path(__file__).parents[1] / "docs/nodes.md"
BEGIN, END = "<!-- measured -->", "<!-- end of measured -->"
TITLES = "| what | when | commit | measured |\n|---|---|---|---|"
MOVED_SECONDS = 2.0
"""Between the first and the last request on a connection that the moving address cut."""


def pods_of(lab):
    """(uid, node, restarts, ready) by NAMESPACE/NAME."""
    items = json.loads(lab.kubectl("get", "pods", "--all-namespaces", "--output=json"))["items"]
    return {
        f"{one['metadata']['namespace']}/{one['metadata']['name']}": (
            one["metadata"]["uid"],
            one["spec"]["nodeName"],
            sum(status["restartCount"] for status in one["status"].get("containerStatuses", ())),
        )
        for one in items
        if one["spec"].get("nodeName")
    }


def named(document):
    """Effect by pod, of all nodes' lists in a --json document."""
    return {cost["pod"]: cost["effect"] for node in document["costs"] for cost in node["pods"]}


def surprises(before, after, costs):
    """Pods that fared otherwise than the list had said."""
    found = []
    for name in before:
        effect = costs.get(name, "not in the list")
        if name not in after and effect in ("stays", "not in the list"):
            found.append(f"{name}: gone, and called {effect}")
        if name in after and effect == "stays" and after[name][1] != before[name][1]:
            found.append(f"{name}: on another node, and called {effect}")
    return found


def cut_and_failed(requests):
    """Requests on established connections that were reset, and all others that failed."""
    failed = [one for one in requests if not one.ok]
    cut = [one for one in failed if "Reset" in (one.error or "") and not one.error.startswith("connecting")]
    return cut, [one for one in failed if one not in cut]


def moments(requests):
    """How many times the address moved: requests within MOVED_SECONDS of each other are of one."""
    sent = sorted(one.sent for one in requests)
    return sum(later - earlier > MOVED_SECONDS for earlier, later in zip(sent, sent[1:], strict=False)) + bool(sent)


def words(requests):
    """Why they failed, the most frequent reason first."""
    return Counter(one.error for one in requests).most_common(5)


def measured(what, text):
    """Print a figure, and write its line in docs/nodes.md, in place of an older one."""
    print(f"{what}: {text}")
    head, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    table, _, tail = rest.partition(END)
    lines = [line for line in table.strip().splitlines()[2:] if not line.startswith(f"| {what} |")]
    lines.append(f"| {what} | {now()} | {commit()} | {text} |")
    PAGE.write_text("\n".join([head + BEGIN, TITLES, *sorted(lines), END]) + tail, encoding="utf-8")
