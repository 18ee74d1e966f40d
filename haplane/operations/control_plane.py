"""The static pods of a master: ended and started in one way, whatever for.

The scheduler and the controller manager end before the API server and start when it is ready: each once. Beside an
API server that is restarted they would not be healthy. One whose API server is away for less than the 10 s it has to
renew its lease goes on leading, and sees nodes only once its watches are back; their back-off doubles with each
restart within 2 minutes, up to 60 s (client-go's reflector): by the third it took healthy nodes for lost ones. One
that ends by itself waits in the kubelet's back-off; one whose manifest was moved away and back starts at once.
"""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation

from haplane.operations.run import shell


@operation()
def restart(port: int) -> Generator[StringCommand, None, None]:
    """Write the API server's manifest again and restart it, even where the manifest stays the same.

    The scheduler and the controller manager of this master end, and their leases are free; they stay away until
    :func:`start_controllers`. An interrupted run leaves moved manifests, which the plan sees.

    + port: the API server's on this host
    """
    yield shell("restart_control_plane", port=str(port))


@operation()
def start_controllers() -> Generator[StringCommand, None, None]:
    """Write the manifests of the scheduler and the controller manager, and wait until both are healthy."""
    yield shell("start_controllers")


@operation()
def wait_for_controllers(seconds: int) -> Generator[StringCommand, None, None]:
    """Start the scheduler and the controller manager if their manifests were moved; wait until both are healthy.

    + seconds: for how long
    """
    yield shell("wait_for_controllers", deadline_seconds=str(seconds))


@operation()
def restart_controller(component: str) -> Generator[StringCommand, None, None]:
    """Restart one of the two where nobody leads, with its lease freed meanwhile; wait until it is healthy.

    + component: kube-scheduler or kube-controller-manager
    """
    yield shell("restart_controller", component=component)


@operation()
def take_out() -> Generator[StringCommand, None, None]:
    """Stop all three as a restart does: the API server sends its clients elsewhere and ends."""
    yield shell("take_out_control_plane")


@operation()
def let_boot_start() -> Generator[StringCommand, None, None]:
    """End the kubelet, and move manifests back that :func:`take_out` moved: the next boot starts them."""
    yield shell("let_boot_start")


@operation()
def start_apiserver() -> Generator[StringCommand, None, None]:
    """Start the API server that was taken out."""
    yield shell("start_apiserver")


@operation()
def stop() -> Generator[StringCommand, None, None]:
    """Stop all static pods for good, and wait until the API server has ended."""
    yield shell("stop_static_pods")


@operation()
def wait_for_apiserver(port: int, seconds: int) -> Generator[StringCommand, None, None]:
    """Wait until the API server on this host is ready.

    + port: its port
    + seconds: for how long
    """
    yield shell("wait_for_apiserver", port=str(port), deadline_seconds=str(seconds))
