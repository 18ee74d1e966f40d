"""Makes a bundle from either source. What is there already is not made again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from haplane.bundle.download import Site
from haplane.bundle.lock import Component, Lock
from haplane.bundle.manifest import Manifest, Source
from haplane.bundle.modules import ModulesMaker
from haplane.bundle.official import OfficialMaker
from haplane.bundle.store import Maker, Stamp, Store
from haplane.domain.progress import Progress
from haplane.errors import HaplaneError

SUBJECT = "bundle"


def build(
    source: Source, directory: Path, lock: Lock, architecture: str, *, site: Site, progress: Progress
) -> Manifest:
    """Make the bundle that a lock describes in ``directory``, or complete it, and return its manifest.

    Raises BadInput for what the lock does not have and for tools this machine lacks, Locked while another run builds
    there, HaplaneError when something cannot be built, fetched or written.
    """
    components = lock.components(source, architecture)
    store = Store(directory.absolute())
    maker = OfficialMaker(architecture, site) if source == "official" else ModulesMaker(architecture)
    try:
        with store.locked():
            return _complete(store, lock, components, maker, progress)
    except OSError as error:
        raise HaplaneError(
            "the bundle cannot be written",
            where=str(error.filename or directory),
            why=error.strerror,
            next_step="make room there, or name another directory: --directory, or `bundle` in the inventory",
        ) from error


def _complete(
    store: Store, lock: Lock, components: Sequence[Component], maker: Maker, progress: Progress
) -> Manifest:
    stamps = {part.name: store.stamp(part.name, part.fingerprint()) for part in components}
    missing = [component for component in components if stamps[component.name] is None]
    if missing:
        maker.require_tools(missing)
    for number, component in enumerate(missing):
        progress(SUBJECT, f"{component.name} {component.version}", number / len(missing))
        stamps[component.name] = _make(store, component, maker, progress)
    manifest = _manifest(lock, maker, {name: stamp for name, stamp in stamps.items() if stamp is not None})
    store.write_manifest(manifest)
    progress(SUBJECT, "complete" if missing else "complete already, nothing to do", 1.0)
    return manifest


def _make(store: Store, component: Component, maker: Maker, progress: Progress) -> Stamp:
    with store.scratch(component.name) as scratch:
        made = maker.make(component, scratch, progress)
        progress(component.name, "compressing and storing")
        stamp = Stamp(
            fingerprint=component.fingerprint(),
            version=component.version,
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


def _manifest(lock: Lock, maker: Maker, stamps: dict[str, Stamp]) -> Manifest:
    return Manifest(
        kubernetes_version=lock.kubernetes_version,
        etcd_version=stamps["etcd"].version,
        architecture=maker.architecture,
        source=maker.source,
        versions={name: stamp.version for name, stamp in stamps.items()},
        checksums={name: stamp.checksums for name, stamp in stamps.items()},
        files=tuple(file for stamp in stamps.values() for file in stamp.files),
        images=tuple(image for stamp in stamps.values() for image in stamp.images),
    )
