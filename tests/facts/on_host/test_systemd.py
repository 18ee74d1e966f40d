"""Units as systemd and their journals report them."""

import pytest

from haplane.facts.on_host import systemd

SHOWN = """LoadState={load}
ActiveState={active}
UnitFileState={file}
Id=kubelet.service
"""
INFORMS = 'I1130 10:21:36.717372       1 content.go:195] "Failed to remove file watch" err="can\'t remove it"'
SWAP = (
    'E1129 12:00:00.123456    4711 run.go:72] "command failed" err="failed to run Kubelet: running with swap on is '
    'not supported, please disable swap or set --fail-swap-on flag to false"'
)
JOURNAL = f"""I1129 12:00:00.100000    4711 server.go:529] "Kubelet version"
{SWAP}
{INFORMS}
kubelet.service: Main process exited, code=exited, status=1/FAILURE
kubelet.service: Failed with result 'exit-code'.
Failed to start kubelet.service - kubelet.
"""


def units(monkeypatch, *, load="loaded", active="activating", file="enabled", journal=JOURNAL):
    shown = SHOWN.format(load=load, active=active, file=file)
    monkeypatch.setattr(systemd, "run_if_installed", lambda program, *_: shown if program == "systemctl" else journal)
    return systemd.units(["kubelet"])["kubelet"]


def test_a_unit_that_fails_has_its_own_last_words_and_not_systemds(monkeypatch):
    found = units(monkeypatch)
    assert found["why"].startswith(
        '"command failed" err="failed to run Kubelet: running with swap on is not supported'
    )


@pytest.mark.parametrize("change", [{"active": "active"}, {"active": "inactive"}, {"journal": None}])
def test_one_that_runs_or_was_stopped_has_none(monkeypatch, change):
    assert units(monkeypatch, **change)["why"] == ""


def test_a_masked_unit_is_installed(monkeypatch):
    """Its package was installed again, and the start failed: "Unit haproxy.service is masked"."""
    found = units(monkeypatch, load="masked", active="inactive", file="masked")
    assert (found["masked"], found["active"], found["enabled"]) == (True, False, False)


@pytest.mark.parametrize(
    ("start", "missing"),
    [
        ("{{ path=/bin/sh ; argv[]=/bin/sh -c true ; ignore_errors=no }}", ""),
        ("{{ path={0}/gone ; argv[]={0}/gone path=/x ; ignore_errors=no }}", "{0}/gone"),
        ("{{ path={0}/data ; argv[]={0}/data ; ignore_errors=no }}", "{0}/data"),
        ("{{ path=/bin/sh ; argv[]=x }} ; {{ path={0}/second ; argv[]=y }}", "{0}/second"),
        ("", ""),
    ],
)
def test_a_program_that_is_gone_would_not_be_started_again(start, missing, tmp_path):
    (tmp_path / "data").write_text("not executable")
    assert systemd.missing_program(start.format(tmp_path)) == missing.format(tmp_path)
