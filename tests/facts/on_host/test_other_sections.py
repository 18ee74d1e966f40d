"""Whatever else a load balancer serves, wherever its files are."""

import pytest

from haplane.facts.on_host import other_sections
from haplane.render import render

OURS = {
    "haproxy": render("haproxy.cfg.j2", endpoint_port=6443, masters=(), etcd=(), apiserver_port=6443),
    "keepalived": render(
        "keepalived.conf.j2", name="lb1", interface="eth0", router_id=7, priority=100, advert_seconds=1,
        address="192.0.2.11", peers=(), endpoint_address="192.0.2.10",
    ),
}  # fmt: skip
DEFAULT = "global\n\tlog /dev/log local0\n\ndefaults\n\tmode http\n"
UNIT = (
    "ExecStart=/usr/sbin/haproxy -Ws -f $CONFIG -p $PIDFILE $EXTRAOPTS\nEnvironment=CONFIG=/etc/haproxy/haproxy.cfg\n"
)


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A host's directories; ``units`` are what systemd has of haproxy and keepalived."""
    for name in ("haproxy", "keepalived", "default", "units"):
        (tmp_path / name).mkdir()
    (tmp_path / "units/haproxy.service").touch()
    monkeypatch.setattr(other_sections, "UNIT_FILES", (str(tmp_path / "units"),))
    monkeypatch.setattr(other_sections, "HAPROXY_CFG", str(tmp_path / "haproxy/haproxy.cfg"))
    monkeypatch.setattr(other_sections, "KEEPALIVED_CONF", str(tmp_path / "keepalived/keepalived.conf"))
    monkeypatch.setattr(other_sections, "SETTINGS", (str(tmp_path / "default"),))
    monkeypatch.setattr(other_sections, "run_if_installed", lambda *words: UNIT if "haproxy" in words else None)
    return tmp_path


def found(host):
    files = "haproxy/haproxy.cfg", "keepalived/keepalived.conf"
    own = [other_sections.read(f"{host}/{path}") or "" for path in files]
    return {
        (one["program"], one["path"].removeprefix(f"{host}/")): one["sections"]
        for one in other_sections.other_sections(*own)
    }


@pytest.mark.parametrize(
    ("program", "text", "sections"),
    [
        ("haproxy", DEFAULT, []),
        ("haproxy", OURS["haproxy"], []),
        ("haproxy", f"{DEFAULT}  listen web\n    bind :80\n", ["listen web"]),
        ("haproxy", f"{DEFAULT}\tfrontend 'mail-in'\n", ["frontend mail-in"]),
        ("haproxy", f"{DEFAULT}log-forward syslog\n  dgram-bind :514\n", ["log-forward syslog"]),
        ("haproxy", f"{DEFAULT}# listen web\n", []),
        ("haproxy", f"{OURS['haproxy']}listen stats\n", ["listen stats"]),
        ("keepalived", OURS["keepalived"], []),
        ("keepalived", "global_defs {\n}\nvrrp_instance VI_1 {\n}\n", ["vrrp_instance VI_1"]),
        ("keepalived", " virtual_server 192.0.2.5 80 {\n", ["virtual_server 192.0.2.5 80"]),
        ("keepalived", 'vrrp_sync_group "both" # two\n{\n', ["vrrp_sync_group both"]),
    ],
)
def test_every_section_that_is_not_ours_is_named(program, text, sections):
    """An indented ``listen web`` was none, and of keepalived nothing was read."""
    assert other_sections.foreign(program, text) == sections


def test_what_haproxy_reads_besides_its_file_is_looked_at_until_it_is_ours(host):
    (host / "haproxy/haproxy.cfg").write_text(DEFAULT)
    for name in ("conf.d", "sites"):
        (host / "haproxy" / name).mkdir()
        (host / "haproxy" / name / "web.cfg").write_text("listen web\n")
        (host / "haproxy" / name / "old.cfg.bak").write_text("listen old\n")
    (host / "one").write_text("frontend one\n")
    assert found(host) == {}
    (host / "default/haproxy").write_text(
        f'#EXTRAOPTS="-f {host}/haproxy/sites"\nEXTRAOPTS="-f {host}/haproxy/conf.d -f{host}/one -f ${{MORE}}"\n'
    )
    web, one = ("haproxy", "haproxy/conf.d/web.cfg"), ("haproxy", "one")
    assert found(host) == {web: ["listen web"], one: ["frontend one"]}
    with (host / "default/haproxy").open("a") as settings:
        settings.write(f"MORE={host}/haproxy/sites\n")
    assert ("haproxy", "haproxy/sites/web.cfg") in found(host)
    (host / "haproxy/haproxy.cfg").write_text(OURS["haproxy"])  # what a user adds now is lost by nothing
    assert found(host) == {}


def test_what_keepalived_includes_is_looked_at(host):
    (host / "keepalived/keepalived.conf").write_text("include conf.d/*.conf\ninclude keepalived.conf\n")
    (host / "keepalived/conf.d").mkdir()
    (host / "keepalived/conf.d/db.conf").write_text("vrrp_instance db {\n}\n")
    assert found(host) == {("keepalived", "keepalived/conf.d/db.conf"): ["vrrp_instance db"]}


@pytest.mark.parametrize("unit", [None, "haproxy", "keepalived"])
def test_systemd_is_queried_only_for_programs_that_the_host_has(host, monkeypatch, unit):
    """Every look ran `systemctl cat` for haproxy and keepalived, on hosts without either too."""
    (host / "units/haproxy.service").unlink()
    if unit:
        (host / f"units/{unit}.service").touch()
    queried = []
    monkeypatch.setattr(other_sections, "run_if_installed", lambda *words: queried.append(words))
    found(host)
    assert queried == ([("systemctl", "cat", unit)] if unit else [])
