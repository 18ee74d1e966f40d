"""Contexts for tests: an executor without hosts, whose clock is moved by sleeping alone."""

import inspect
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import samples

from haplane.context.context import Context
from haplane.context.decision import Decision
from haplane.context.request import Request
from haplane.context.view import View
from haplane.domain.answers import Gathered
from haplane.domain.observed import Observation
from haplane.domain.plan import Plan
from haplane.drills.drill import DrillContext


class FakeExecutor:
    """Remembers what it is told; each look takes the next of ``looks``, and the last for ever."""

    def __init__(self, looks=()):
        self.looks = list(looks)
        self.deployed, self.said, self.locks = [], [], []
        self.clock = 0.0

    def progress(self, subject, message, fraction=None):
        self.said.append((subject, message))

    def now(self):
        return samples.NOW + timedelta(seconds=self.clock)

    def monotonic(self):
        return self.clock

    def sleep(self, seconds):
        self.clock += seconds

    @contextmanager
    def lock(self, inventory, hosts, command):
        self.locks.append((command, [host.name for host in hosts]))
        held = SimpleNamespace(inventory=inventory, check=lambda: None, breaking_off=nullcontext)
        held.away = lambda host: nullcontext()
        yield held

    def observe(self, hosts, request):
        seen = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        moment = {"started_at": self.now().timestamp(), "finished_at": self.now().timestamp()}
        reports = {name: report.model_copy(update=moment) for name, report in seen.reports.items()}
        return Gathered(reports, dict(seen.unreachable))

    def deploy(self, hosts, recipe, **arguments):
        inspect.signature(recipe._inner).bind(**arguments)
        if hosts:
            self.deployed.append((recipe._inner.__name__, [host.name for host in hosts], arguments))

    @property
    def recipes(self):
        """The names of what was deployed."""
        return [name for name, _, _ in self.deployed]

    def endpoint_is_ready(self, inventory):
        return True


def context_of(
    inventory, observation=None, *, executor=None, steps=(), wants=None, decision=None, window=None, **asked
):
    """A context that has seen this and is going to do that; later looks find the same unless told otherwise."""
    seen = observation or Observation(reports={})
    request = Request(**{"inventory": inventory, "manifest": samples.manifest(), "bundle": Path(), **asked})
    executor = executor or FakeExecutor()
    if isinstance(executor, FakeExecutor) and not executor.looks:
        executor.looks = [seen]
    view = View(observation=seen, seen_at=samples.NOW, **({"window": window} if window else {}))
    return Context(request, executor, view, decision or Decision(plan=Plan(tuple(steps)), wants=wants or {}))


def drill_context(
    inventory, *, executor=None, machines=None, look=None, client=None, probe=None, watch=None, haplane=None
):
    """What a drill is given, of which a test gives what it is about."""
    return DrillContext(
        inventory=inventory,
        executor=executor or FakeExecutor(),
        machines=machines,
        look=look,
        client=client,
        probe=probe,
        watch=watch,
        haplane=haplane,
    )


def write_bundle(directory):
    """The sample's bundle, as small as it can be."""
    manifest = samples.manifest()
    (directory / "manifest.json").write_text(manifest.model_dump_json())
    for file in manifest.everything():
        (directory / file.stored).write_bytes(b"x")
    return str(directory)


def see(context, observation):
    """From now on the context knows this."""
    context.see(View(observation=observation, seen_at=samples.NOW, window=context.view.window))
