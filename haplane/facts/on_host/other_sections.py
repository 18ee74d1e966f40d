"""What haproxy and keepalived of a load balancer are configured for besides haplane's endpoint."""

from __future__ import annotations

import glob
import os
import re
from typing import Any

from haplane.facts.on_host.probe import read, run_if_installed

HAPROXY_CFG = "/etc/haproxy/haproxy.cfg"
KEEPALIVED_CONF = "/etc/keepalived/keepalived.conf"
SETTINGS = ("/etc/default", "/etc/sysconfig")
UNIT_FILES = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/run/systemd/generator.late",
)
"""Where systemd finds a service's unit; the last is of init scripts."""
MARK = "# Written by haplane"
OUR_SECTIONS = (
    "frontend endpoint",
    "backend apiservers",
    "frontend etcd",
    "backend etcd",
    "vrrp_instance endpoint",
)
SECTION = {
    "haproxy": re.compile(
        r"^[ \t]*(frontend|backend|listen|peers|resolvers|userlist|mailers|cache|program|ring|fcgi-app|http-errors"
        r"|log-forward|log-profile|crt-store|traces|acme)[ \t]+[\"']?([\w.:-]{1,100})",
        re.M,
    ),
    "keepalived": re.compile(
        r"^[ \t]*(vrrp_instance|vrrp_sync_group|virtual_server|virtual_server_group|bfd_instance)[ \t]+"
        r"[\"']?([\w.:/ -]{1,100}?)[\"' \t]*(?:[{#!]|$)",
        re.M,
    ),
}
"""Whatever begins something of its own; ``global``, ``defaults`` and ``global_defs`` do not."""
INCLUDED = re.compile(r"^[ \t]*include[a-z]*[ \t]+[\"']?([^\s\"']+)", re.M)
FILE_OPTION = re.compile(r"-f[ =]*[\"']?(?:\$\{?(\w+)\}?|(/[^\s\"']+))")
MOST_SECTIONS, MOST_FILES = 20, 50


def other_sections(haproxy: str, keepalived: str) -> list[dict[str, Any]]:
    """Sections that are not haplane's, by program and file; the arguments are the text of each program's own file.

    Raises OSError when systemd does not answer.
    """
    files = (("haproxy", haproxy_files(haproxy)), ("keepalived", keepalived_files(keepalived)))
    return [
        {"program": program, "path": path[:400], "sections": sections[:MOST_SECTIONS]}
        for program, found in files
        for path, text in list(found.items())[:MOST_FILES]
        if (sections := foreign(program, text))
    ]


def foreign(program: str, text: str) -> list[str]:
    """The sections in a file's text that are not haplane's."""
    named = [f"{kind} {name}" for kind, name in SECTION[program].findall(text)]
    return [section for section in named if section not in OUR_SECTIONS]


def haproxy_files(main: str) -> dict[str, str]:
    """Path -> text: haplane's file, and until it is haplane's, which replaces it, all that haproxy reads."""
    found = {HAPROXY_CFG: main}
    for given in [] if MARK in main else given_files("haproxy"):
        for path in sorted(glob.glob(f"{glob.escape(given)}/*.cfg")) if os.path.isdir(given) else [given]:
            if path not in found:
                found[path] = read(path) or ""
    return found


def keepalived_files(main: str) -> dict[str, str]:
    """The same of keepalived, with whatever its files include."""
    left = [KEEPALIVED_CONF, *([] if MARK in main else given_files("keepalived"))]
    found: dict[str, str] = {}
    while left and len(found) < MOST_FILES:
        path = left.pop(0)
        if path not in found:
            found[path] = main if path == KEEPALIVED_CONF else read(path) or ""
            for pattern in INCLUDED.findall(found[path]):
                left += sorted(glob.glob(os.path.join(glob.escape(os.path.dirname(path)), pattern)))
    return found


def given_files(program: str) -> list[str]:
    """Files and directories that the program's unit is given by ``-f``, in a variable or as they are.

    Most hosts have no such unit: of those systemd is not asked.
    """
    if not any(os.path.lexists(f"{one}/{program}.service") for one in UNIT_FILES):
        return []
    texts = [
        run_if_installed("systemctl", "cat", program) or "",
        *(read(f"{one}/{program}") or "" for one in SETTINGS),
    ]
    text = "\n".join(line for one in texts for line in one.splitlines() if not line.lstrip().startswith(("#", ";")))
    found = []
    for variable, path in FILE_OPTION.findall(text):
        value = re.compile(rf"\b{variable}=[\"']?(/[^\s\"']+)")
        found += [path] if path else value.findall(text)
    return found
