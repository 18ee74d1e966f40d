"""Makes a bundle from either source. What is there already is not made again."""

from __future__ import annotations

from pathlib import Path

from haplane.bundle.download import Site
from haplane.bundle.lock import Component, Lock, load_lock
from haplane.bundle.manifest import Manifest, Source
from haplane.bundle.modules import ModulesMaker
from haplane.bundle.official import OfficialMaker
from haplane.bundle.store import Maker, Stamp, Store
from haplane.domain.progress import Progress
from haplane.errors import BadInput, HaplaneError

SUBJECT = "bundle"


def build(source: Source, directory: Path, version: str, mirror: str | None, progress: Progress) -> Manifest:
    """Make the bundle for a Kubernetes version in ``directory``, or complete it, and return its manifest.

    ``mirror`` is the base URL below which the official sites' HOST/PATH trees are served; None for the sites
    themselves. Raises BadInput for a version that is not pinned and for tools this machine lacks, Locked while
    another run builds there, HaplaneError when something cannot be built, fetched or written.
    """
    lock = load_lock(version)
    store = Store(directory.absolute())
    maker = _maker(source, lock.architecture, mirror)
    try:
        with store.locked():
            return _complete(store, lock, maker, progress)
    except OSError as error:
        raise HaplaneError("the bundle cannot be written", where=str(directory), why=str(error)) from error


def _maker(source: Source, architecture: str, mirror: str | None) -> Maker:
    if source == "official":
        return OfficialMaker(architecture, Site(mirror))
    if mirror is not None:
        raise BadInput("a mirror is for the official source", next_step="set GOPROXY to fetch Go modules elsewhere")
    return ModulesMaker(architecture)


def _complete(store: Store, lock: Lock, maker: Maker, progress: Progress) -> Manifest:
    source = maker.source
    stamps = {part.name: store.stamp(part.name, part.fingerprint(source)) for part in lock.components}
    missing = [component for component in lock.components if stamps[component.name] is None]
    if missing:
        maker.require_tools(missing)
    for number, component in enumerate(missing):
        progress(SUBJECT, f"{component.name} {component.version(source)}", number / len(missing))
        stamps[component.name] = _make(store, component, maker, progress)
    manifest = _manifest(lock, source, {name: stamp for name, stamp in stamps.items() if stamp is not None})
    store.write_manifest(manifest)
    progress(SUBJECT, "complete" if missing else "complete already, nothing to do", 1.0)
    return manifest


def _make(store: Store, component: Component, maker: Maker, progress: Progress) -> Stamp:
    with store.scratch(component.name) as scratch:
        made = maker.make(component, scratch, progress)
        progress(component.name, "compressing and storing")
        stamp = Stamp(
            fingerprint=component.fingerprint(maker.source),
            version=component.version(maker.source),
            checksums=made.checksums,
            files=tuple(
                store.add_program(component.name, made.binaries[name], destination)
                for name, destination in component.files.items()
            ),
            images=tuple(
                store.add_image(component.name, made.archives[image.name], image) for image in component.images
            ),
        )
        store.finish(component.name, stamp)
    return stamp


def _manifest(lock: Lock, source: Source, stamps: dict[str, Stamp]) -> Manifest:
    return Manifest(
        kubernetes_version=lock.kubernetes_version,
        etcd_version=stamps["etcd"].version,
        architecture=lock.architecture,
        source=source,
        versions={name: stamp.version for name, stamp in stamps.items()},
        checksums={name: stamp.checksums for name, stamp in stamps.items()},
        files=tuple(file for stamp in stamps.values() for file in stamp.files),
        images=tuple(image for stamp in stamps.values() for image in stamp.images),
    )
