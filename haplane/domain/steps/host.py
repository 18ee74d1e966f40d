"""What has to be done on one host. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from haplane.domain import host_paths
from haplane.domain.balancer_report import APISERVERS, ETCD
from haplane.domain.files import Part, WantedFile
from haplane.domain.observed import HostReport
from haplane.domain.plan import FLUSHED, Kind, Step, Wants, few, reasons

MADE_BY_KUBEADM = {
    Part.CONTROL_PLANE: host_paths.APISERVER_MANIFEST,
    Part.KUBELET_CONFIG: host_paths.KUBELET_CONFIG_YAML,
}
"""What kubeadm writes when it has read a part's files."""


BALANCER_PARTS = (Part.HAPROXY, Part.VRRP_FILTER, Part.KEEPALIVED)
"""What makes a load balancer, in the order in which it is started."""


def host_steps(name: str, wanted: Wants, report: HostReport) -> list[Step]:
    """What concerns one host by itself, whatever its roles."""
    files = changed_files(wanted.files, report)
    binaries = tuple(path for path, sha256 in wanted.bundle.items() if report.bundle.get(path) != sha256)
    images = missing_images(wanted, report, archives_are_there=not binaries)
    keys = {**unfit_keys(wanted.identity, report), **wanted.keys}
    packages = tuple(package for package in wanted.packages if package not in report.units)
    steps = [
        step_on(Kind.PACKAGES, name, packages, ", ".join(packages)),
        step_on(Kind.FILES, name, tuple(file.path for file in files), few([file.path for file in files])),
        step_on(Kind.KEYS, name, tuple(keys), reasons(keys)),
        step_on(Kind.BUNDLE, name, binaries, f"{len(binaries)} files differ"),
        step_on(Kind.IMAGES, name, images, f"{len(images)} missing"),
    ]
    if "containerd" in wanted.units:
        steps.append(
            unit_step(Kind.RUNTIME, name, "containerd", report, why_take_up(Part.CONTAINERD, wanted, report))
        )
    for part in BALANCER_PARTS:
        if part.value in wanted.units:
            why = why_take_up(part, wanted, report)
            if part is Part.HAPROXY:
                why = why or _why_read_keys_again(wanted, keys, report)
            if part is Part.VRRP_FILTER and report.balancer.adverts_filtered is False:
                why = why or FLUSHED
            steps.append(unit_step(Kind.BALANCER, name, part.value, report, why))
    steps.append(_drained_step(name, report))
    return [step for step in steps if step is not None]


def missing_images(wanted: Wants, report: HostReport, *, archives_are_there: bool) -> tuple[str, ...]:
    """Images containerd does not know; while it is down none, if all archives are there: it gets what it lacks.

    None also where ctr, which lists them, could not be run.
    """
    if report.images is None and (archives_are_there or "images" in report.failed):
        return ()
    return tuple(image for image in wanted.images if image not in (report.images or ()))


OUR_BACKENDS = frozenset({APISERVERS, ETCD})
"""Of haproxy: in others haplane drains nothing."""


def _drained_step(name: str, report: HostReport) -> Step | None:
    """Servers that haproxy sends nothing to because they are drained or unchecked."""
    drained = tuple(
        f"{server.backend}/{server.name}"
        for server in report.balancer.servers or ()
        if server.backend in OUR_BACKENDS and server.status.startswith(("DRAIN", "MAINT", "no check"))
    )
    return step_on(Kind.UNDRAIN, name, drained, ", ".join(drained))


def changed_files(files: Iterable[WantedFile], report: HostReport) -> tuple[WantedFile, ...]:
    """Those that are absent or differ in content or mode, or that the kernel was made to forget."""
    found = report.files
    return tuple(
        file
        for file in files
        if file.path not in found
        or (found[file.path].sha256, found[file.path].mode) != (file.sha256, file.mode)
        or (file.path == host_paths.SYSCTL_CONF and report.precedence.kernel)
        or (file.path == host_paths.KERNEL_MODULES_CONF and is_module_missing(report))
    )


def is_module_missing(report: HostReport) -> bool:
    """Whether the kernel lacks a setting of haplane's because nobody loaded its module since the boot."""
    return any("not loaded" in value for value in report.precedence.kernel.values())


def unfit_keys(paths: Iterable[str], report: HostReport) -> dict[str, str]:
    """Keys and certificates that are not there, or that others may use: they are written anew, and why."""
    found = {}
    for path in paths:
        file = report.files.get(path)
        if file is None:
            found[path] = "not present yet"
        elif file.mode & (0o077 if host_paths.is_private(path) else 0o022):
            found[path] = f"its mode was {file.mode:04o}"
        elif file.user_id != 0 and path not in host_paths.ETCD_OWN_KEYS:
            found[path] = f"it was {file.owner or file.user_id}'s"
    return found


def why_take_up(part: Part, wanted: Wants, report: HostReport) -> str | None:
    """Why what reads this part's files has to read them again: an interrupted run may have written them only."""
    mine = [file for file in wanted.files if file.part is part]
    if changed_files(mine, report):
        return "its files changed"
    since = taken_up_at(part, report)
    if since is not None and any(report.files[file.path].changed_at > since for file in mine):
        return "its files changed after it started"
    return why_run_again(part, wanted, report)


def why_run_again(part: Part, wanted: Wants, report: HostReport) -> str | None:
    """Why a unit has to be restarted though its files are as they were: its program is another one."""
    binary = f"{host_paths.BINARIES}/{part.value}"
    if binary in wanted.bundle and report.bundle.get(binary) != wanted.bundle[binary]:
        return "its binary differs"
    unit = report.units.get(part.value)
    return "its binary changed after it started" if unit is not None and unit.binary_replaced else None


def _why_read_keys_again(wanted: Wants, due: Iterable[str], report: HostReport) -> str | None:
    """Why haproxy has to read its keys again: they are about to be written, or were and nobody took them up."""
    if host_paths.ETCD_HAPROXY_PEM not in wanted.identity:
        return None
    if any(host_paths.is_below(path, host_paths.ETCD_PKI) for path in due):
        return "its keys are due for renewal"
    since = taken_up_at(Part.HAPROXY, report)
    if since is not None and any(report.files[path].changed_at > since for path in host_paths.HAPROXY_ETCD_KEYS):
        return "its keys changed after it started"
    return None


def taken_up_at(part: Part, report: HostReport) -> float | None:
    """When this part's files were last read, in seconds since the epoch; by what it made where kubeadm reads them."""
    if part in MADE_BY_KUBEADM:
        made = report.files.get(MADE_BY_KUBEADM[part])
        return made.changed_at if made else None
    unit = report.units.get(part.value)
    return unit.since if unit else None


def unit_step(kind: Kind, host: str, unit: str, report: HostReport, why: str | None) -> Step | None:
    """Bring a unit up; one that runs and is enabled, only for ``why``."""
    state = report.units.get(unit)
    if state is None:
        return Step(kind, host, f"{unit} not present yet", (unit,))
    if state.masked:
        return Step(kind, host, f"{unit} is masked", (unit,))
    if not state.active:
        return Step(kind, host, f"{unit} is stopped", (unit,))
    if not state.enabled:
        return Step(kind, host, f"{unit} is disabled", (unit,))
    return Step(kind, host, f"{unit}: {why}", (unit,)) if why else None


def step_on(kind: Kind, host: str, items: tuple[str, ...], why: str) -> Step | None:
    """A step when there is something to do it to."""
    return Step(kind, host, why, items) if items else None
