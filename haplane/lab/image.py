"""The hosts' disk image: plain Debian made once with debootstrap, and haproxy and keepalived in a layer above it.

Bare hosts boot the plain tree alone; the others have the layer too. The layer's .deb files are kept, with every
dependency that the plain tree lacks, for tools that install packages without a network.

The mirror is the one this machine's apt uses.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

from haplane.domain.progress import Progress
from haplane.errors import HaplaneError, Refused
from haplane.lab import paths
from haplane.lab.command import exclusive, run
from haplane.lab.plan import LabHost

SUITE = "bookworm"
PACKAGES = (
    *(
        "systemd",
        "systemd-sysv",
        "dbus",
        "openssh-server",
        "iproute2",
        "iputils-ping",
        "iptables",
        "nftables",
        "kmod",
    ),
    *("conntrack", "socat", "ethtool", "ebtables", "ca-certificates", "curl", "python3", "chrony", "procps", "zstd"),
    *("sudo", "jq", "ipset", "openssl", "strace"),
)
BALANCER_PACKAGES = ("haproxy", "keepalived")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
BUILD_SECONDS = 1800.0

FINISH_BASE = """
useradd --create-home --gid operator --shell /bin/bash operator
systemctl disable chrony nftables
rm -f /etc/ssh/ssh_host_* /var/cache/apt/archives/*.deb
"""
"""Inside the plain tree. Debian has a group ``operator`` already; keys and settings come with each host's disk."""

FINISH_BALANCER = """
apt-get -q update
apt-get -q -y --no-install-recommends --download-only install "$@"
cp /var/cache/apt/archives/*.deb /packages/
apt-get -q -y --no-install-recommends install "$@"
systemctl disable "$@"
apt-get clean
rm -rf /var/lib/apt/lists/*
"""

BUILD_BALANCER = """
set -e
mount -t overlay overlay -o "lowerdir=$1/root,upperdir=$1/balancer,workdir=$1/work" "$1/mount"
mkdir "$1/mount/packages"
mount --bind "$1/packages" "$1/mount/packages"
mount -t proc proc "$1/mount/proc"
directory=$1; script=$2; shift 2
DEBIAN_FRONTEND=noninteractive chroot "$directory/mount" /bin/sh -ec "$script" finish "$@"
umount "$directory/mount/proc" "$directory/mount/packages"
rmdir "$directory/mount/packages"
umount "$directory/mount"
"""


def image_key() -> str:
    """Names the image by everything that goes into it: another list of packages is another image."""
    recipe = (SUITE, *PACKAGES, *BALANCER_PACKAGES, FINISH_BASE, FINISH_BALANCER, BUILD_BALANCER)
    return hashlib.sha256("\n".join(recipe).encode()).hexdigest()[:12]


def lower_directories(key: str, host: LabHost) -> tuple[Path, ...]:
    """The layers of the image of that key a host boots from, the uppermost first, as overlayfs wants them."""
    image = paths.image_directory(key)
    return (image / "root",) if host.bare else (image / "balancer", image / "root")


def package_directory() -> Path:
    """The .deb files of haproxy, keepalived and what they need beyond the plain tree, made by the first ``up``."""
    return paths.image_directory(image_key()) / "packages"


def ensure_image(progress: Progress) -> None:
    """Make the image unless it is there; one run makes it, others wait. Raises HaplaneError with the log's tail."""
    image = paths.image_directory(image_key())
    with exclusive(image.parent / "lock", seconds=BUILD_SECONDS, what="making the lab's base image"):
        if image.exists():
            _offer_packages()
            return
        partial = image.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        for name in ("root", "balancer", "work", "mount", "packages"):
            (partial / name).mkdir(parents=True)
        _build(partial, image.parent / "build.log", progress)
        for name in ("work", "mount"):
            shutil.rmtree(partial / name)
        partial.rename(image)
        _offer_packages()
        progress("base image", "made")


def _offer_packages() -> None:
    """One place for inventories to name, whatever the image's key is."""
    pointer = paths.packages()
    if pointer.is_symlink() and pointer.readlink() == package_directory():
        return
    pointer.unlink(missing_ok=True)
    pointer.symlink_to(package_directory())


def _build(directory: Path, log: Path, progress: Progress) -> None:
    root = directory / "root"
    progress("base image", f"debootstrap {SUITE} (about two minutes, once)")
    include = ",".join(PACKAGES)
    keyring = [f"--keyring={KEYRING}"] if KEYRING.exists() else []
    debootstrap = ["debootstrap", "--variant=minbase", f"--include={include}", *keyring, SUITE, str(root), mirror()]
    _logged(debootstrap, log, progress)
    (root / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
    (root / "usr/sbin/policy-rc.d").chmod(0o755)
    _logged(["chroot", str(root), "/bin/sh", "-ec", FINISH_BASE], log, progress)
    progress("base image", f"adding {' and '.join(BALANCER_PACKAGES)}")
    arguments = [str(directory), FINISH_BALANCER, *BALANCER_PACKAGES]
    _logged(["sh", "-c", BUILD_BALANCER, "build", *arguments], log, progress)
    (root / "usr/sbin/policy-rc.d").unlink()


def _logged(command: list[str], log: Path, progress: Progress) -> None:
    """Run in mount and process namespaces that die with us: whatever ends us, no process and no mount is left."""
    isolated = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child", *command]
    with log.open("a") as written:
        process = subprocess.Popen(
            isolated, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        try:
            stage = ""
            for line in process.stdout or ():
                written.write(line)
                stage = _report(line, stage, progress)
            code = process.wait()
        finally:
            process.kill()
            process.wait()
    if code != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-12:])
        raise HaplaneError(
            f"the lab's base image could not be made: {command[0]} failed",
            where=str(log),
            why=tail,
            next_step="check that apt-get update works on this machine, then run the same command again",
        )


def _report(line: str, stage: str, progress: Progress) -> str:
    """Say when debootstrap goes from one of its stages to the next; return the stage it is in."""
    stages = {"Retrieving": "retrieving packages", "Unpacking": "unpacking", "Configuring": "configuring"}
    words = line.split()
    now = stages.get(words[1], stage) if len(words) > 2 and words[0] == "I:" else stage
    if now != stage:
        progress("base image", now)
    return now


def mirror() -> str:
    """The Debian archive this machine's apt uses. Raises Refused when it uses none."""
    listing = run(
        "apt-get", "indextargets", "--format", "$(RELEASE) $(COMPONENT) $(ORIGIN) $(REPO_URI)", "Created-By: Packages"
    )
    found = choose_mirror(listing)
    if found is None:
        raise Refused(
            "this machine's apt knows no Debian archive, from which the lab's hosts are made",
            where="/etc/apt/sources.list*",
            next_step=f"add a Debian source for {SUITE} there, then: apt-get update",
        )
    return found


def choose_mirror(listing: str) -> str | None:
    """From lines ``release component origin URI``: the archive of our suite, else any Debian archive's main."""
    rows = [words for words in (line.split() for line in listing.splitlines()) if len(words) == 4]
    ours = [uri for release, component, _, uri in rows if release == SUITE and component == "main"]
    debian = [uri for _, component, origin, uri in rows if (component, origin) == ("main", "Debian")]
    return next(iter([*ours, *(uri for uri in debian if "security" not in uri)]), None)
