"""The etcd members of a cluster in memory: how they start, change, and are given other data."""

import json

from haplane.errors import HaplaneError


class Etcd:
    """What recipes do to them; ``switched`` have other data now, ``databases`` are what each was sent."""

    switched: list
    databases: dict

    def _form_etcd(self, name, arguments):
        self.units(name, "etcd")
        self.take(name, "etcd")

    def _start_etcd(self, name, arguments):
        self._form_etcd(name, arguments)

    def _restart_etcd(self, name, arguments):
        others = [host.name for host in self.inventory.etcd if host.name != name]
        serving = [one for one in others if self.now_reported[one]["etcd"]["reads_through_quorum"]]
        alive = [one for one in serving if one not in self.off]
        assert 2 * len(alive) > len(self.inventory.etcd) - 1 or len(alive) * 2 > len(self.inventory.etcd), "no quorum"
        self.units(name, "etcd")
        self.take(name, "files")

    def _write_journal(self, name, arguments):
        self.now_reported[name]["leftovers"] |= {"journal": json.loads(arguments["journal"].content)}

    def _complete(self, name, arguments):
        self.now_reported[name]["leftovers"] |= {"journal": None}

    def _stop_serving(self, name, arguments):
        self.now_reported[name]["apiserver"] = {"ready": False}
        self.now_reported[name]["kubernetes"] = None

    def _switch_data(self, name, arguments):
        serving = [host.name for host in self.inventory.masters if self.now_reported[host.name]["apiserver"]["ready"]]
        assert not serving, f"{serving} serve while data is replaced"
        self.switched.append(name)
        journal = self.now_reported[name]["leftovers"]["journal"]
        for report in (self.now_reported[name], self.wanted[name]):
            header = report["etcd"]["status"]["header"] | {"revision": journal["revision"] + journal["bump"]}
            status = report["etcd"]["status"] | {"header": header}
            report["etcd"] = report["etcd"] | {"status": status}

    def _resume_serving(self, name, arguments):
        self.take(name, "apiserver", "kubernetes")

    def _remove_member(self, name, arguments):
        self._each_list(lambda members: [one for one in members if f"{one['ID']:x}" != arguments["member"]])

    def _add_learner(self, name, arguments):
        new = {"ID": 99, "name": "", "peerURLs": [arguments["peer_url"]], "isLearner": True}
        self._each_list(lambda members: [*members, new])

    def _start_learner(self, name, arguments):
        self.units(name, "etcd")
        self._each_list(lambda members: [one | {"name": one["name"] or name} for one in members])
        others = [host.name for host in self.inventory.etcd if host.name != name]
        members = self.now_reported[others[0]]["etcd"]["members"]
        status = self.wanted[name]["etcd"]["status"] | {
            "header": {"member_id": 99, "revision": 100},
            "isLearner": True,
        }
        etcd = self.wanted[name]["etcd"] | {"members": members, "reads_through_quorum": False, "status": status}
        self.now_reported[name]["etcd"] = etcd | {"bootstrapped": False}

    def _promote_learner(self, name, arguments):
        self._each_list(lambda members: [one | {"isLearner": False} for one in members])

    def _forbid_bootstrap(self, name, arguments):
        etcd = self.now_reported[name]["etcd"]
        status = etcd["status"] | {"isLearner": False}
        self.now_reported[name]["etcd"] = etcd | {
            "bootstrapped": True,
            "reads_through_quorum": True,
            "status": status,
        }

    def _each_list(self, change):
        for host in self.inventory.etcd:
            etcd = self.now_reported[host.name]["etcd"]
            if etcd["members"]:
                self.now_reported[host.name]["etcd"] = etcd | {"members": change(etcd["members"])}

    def _discard_kept(self, name, arguments):
        kept = self.now_reported[name]["leftovers"]["previous_data"]
        left = [one for one in kept if one["path"] not in arguments["paths"]]
        self.now_reported[name]["leftovers"] |= {"previous_data": left}

    def send_database(self, hosts, path, sha256, target):
        for host in hosts:
            self.reached(host)
        self.sent = [host.name for host in hosts]
        self.databases |= dict.fromkeys(self.sent, path.read_bytes())

    def fetch_output(self, host, text, target):
        self.reached(host)
        if "snapshot.db" not in text or host.name not in self.databases:
            raise HaplaneError(f"a command failed on {host.name}", why="No such file or directory")
        target.write_bytes(self.databases[host.name])
