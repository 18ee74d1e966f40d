"""Runs the observer as a host does."""

import json
import subprocess
import sys

import samples

from haplane.desired.hosts import request_for
from haplane.domain.observed import parse_report
from haplane.facts.host_report import observer
from haplane.host_programs import packed

REQUEST = request_for(samples.inventory(), samples.manifest())


def observe(commands="/sbin", moved=None, **changes):
    """The observer as a host runs it: a plain Python, isolated from this project.

    ``commands``: a directory that is looked in first; ``moved``: paths of the host -> where the test has them.
    """
    text = observer()
    for path, place in (moved or {}).items():
        assert path in text
        text = text.replace(path, str(place))
    argv = ["/usr/bin/env", "-i", f"PATH={commands}:/usr/sbin:/usr/bin:/sbin:/bin", sys.executable, "-I", "-S", "-c"]
    done = subprocess.run(
        [*argv, packed(text), json.dumps(REQUEST | changes)],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    )
    return parse_report("here", done.stdout)
