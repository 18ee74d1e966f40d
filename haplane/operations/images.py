"""Images whose archives are on the host, into containerd."""

from __future__ import annotations

from collections.abc import Generator, Mapping

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

IMPORT = """
known=$(ctr -n k8s.io images list -q) || exit 1
while [ $# -gt 0 ]; do
    echo "$known" | grep -qxF -- "$1" || ctr -n k8s.io images import --local "$2" >/dev/null || exit 1
    shift 2
done
"""


@operation()
def imported(archives: Mapping[str, str]) -> Generator[StringCommand, None, None]:
    """Hand over archives of images that containerd, which runs by now, does not know.

    + archives: paths on the host, by the image's reference
    """
    if not archives:
        host.noop("containerd was asked for its images")
        return
    words = [QuoteString(word) for pair in archives.items() for word in pair]
    yield StringCommand("sh", "-c", QuoteString(IMPORT), "sh", *words)
