"""What differs between Linux distributions, each family in a module of its own.

A further one is a class with the properties of :class:`haplane.domain.platform.Platform`, a script that installs its
packages, and its place in :data:`PLATFORMS`.
"""

from __future__ import annotations

from haplane.domain.platform import Platforms
from haplane.platforms.debian import Debian

PLATFORMS = Platforms((Debian(),))
