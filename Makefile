# The front door: thin calls only. The build is meson's (meson.build), the scripts are in .ci, HACKING.md tells the rest.

build:
	@.ci/deps build
	@.ci/build build

run: build
	@exec build/hooksd

test:
	@.ci/deps build test
	@.ci/build build -Dtests=enabled
	@.ci/test build

check-fast:
	@.ci/deps build test
	@.ci/build build -Dtests=enabled
	@meson test -C build --no-rebuild --print-errorlogs --suite unit --suite lint

# The tests that depend on the version of PostgreSQL, with another one than Debian's: make test-postgres V=18
test-postgres:
	@.ci/deps build test
	@.ci/build build -Dtests=enabled
	@.ci/test-postgres build $(V)

chaos:
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

# Looks for inputs that break what reads from outside: FUZZ="decode head" names targets, FUZZ_SECONDS is how long each.
fuzz:
	@.ci/deps build clang
	@.ci/fuzz $(FUZZ)

torture:
	@.ci/deps build test
	@.ci/build build -Dtests=enabled
	@TORTURE=all HOOKS_BUILD_DIR=$(CURDIR)/build /usr/bin/python3 -m pytest -s tests/e2e/test_torture.py tests/e2e/test_webhooks_torture.py

picture:
	@.ci/deps build test
	@.ci/build build -Dtests=enabled
	@PICTURE_SECONDS=60 HOOKS_BUILD_DIR=$(CURDIR)/build /usr/bin/python3 -m pytest tests/e2e/test_monitoring.py -k picture

bench:
	@.ci/deps build bench
	@.ci/build build
	@/usr/bin/python3 tests/bench/run.py $(BENCH)

bench-check:
	@.ci/deps build bench-check
	@.ci/build build
	@/usr/bin/python3 tests/bench/check.py

deb:
	@.ci/deps build deb
	@.ci/deb

sbom: build
	@deploy/sbom.py build/hooksd build/hooksctl

valgrind:
	@.ci/deps build test bench-check
	@.ci/build build -Dtests=enabled
	@.ci/valgrind build

format:
	@.ci/deps lint
	@.ci/format fix

clean:
	@rm -rf build build-*

.PHONY: build run test check-fast test-postgres chaos fuzz torture picture bench bench-check deb sbom valgrind format clean
