"""Runs on a host, with nothing but Python's standard library: answers a list of questions, changes nothing.

Takes one JSON request as its argument and writes one JSON answer, of the shapes in ``haplane/checks/survey.py``.
Of private keys only modes and owners are told. Every probe has a deadline.
"""

from __future__ import annotations

import base64
import concurrent.futures
import contextlib
import glob
import grp
import hashlib
import http.client
import json
import os
import pwd
import re
import signal
import socket
import ssl
import stat
import subprocess
import sys
import time
import warnings
from typing import Any
from urllib.parse import urlsplit

PROBE_SECONDS = 5
CHANCES = 3  # one late answer from etcd is an HTTP 500 of /readyz; kubelet and haproxy want several in a row too
WHOLE_SECONDS = 60  # whatever hangs, the host is left alone after this long
CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?")


def main() -> None:
    """Answer all questions at once."""
    signal.alarm(WHOLE_SECONDS)
    request = json.loads(base64.b64decode(sys.argv[1]))
    questions = {
        "requests": lambda asked: ask_again(**asked),
        "versions": lambda command: output(*command),
        "documents": lambda command: document(output(*command)),
        "kubelets": lambda command: document(output(*command)),
        "hashes": digest,
    }
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        pending = {
            kind: {name: pool.submit(question, asked) for name, asked in request[kind].items()}
            for kind, question in questions.items()
        }
        report: dict[str, Any] = {
            "units": units(request["units"]),
            "stats": stats(request["stats"]),
            "certificates": certificates(request["certificates"]),
            "settings": {path: read(path) for path in request["settings"]},
            "kubelet_client_certificate": kubelet_client_certificate(),
            "addresses": addresses(),
            "haproxy_servers": haproxy_servers(),
            "processes": processes(request["processes"]),
            "listening": listening(),
            "encryption_providers": encryption_providers(request["encryption"]),
        }
        for kind, futures in pending.items():
            report[kind] = {name: future.result() for name, future in futures.items()}
    json.dump(report, sys.stdout)


def output(*command: str) -> str | None:
    """A command's output, or None when it is missing, fails or hangs."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=2 * PROBE_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def document(text: str | None) -> Any:  # noqa: ANN401 - any JSON
    """The JSON a command wrote, or None."""
    try:
        return json.loads(text or "null")
    except (ValueError, RecursionError):
        return None


def read(path: str) -> str | None:
    """A small text file, or None when it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - one style in this script
            return file.read(1 << 20)
    except OSError:
        return None


def units(names: list[str]) -> dict[str, dict[str, str]]:
    """Unit -> its active and enabled states in systemd's words; units systemd does not know are left out."""
    found = {}
    shown = output("systemctl", "show", "--property=Id,ActiveState,UnitFileState,LoadState,User", *names) or ""
    for block in shown.split("\n\n"):
        fields = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if fields.get("LoadState") == "loaded":
            found[fields.get("Id", "").removesuffix(".service")] = {
                "active": fields.get("ActiveState", ""),
                "enabled": fields.get("UnitFileState", ""),
                "user": fields.get("User", "") or "root",
            }
    return found


def digest(path: str) -> str | None:
    """Hexadecimal SHA-256 of a file, or None when it cannot be read."""
    summary = hashlib.sha256()
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            while chunk := file.read(1 << 20):
                summary.update(chunk)
    except OSError:
        return None
    return summary.hexdigest()


def stats(patterns: list[str]) -> dict[str, dict[str, Any]]:
    """Path -> permission bits, owner and kind of everything that matches; links are followed."""
    found = {}
    for path in sorted({path for pattern in patterns for path in glob.glob(pattern, recursive=True)}):  # noqa: PTH207
        try:
            status = os.stat(path)  # noqa: PTH116
        except OSError:
            continue
        found[path] = {
            "mode": stat.S_IMODE(status.st_mode),
            "owner": owner(status.st_uid),
            "group": group(status.st_gid),
            "directory": stat.S_ISDIR(status.st_mode),
        }
    return found


def owner(user_id: int) -> str:
    """A user's name, or its number when it has none."""
    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        return str(user_id)


def group(group_id: int) -> str:
    """A group's name, or its number when it has none."""
    try:
        return grp.getgrgid(group_id).gr_name
    except KeyError:
        return str(group_id)


def processes(names: list[str]) -> dict[str, list[str]]:
    """Program -> its longest command line: a service's, not that of somebody who asks it for its version.

    Of two that are as long the one started last. None of ours holds a secret.
    """
    found: dict[str, list[str]] = {}
    for entry in sorted(glob.glob("/proc/[0-9]*/cmdline"), key=lambda path: int(path.split("/")[2])):
        words = (read(entry) or "").rstrip("\0").split("\0")
        name = os.path.basename(words[0])
        if name in names and len(words) >= len(found.get(name, [])):
            found[name] = words
    return found


