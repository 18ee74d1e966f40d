"""The hosts' image: plain Debian made once with debootstrap, and haproxy and keepalived in a layer above it.

Bare hosts boot the plain tree alone; the others have the layer too. The layer's .deb files are kept, with every
dependency that the plain tree lacks, for tools that install packages without a network.

The mirror is the one this machine's apt uses.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from haplane.domain.progress import Progress, silent
from haplane.errors import DeadlinePassed, HaplaneError, Refused
from haplane.lab import paths
from haplane.lab.command import exclusive, run
from haplane.scripts import script
from haplane.streams import stream, tail_of

SUITES = {12: "bookworm", 13: "trixie"}
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
LOG_BYTES = 64 << 20
TO_STDOUT = ("sh", "-c", 'exec "$@" 2>&1', "logged")


@dataclass(frozen=True)
class Recipe:
    """An image: which Debian, what beyond the packages and the settings that all images have.

    ``offered_as`` names the link to its .deb files (``paths.packages``), for inventories.
    """

    version: int
    offered_as: str
    more_packages: tuple[str, ...] = ()
    finish: str = ""

    @property
    def suite(self) -> str:
        return SUITES[self.version]

    @property
    def packages(self) -> tuple[str, ...]:
        return (*PACKAGES, *self.more_packages)

    @property
    def finish_base(self) -> str:
        return script("lab/finish_base") + self.finish

    @property
    def key(self) -> str:
        """Names the image by everything that goes into it: another list of packages is another image."""
        words = (self.suite, *self.packages, self.finish_base, _build_balancer(Path()))
        return hashlib.sha256("\n".join(words).encode()).hexdigest()[:12]

    @property
    def directory(self) -> Path:
        """Where the image is, complete when it exists."""
        return paths.image_directory(self.key)


def _build_balancer(directory: Path) -> str:
    """The shell script that makes the layer of load balancers in an image's directory."""
    finish = script("lab/finish_balancer", BALANCER_PACKAGES)
    return script("lab/build_balancer", directory=str(directory), finish=finish)


def layers(image: Path, *, bare: bool) -> tuple[Path, ...]:
    """The layers of an image, the uppermost first, as overlayfs wants them; bare hosts have no load balancer."""
    return (image / "root",) if bare else (image / "balancer", image / "root")


def ensure_image(recipe: Recipe, progress: Progress) -> None:
    """Make the image unless it is there; one run makes it, others wait. Raises HaplaneError with the log's tail."""
    image = recipe.directory
    with exclusive(image.parent / "lock", seconds=BUILD_SECONDS, what="making the lab's base image"):
        if image.exists():
            _offer_packages(recipe)
            return
        partial = image.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        for name in ("root", "balancer", "work", "mount", "packages"):
            (partial / name).mkdir(parents=True)
        _build(recipe, partial, progress)
        for name in ("work", "mount"):
            shutil.rmtree(partial / name)
        partial.rename(image)
        _offer_packages(recipe)
        progress("base image", "made")


def _offer_packages(recipe: Recipe) -> None:
    """One place for inventories to name, whatever the image's key is."""
    pointer, packages = paths.packages(recipe.offered_as), recipe.directory / "packages"
    if pointer.is_symlink() and pointer.readlink() == packages:
        return
    pointer.unlink(missing_ok=True)
    pointer.symlink_to(packages)


def _build(recipe: Recipe, directory: Path, progress: Progress) -> None:
    root = directory / "root"
    progress("base image", f"debootstrap {recipe.suite} (about two minutes, once)")
    include = ",".join(recipe.packages)
    keyring = [f"--keyring={KEYRING}"] if KEYRING.exists() else []
    options = ["--variant=minbase", f"--include={include}", *keyring]
    logged(["debootstrap", *options, recipe.suite, str(root), mirror(recipe.suite)], progress)
    (root / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
    (root / "usr/sbin/policy-rc.d").chmod(0o755)
    logged(["chroot", str(root), "/bin/sh", "-c", recipe.finish_base], progress)
    progress("base image", f"adding {' and '.join(BALANCER_PACKAGES)}")
    logged(["sh", "-c", _build_balancer(directory)], progress)
    (root / "usr/sbin/policy-rc.d").unlink()


def logged(command: list[str], progress: Progress = silent) -> None:
    """Run in mount and process namespaces that die with us: whatever ends us, no process and no mount is left.

    Raises HaplaneError with the end of the log, DeadlinePassed after BUILD_SECONDS.
    """
    isolated = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child"]
    stages = _Stages(progress)
    log = paths.build_log()
    with log.open("ab") as written:

        def take(data: bytes) -> None:
            written.write(data)
            stages.take(data)

        try:
            done = stream([*isolated, *TO_STDOUT, *command], take, deadline_seconds=BUILD_SECONDS, most=LOG_BYTES)
        except TimeoutError:
            raise DeadlinePassed(f"{command[0]} did not end within {BUILD_SECONDS:.0f} s", where=str(log)) from None
    if done.code != 0 or done.cut is not None:
        tail = "\n".join(tail_of(log).decode(errors="replace").splitlines()[-12:])
        raise HaplaneError(
            f"the lab's base image could not be made: {command[0]} failed",
            where=str(log),
            why=done.cut or tail,
            next_step="check that `apt-get update` works on this machine, then run the same command again",
        )


class _Stages:
    """Reports when debootstrap goes from one of its stages to the next."""

    NAMES: Mapping[bytes, str] = {
        b"Retrieving": "retrieving packages", b"Unpacking": "unpacking", b"Configuring": "configuring",
    }  # fmt: skip

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._now = ""
        self._unfinished = b""

    def take(self, data: bytes) -> None:
        *lines, self._unfinished = (self._unfinished + data).split(b"\n")
        for words in map(bytes.split, lines):
            name = self.NAMES.get(words[1], self._now) if len(words) > 2 and words[0] == b"I:" else self._now
            if name != self._now:
                self._now = name
                self._progress("base image", name)


def mirror(suite: str) -> str:
    """The Debian archive this machine's apt uses. Raises Refused when it uses none."""
    listing = run(
        "apt-get", "indextargets", "--format", "$(RELEASE) $(COMPONENT) $(ORIGIN) $(REPO_URI)", "Created-By: Packages"
    )
    found = choose_mirror(listing, suite)
    if found is None:
        raise Refused(
            "this machine's apt has no Debian archive to make the lab's hosts from",
            where="/etc/apt/sources.list*",
            next_step=f"add a Debian source for {suite} there, then: `apt-get update`",
        )
    return found


def choose_mirror(listing: str, suite: str) -> str | None:
    """From lines ``release component origin URI``: the archive of that suite, else any Debian archive's main."""
    rows = [words for words in (line.split() for line in listing.splitlines()) if len(words) == 4]
    ours = [uri for release, component, _, uri in rows if release == suite and component == "main"]
    debian = [uri for _, component, origin, uri in rows if (component, origin) == ("main", "Debian")]
    return next(iter([*ours, *(uri for uri in debian if "security" not in uri)]), None)
