from datetime import timedelta

import pytest
import samples

from haplane.domain.observed import Observation
from haplane.domain.progress import silent
from haplane.phases import confirm_health
from haplane.phases.phase import Run
from haplane.pki import paths

INVENTORY = samples.inventory(workers=1)
CONVERGED = samples.converged(INVENTORY)
SERVERS = [{"backend": "apiservers", "name": "m2", "status": "DOWN"}]
LAGGING = samples.altered(
    CONVERGED, "lb1", balancer=CONVERGED.reports["lb1"].balancer.model_dump() | {"servers": SERVERS}
)


@pytest.fixture
def looks(monkeypatch):
    """Each look at the cluster takes the next of these moments, then the last for ever; a sleep passes at once."""
    moments, clock = [], [0.0]

    def look(run):
        run.observation = moments.pop(0) if len(moments) > 1 else moments[0]

    monkeypatch.setattr(confirm_health, "observe", look)
    monkeypatch.setattr(confirm_health, "deploy", lambda *_, **__: None)
    monkeypatch.setattr(confirm_health, "endpoint_answers", lambda _: True)
    monkeypatch.setattr(confirm_health.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(confirm_health.time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    return moments, clock


@pytest.fixture
def run(tmp_path):
    return Run(INVENTORY, samples.manifest(), tmp_path, silent, observation=CONVERGED)


def test_a_check_that_lags_is_looked_at_again(looks, run):
    moments, clock = looks
    moments += [LAGGING, LAGGING, CONVERGED]
    assert confirm_health.confirm_health(run).problems == ()
    assert clock == [2.0]


def test_what_stays_wrong_is_told_after_the_deadline(looks, run):
    moments, clock = looks
    moments += [LAGGING]
    assert confirm_health.confirm_health(run).problems == ("lb1 sends nothing to m2 (DOWN)",)
    assert clock == [confirm_health.SETTLE_SECONDS]


def test_an_unreachable_host_is_not_waited_for(looks, run):
    moments, clock = looks
    reports = {name: report for name, report in CONVERGED.reports.items() if name != "m2"}
    moments += [Observation(reports=reports, unreachable={"m2": "off"})]
    assert "m2: not reachable (off)" in confirm_health.confirm_health(run).problems
    assert clock == [0.0]


def test_the_first_certificate_to_expire_is_named_and_the_kubelets_own_is_not_counted():
    server = f"{paths.ETCD_SERVER}.crt"
    older, newer = (
        samples.leaves(INVENTORY.masters[0], samples.NOW - timedelta(days=days))[server].decode() for days in (9, 0)
    )
    observation = samples.altered(CONVERGED, "m1", certificates={server: newer, confirm_health.KUBELETS_OWN: older})
    observation = samples.altered(observation, "m2", certificates={server: newer, "/etc/odd.crt": "no certificate"})
    found = confirm_health.first_to_expire(observation, samples.NOW)
    assert (found.file, found.days_left > 300) == (f"m1:{server}", True)
    observation = samples.altered(observation, "m3", certificates={server: older})
    assert confirm_health.first_to_expire(observation, samples.NOW).file == f"m3:{server}"
