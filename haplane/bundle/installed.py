"""The bundles in the default directory, by version."""

from __future__ import annotations

from pathlib import Path

from haplane.bundle.manifest import MANIFEST, default_directory


def built_versions(architecture: str) -> dict[str, Path]:
    """Directory by Kubernetes version. One whose build did not end has no manifest and is left out."""
    example = default_directory("VERSION", architecture)
    prefix, suffix = example.name.split("VERSION")
    return {
        found.name.removeprefix(prefix).removesuffix(suffix): found
        for found in example.parent.glob(f"{prefix}*{suffix}")
        if (found / MANIFEST).is_file()
    }