def listening() -> list[str]:
    """ADDRESS:PORT of every TCP port that somebody listens on."""
    return [line.split()[3] for line in (output("ss", "-Hlnt") or "").splitlines() if len(line.split()) > 3]


def encryption_providers(path: str) -> list[str] | None:
    """The kinds of providers of the first rule, never their keys."""
    try:
        return [next(iter(provider)) for provider in json.loads(read(path) or "")["resources"][0]["providers"]]
    except (ValueError, LookupError, TypeError, StopIteration):
        return None


def certificates(patterns: list[str]) -> dict[str, str]:
    """Path -> the public certificates in a file, or in a kubeconfig's client-certificate-data; never a key."""
    found = {}
    for path in sorted({path for pattern in patterns for path in glob.glob(pattern)}):  # noqa: PTH207
        text = read(path) or ""
        if embedded := re.search(r"^\s*client-certificate-data:\s*(\S+)", text, re.M):
            text = ""
            with contextlib.suppress(ValueError):
                text = base64.b64decode(embedded.group(1)).decode("ascii", "replace")
        if found_in_file := CERTIFICATE.findall(text):
            found[path] = "".join(found_in_file)
    return found


def kubelet_client_certificate() -> str | None:
    """The file kubelet.conf names as client certificate; None when it embeds one or is absent."""
    named = re.search(r"^\s*client-certificate:\s*(\S+)", read("/etc/kubernetes/kubelet.conf") or "", re.M)
    return named.group(1) if named else None


def addresses() -> list[str]:
    """All IP addresses this host has now."""
    links = document(output("ip", "-j", "address")) or []
    return [address["local"] for link in links for address in link.get("addr_info", []) if "local" in address]


def haproxy_servers() -> list[dict[str, str]] | None:
    """What haproxy says of its servers on the admin socket; None when there is none."""
    try:
        with socket.socket(socket.AF_UNIX) as admin:
            admin.settimeout(PROBE_SECONDS)
            admin.connect("/run/haproxy/admin.sock")
            admin.sendall(b"show stat -1 4 -1\n")
            text = b"".join(iter(lambda: admin.recv(65536), b"")).decode("utf-8", "replace")
    except OSError:
        return None
    rows = [line.split(",") for line in text.splitlines() if line and not line.startswith("#")]
    return [{"backend": row[0], "name": row[1], "status": row[17]} for row in rows if len(row) > 17]


def ask(
    url: str, authority: str, certificate: str | None, key: str | None, *, wait: bool, old: bool = False
) -> dict[str, Any]:
    """One HTTPS request, or with ``wait`` only a handshake and whether the server then hangs up.

    With ``old`` nothing newer than TLS 1.1 is offered, and whose certificate it is does not matter.

    ``status`` is the HTTP answer, ``served`` the SHA-256 of the certificate the server showed, ``refused`` whether
    it ended the connection with a TLS alert.
    """
    answer: dict[str, Any] = {"status": None, "served": None, "refused": False, "error": None}
    target = urlsplit(url)
    try:
        context = old_context() if old else ssl.create_default_context(cafile=authority)
        if certificate and key:
            context.load_cert_chain(certificate, key)
        connection = http.client.HTTPSConnection(
            target.hostname or "", target.port, timeout=PROBE_SECONDS, context=context
        )
        connection.connect()
        answer["served"] = hashlib.sha256(connection.sock.getpeercert(binary_form=True) or b"").hexdigest()
        if wait:
            # Nothing is sent: an alert is then not lost in the reset that unread data would cause.
            connection.sock.settimeout(2)
            with contextlib.suppress(socket.timeout):
                connection.sock.recv(1)
        connection.request("GET", target.path)
        answer["status"] = connection.getresponse().status
    except ssl.SSLError as error:
        answer["refused"] = "ALERT" in (error.reason or "")
        answer["error"] = error.reason or str(error)
    except FileNotFoundError:
        needed = [path for path in (authority, certificate, key) if path and not os.path.exists(path)]  # noqa: PTH110
        answer["error"] = f"absent: {', '.join(needed)}"
    except (OSError, http.client.HTTPException) as error:
        answer["error"] = f"{type(error).__name__}: {error}"
    return answer


def ask_again(**asked: Any) -> dict[str, Any]:
    """The answer of :func:`ask`; an HTTP server error counts when it is given ``CHANCES`` times, a second apart."""
    answer = ask(**asked)
    for _ in range(CHANCES - 1):
        if (answer["status"] or 0) < http.client.INTERNAL_SERVER_ERROR:
            break
        time.sleep(1)
        answer = ask(**asked)
    return answer


def old_context() -> ssl.SSLContext:
    """A client that is 15 years old. Raises SSLError where the system's own library refuses to be that."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is old is the point
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


if __name__ == "__main__":
    main()
