"""The tree that the reference script pushes, made from haplane's bundle: the same programs, plain files.

Images are uncompressed docker archives, as in the script that was timed first. kubeadm's own etcd runs as a pod, so
the bundle's etcd is put into an image of the name kubeadm expects.
"""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from pathlib import Path

from haplane.bundle.manifest import BundleFile, BundleImage, Manifest, load_manifest

HERE = Path(__file__).parent
UNITS = {
    "containerd.service": "etc/systemd/system/containerd.service",
    "kubelet.service": "etc/systemd/system/kubelet.service",
    "10-kubeadm.conf": "etc/systemd/system/kubelet.service.d/10-kubeadm.conf",
}
NOT_ON_A_HOST = {"etcd", "etcdutl", "age"}  # the script has no use for them: it is spared the transfer


def make(bundle: Path, tree: Path) -> Manifest:
    """Fill ``tree``, which must not exist yet."""
    manifest = load_manifest(bundle)
    for file in manifest.files:
        if "master" in file.roles and Path(file.path).name not in NOT_ON_A_HOST:
            install(content(bundle, file), tree / file.path.lstrip("/"), file.mode)
    for name, place in UNITS.items():
        install((HERE / "files" / name).read_bytes(), tree / place, 0o644)
    images = tree / "opt/images"
    images.mkdir(parents=True)
    for image in manifest.images:
        if "master" in image.roles:
            plain_image(bundle, image, images / Path(image.file.path).name)
    etcd = next(file for file in manifest.files if Path(file.path).name == "etcd")
    etcd_image(content(bundle, etcd), etcd_reference(tree, manifest), images / "etcd.tar")
    return manifest


def content(bundle: Path, file: BundleFile) -> bytes:
    """The file as it lies on a host."""
    stored = bundle / file.stored
    return stored.read_bytes() if file.compression == "none" else decompressed(stored.read_bytes())


def decompressed(data: bytes) -> bytes:
    return subprocess.run(["zstd", "--decompress", "--stdout"], input=data, capture_output=True, check=True).stdout


def install(data: bytes, path: Path, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)


def plain_image(bundle: Path, image: BundleImage, target: Path) -> None:
    """The image with its layers unpacked."""
    with tarfile.open(fileobj=io.BytesIO(content(bundle, image.file))) as archive:

        def blob(descriptor: dict[str, str]) -> bytes:
            member = archive.extractfile("blobs/" + descriptor["digest"].replace(":", "/"))
            return member.read() if member else b""

        index = archive.extractfile("index.json")
        manifest = json.loads(blob(json.load(index)["manifests"][0])) if index else {}
        layers = []
        for layer in manifest["layers"]:
            packed = blob(layer)
            layers.append(decompressed(packed) if layer["mediaType"].endswith("+zstd") else packed)
        docker_archive(target, image.reference, blob(manifest["config"]), layers)


def etcd_reference(tree: Path, manifest: Manifest) -> str:
    version = f"--kubernetes-version=v{manifest.kubernetes_version}"
    kubeadm = [tree / "usr/local/bin/kubeadm", "config", "images", "list", version]
    listed = subprocess.run(kubeadm, capture_output=True, text=True, check=True).stdout
    return next(line for line in listed.splitlines() if "/etcd:" in line)


def etcd_image(program: bytes, reference: str, target: Path) -> None:
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        add(archive, "usr/local/bin/etcd", program, 0o755)
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": ["PATH=/usr/local/bin"], "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer.getvalue()).hexdigest()]},
    }
    docker_archive(target, reference, json.dumps(config).encode(), [layer.getvalue()])


def docker_archive(target: Path, reference: str, config: bytes, layers: list[bytes]) -> None:
    names = [f"layer{number}.tar" for number in range(len(layers))]
    with tarfile.open(target, "w") as archive:
        add(archive, "config.json", config)
        for name, layer in zip(names, layers, strict=True):
            add(archive, name, layer)
        described = [{"Config": "config.json", "RepoTags": [reference], "Layers": names}]
        add(archive, "manifest.json", json.dumps(described).encode())


def add(archive: tarfile.TarFile, name: str, data: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), mode
    archive.addfile(entry, io.BytesIO(data))
