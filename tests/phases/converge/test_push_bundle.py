"""What is sent, and of which archives a host is only told."""

import dataclasses

import pytest
import samples
from contexts import FakeExecutor, context_of

from haplane.domain.plan import Kind
from haplane.domain.steps.host import host_steps
from haplane.phases.converge.push_bundle import FINISH_PUSHES, PUSH_BUNDLE, push_bundle

INVENTORY = samples.inventory(workers=1)
CONVERGED = samples.converged(INVENTORY)
IMAGES = {image.file.path: image.reference for image in samples.manifest().images}
FIRST = next(iter(IMAGES))


@dataclasses.dataclass
class Sent:
    host: object
    bundle: object
    files: list
    here: dict = dataclasses.field(default_factory=dict)

    @property
    def paths(self):
        return [file.path for file in self.files]


@pytest.fixture
def pushes():
    """Those for m1, binaries and images, when only its report is not as it should be."""

    def of(**changes):
        observation = samples.altered(CONVERGED, "m1", **changes)
        wants = samples.wants(INVENTORY, observation.reports)
        steps = [step for name in wants for step in host_steps(name, wants[name], observation.reports[name])]
        executor = FakeExecutor()
        executor.push = lambda host, bundle, files, here=None: Sent(host, bundle, files, here or {})
        context = context_of(INVENTORY, observation, steps=steps, wants=wants, executor=executor)
        push_bundle(context)
        sent = context.result
        assert {push.host.name for push in (*sent.binary_pushes, *sent.image_pushes)} <= {"m1"}
        return sent.binary_pushes, sent.image_pushes

    return of


def bundle_without(*paths):
    return {path: sha256 for path, sha256 in CONVERGED.reports["m1"].bundle.items() if path not in paths}


def test_nothing_where_nothing_differs(pushes):
    assert pushes() == ([], [])


def test_an_archive_that_is_there_is_imported_and_not_sent(pushes):
    binaries, [images] = pushes(images=[])
    assert binaries == []
    assert (images.paths, images.here) == ([], IMAGES)


def test_what_arrived_before_a_run_ended_is_not_sent_again(pushes):
    _, [images] = pushes(images=None, bundle=bundle_without(FIRST))
    assert images.paths == [FIRST]
    assert images.here == {path: name for path, name in IMAGES.items() if path != FIRST}


def test_a_containerd_that_cannot_be_asked_is_told_of_every_archive(pushes):
    units = {name: unit.model_dump() for name, unit in CONVERGED.reports["m1"].units.items()}
    units["containerd"]["active"] = False
    _, [images] = pushes(images=None, units=units)
    assert (images.paths, images.here) == ([], IMAGES)


def test_an_archive_that_differs_is_sent_although_its_image_is_known(pushes):
    _, [images] = pushes(bundle=bundle_without(FIRST))
    assert (images.paths, images.here) == ([FIRST], {})


def test_the_phases_run_for_a_containerd_that_is_started(pushes):
    assert Kind.RUNTIME in PUSH_BUNDLE.also_after
    assert Kind.RUNTIME in FINISH_PUSHES.also_after
