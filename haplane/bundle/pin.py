"""Makes a lock for a Kubernetes version from what the projects publish: no checksum is ever typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from haplane import supported
from haplane.bundle.download import Site
from haplane.bundle.lock import ARCHITECTURES, Lock, OfficialPins, load_lock, versions_of
from haplane.bundle.published import Constants, checksum_in, kubeadm_constants
from haplane.bundle.recipe import Download, recipes_of
from haplane.bundle.registry import Registry
from haplane.domain.progress import Progress
from haplane.domain.versions import is_version, parse
from haplane.errors import BadInput, HaplaneError, Refused

CONSTANTS = "https://raw.githubusercontent.com/kubernetes/kubernetes/v{}/cmd/kubeadm/app/constants/constants.go"
SUBJECT = "pin"
CORE = ("kubernetes", "coredns", "pause")
"""What a Kubernetes version decides itself."""


@dataclass
class Pinner:
    """``known`` are locks whose pins must still be what the sites publish."""

    site: Site
    progress: Progress
    known: tuple[Lock, ...] = ()
    _documents: dict[str, str] = field(default_factory=dict)

    def pin(self, version: str, chosen: Mapping[str, str]) -> Lock:
        """The lock for a Kubernetes version. ``chosen`` gives versions of other components than haplane's own locks.

        Raises BadInput for versions that do not fit, Refused when a site publishes another checksum than a known
        lock has, HaplaneError when something cannot be had.
        """
        if not is_version(version) or version.startswith("v"):
            raise BadInput(f"{version!r} is not a version", next_step=f"write it like {supported.DEFAULT_VERSION}")
        versions = self._versions(version, chosen)
        sums: dict[str, str] = {}
        digests: dict[str, str] = {}
        first_use: list[str] = []
        for recipe in recipes_of("official"):
            for architecture in ARCHITECTURES:
                filled = recipe.filled(versions[recipe.name], architecture)
                for download in filled.downloads:
                    self.progress(SUBJECT, f"{download.file_name} for {architecture}")
                    sums[download.url] = self._checksum(download)
                    first_use += [] if download.published else [download.url]
            for image in recipe.filled(versions[recipe.name], ARCHITECTURES[0]).images:
                self.progress(SUBJECT, image.reference)
                digests[image.reference] = self._digest(image.reference)
                first_use.append(image.reference)
        official = OfficialPins(
            versions=versions,
            sha256=dict(sorted(sums.items())),
            digests=dict(sorted(digests.items())),
            first_use=tuple(sorted(first_use)),
        )
        self._compare(official)
        modules = load_lock(version).modules if version in supported.VERSIONS else None
        return Lock(kubernetes_version=version, official=official, modules=modules)

    def _versions(self, version: str, chosen: Mapping[str, str]) -> dict[str, str]:
        """The version of every component, in the order of the recipes."""
        minor = parse(version)[:2]
        bases = versions_of("official")
        base = next((one for one in reversed(bases) if parse(one)[:2] == minor), bases[-1])
        pins = load_lock(base).official
        names = [recipe.name for recipe in recipes_of("official")]
        given = {name: text for name, text in chosen.items() if name not in CORE}
        wrong = sorted(chosen.keys() - set(names)) or sorted(chosen.keys() - given.keys())
        if wrong:
            raise BadInput(
                f"the version of {', '.join(wrong)} cannot be chosen",
                next_step=f"choose from: {', '.join(name for name in names if name not in CORE)}",
            )
        constants = self._constants(version)
        core = {"kubernetes": version, "coredns": constants.coredns, "pause": constants.pause}
        found = (pins.versions if pins else {}) | given | core
        _require_fitting_etcd(version, found["etcd"], constants)
        return {name: found[name] for name in names}

    def _constants(self, version: str) -> Constants:
        address = CONSTANTS.format(version)
        try:
            return kubeadm_constants(self._document(address))
        except ValueError as error:
            why = f"{error}: haplane may be too old for Kubernetes {version}"
            raise HaplaneError("kubeadm's constants cannot be read", where=address, why=why) from error

    def _checksum(self, download: Download) -> str:
        if download.published is None:
            with TemporaryDirectory(prefix="haplane-pin-") as directory:
                target = Path(directory) / download.file_name
                report = self.progress
                return self.site.first_use(
                    download.url, target, report=lambda fraction: report(SUBJECT, download.file_name, fraction)
                )
        found = checksum_in(self._document(download.published), download.file_name)
        if found is None:
            raise HaplaneError(f"there is no SHA-256 of {download.file_name} here", where=download.published)
        return found

    def _document(self, address: str) -> str:
        if address not in self._documents:
            self._documents[address] = self.site.document(address).decode(errors="replace")
        return self._documents[address]

    def _digest(self, reference: str) -> str:
        digest, document = Registry(self.site).digest(reference)
        missing = [name for name in ARCHITECTURES if document.is_index and document.entry(name) is None]
        if missing or not document.is_index:
            raise HaplaneError(f"{reference} has no image for {' and '.join(missing) or 'several architectures'}")
        return digest

    def _compare(self, official: OfficialPins) -> None:
        """Raise Refused when something differs from a known lock."""
        found = {**official.sha256, **official.digests}
        for lock in self.known:
            pins = lock.official
            expected = {**pins.sha256, **pins.digests} if pins else {}
            changed = [name for name in expected if name in found and found[name] != expected[name]]
            if changed:
                first = changed[0]
                host = urlsplit(first if "://" in first else f"//{first}").hostname
                raise Refused(
                    "a site publishes another checksum than before; no lock was written",
                    where=", ".join(changed[:5]),
                    why=f"it was {expected[first]}, it is now {found[first]}",
                    next_step=f"find out from whoever runs {host} why it changed",
                )


def _require_fitting_etcd(version: str, etcd: str, constants: Constants) -> None:
    if not is_version(etcd):
        raise BadInput(f"{etcd!r} is not an etcd version", next_step="write it like 3.6.14")
    if parse(etcd) < constants.oldest_etcd or parse(etcd)[:2] != constants.etcd[:2]:
        raise BadInput(
            f"Kubernetes {version} is made for etcd {constants.etcd.major}.{constants.etcd.minor}, not for {etcd}",
            why=f"kubeadm {version} runs {constants.etcd} and takes {constants.oldest_etcd} at least",
            next_step=f"choose one: --component etcd={constants.etcd.major}.{constants.etcd.minor}.PATCH",
        )
