# The front door: thin calls only. The build is meson's (meson.build), the scripts are in .ci, docs/testing.md tells the rest.

build: ## build/hooksd and build/hooksctl
	@.ci/deps build
	@.ci/build build

run: build ## to try it out: builds, and serves on port 8080 with JSONL files and an API key of its own
	@exec .ci/serve build

test: ## unit, fuzz replay, lint, end to end; T=spool: those alone with spool in their names
	@.ci/deps build test
	@.ci/build build -Dtests=enabled
	@.ci/test build $(T)

check-fast: ## all of make test but the end-to-end tests: less than a minute
	@.ci/deps build test
	@.ci/build build -Dtests=enabled
	@.ci/unit build

lint: ## format and static analysis of the C sources
	@.ci/deps lint
	@.ci/lint

analyze: ## clang-tidy and gcc's analyzer over the C sources; minutes
	@.ci/deps build clang
	@.ci/analyze

asan: ## the tests with the address and undefined behaviour sanitizers; T=spool as above
	@.ci/deps build test
	@.ci/asan $(T)

watch: ## after each change of a file: builds, and runs the unit tests that it changes
	@.ci/deps build test watch
	@.ci/watch build

test-postgres: ## the tests that depend on the version of PostgreSQL, with another one: V=18
	@.ci/deps build test
	@.ci/build build -Dtests=enabled
	@.ci/test-postgres build $(V)

chaos: ## random blows to processes, database, network and disk, and power cuts; then counts
	@.ci/deps build test
	@.ci/build build -Dtests=enabled
	@CHAOS_ROUNDS=$${CHAOS_ROUNDS:-200} HOOKS_BUILD_DIR=$(CURDIR)/build /usr/bin/python3 -m pytest -s tests/e2e/test_chaos.py
	@DELIVERY_ROUNDS=$${DELIVERY_ROUNDS:-100} HOOKS_BUILD_DIR=$(CURDIR)/build /usr/bin/python3 -m pytest -s tests/e2e/test_delivery_killed.py
	@SLOW_TESTS=1 NODES_ROUNDS=$${NODES_ROUNDS:-100} HOOKS_BUILD_DIR=$(CURDIR)/build /usr/bin/python3 -m pytest -s tests/e2e/test_nodes_chaos.py
	@KILL_EVERY=1 DELIVERY_EVENTS=$${DELIVERY_EVENTS:-100000} HOOKS_BUILD_DIR=$(CURDIR)/build /usr/bin/python3 -m pytest -s tests/e2e/test_million.py
	@REQUEUE_LETTERS=$${REQUEUE_LETTERS:-20000} HOOKS_BUILD_DIR=$(CURDIR)/build /usr/bin/python3 -m pytest -s tests/e2e/test_requeue_many.py
	@SLOW_TESTS=1 LISTS_TROUBLES=$${LISTS_TROUBLES:-100} FIFO_TROUBLES=$${FIFO_TROUBLES:-50} HOOKS_BUILD_DIR=$(CURDIR)/build /usr/bin/python3 -m pytest -s tests/e2e/test_lists_over_nodes.py tests/e2e/test_fifo_troubles.py
	@KILL_ALL=1 HOOKS_BUILD_DIR=$(CURDIR)/build /usr/bin/python3 -m pytest -s tests/e2e/test_node_killed.py
	@POWERCUT_ROUNDS=$${POWERCUT_ROUNDS:-100} HOOKS_BUILD_DIR=$(CURDIR)/build /usr/bin/python3 -m pytest -s tests/e2e/test_power_cut.py tests/e2e/test_webhooks_power_cut.py

fuzz: ## looks for inputs that break what reads from outside; FUZZ="decode head" names targets, FUZZ_SECONDS is how long each
	@.ci/deps build clang
	@.ci/fuzz $(FUZZ)

torture: ## each call into the C library of master and writers fails in turn; minutes
	@.ci/deps build test
	@.ci/build build -Dtests=enabled
	@TORTURE=all HOOKS_BUILD_DIR=$(CURDIR)/build /usr/bin/python3 -m pytest -s tests/e2e/test_torture.py tests/e2e/test_webhooks_torture.py

picture: ## docs/dashboard.svg: an outage as the dashboard shows it; a minute
	@.ci/deps build test
	@.ci/build build -Dtests=enabled
	@PICTURE_SECONDS=60 HOOKS_BUILD_DIR=$(CURDIR)/build /usr/bin/python3 -m pytest tests/e2e/test_monitoring.py -k picture

bench: ## docs/performance.md tells what; BENCH=quick, or names of cases: tests/bench/run.py --help
	@.ci/deps build bench
	@.ci/build build
	@/usr/bin/python3 tests/bench/run.py $(BENCH)

bench-check: ## instructions per event of each stage, against tests/bench/instructions.txt
	@.ci/deps build bench-check
	@.ci/build build
	@/usr/bin/python3 tests/bench/check.py

deb: ## the Debian package, in build-deb/
	@.ci/deps build deb
	@.ci/deb

sbom: build ## the bill of materials of hooksd and hooksctl (CycloneDX)
	@deploy/sbom.py build/hooksd build/hooksctl

valgrind: ## a few end-to-end tests with memcheck; two minutes
	@.ci/deps build test bench-check
	@.ci/build build -Dtests=enabled
	@.ci/valgrind build

format: ## formats the C sources
	@.ci/deps lint
	@.ci/format fix

clean: ## removes what was built
	@rm -rf build build-*

help: ## this list
	@sed -n 's/^\([a-z-]*\):.* ## \(.*\)/\1\t\2/p' Makefile | while IFS='	' read -r name does; do printf '  make %-14s %s\n' "$$name" "$$does"; done

.PHONY: help build run test check-fast lint analyze asan watch test-postgres chaos fuzz torture picture bench bench-check deb sbom valgrind format clean
