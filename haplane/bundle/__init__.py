"""The bundle: pinned binaries and images, downloaded or built once, verified, moved between machines."""
