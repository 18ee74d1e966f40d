"""What is sent to hosts as a program or a template cannot import host_paths: its copies are held to it here."""

import re
from pathlib import Path

import pytest

from haplane.domain import host_paths

ROOT = Path(__file__).parents[2]
NAMES = {name: value for name, value in vars(host_paths).items() if name.isupper() and isinstance(value, str)}
KNOWN = {
    *NAMES.values(),
    *(f"{value}.{end}" for name, value in NAMES.items() if name.endswith("_STEM") for end in ("crt", "key", "pub")),
}
OURS = r"(?:/etc/(?:kubernetes|etcd|haplane)|/var/lib/(?:etcd|haplane|kubelet)|/opt/haplane|/run/haplane)[\w./-]*"
SHIPPED = sorted(
    [
        *ROOT.glob("haplane/*/on_host/*.py"),
        *ROOT.glob("templates/*.j2"),
        *ROOT.glob("haplane/agent/*.py"),
    ]
)


@pytest.mark.parametrize("file", SHIPPED, ids=lambda path: path.name)
def test_a_path_in_what_is_sent_to_hosts_is_one_of_host_paths(file):
    found = {match.rstrip("./") for match in re.findall(OURS, file.read_text(encoding="utf-8"))}
    assert found <= KNOWN


def test_no_name_means_two_files_and_no_file_has_two_names():
    assert len(set(NAMES.values())) == len(NAMES)
