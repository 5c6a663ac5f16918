# Every target sets up what it needs first; `make setup` alone does only that.
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast test-long test-thorough static up down bench bench-api bench-backup bench-openstack-api openapi fuzz-api locks clean

# Tests start Python a few hundred times: compiling everything each time would take minutes.
unexport PYTHONDONTWRITEBYTECODE

PY := .venv/bin/python
BIN := .venv/bin

# Three at a time for two processors, since some tests mostly wait. Their files lie in memory where there is room:
# most of the waiting is for a disk to say that it has kept what a test throws away.
PYTEST_IN_MEMORY = \
    if [ -w /dev/shm ] && [ "$$(df --output=avail /dev/shm | tail -n 1)" -gt 2000000 ]; then \
        export PYTEST_DEBUG_TEMPROOT=/dev/shm; fi; \
    $(BIN)/pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

help:
	@echo 'make demo       watch a pool of real virtual machines lose a host and lose nothing else'
	@echo 'make test       every check and test'
	@echo 'make test-fast  the checks, and the tests that need no hypervisor and take less than a second each'
	@echo 'make up         leave a pool and its API running      make down   remove every trace of it'
	@echo 'make bench      how long the control plane takes to bring a dead host'\''s servers back'
	@echo 'make bench-api  how fast the API lists and creates servers'
	@echo 'make bench-backup  how Yui'\''s backups compare with restic'\''s and borg'\''s'
	@echo 'make bench-openstack-api  the same through the OpenStack-compatible API'
	@echo 'make setup      only install what the others need     make locks  lock Python packages'
	@echo 'make clean      make down, and remove what can be made again'

setup:
	@deploy/setup/setup.sh

demo: setup
	@$(PY) -m deploy.demo

up: setup
	@$(PY) -m deploy.local up

down: setup
	@$(PY) -m deploy.local down

static: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# What is heard first: each of these takes less than a second of a processor.
test-fast: static
	$(PYTEST_IN_MEMORY) -m 'not hypervisor and not long'

# Whole lives and stories, deaths at every step, hundreds of drawings.
test-long: setup
	$(PYTEST_IN_MEMORY) -m 'long and not hypervisor'

# What needs a hypervisor comes last. It mostly waits, for guests that boot and hosts that are missed, so that two
# at a time take little longer than one.
test: test-fast test-long
	$(BIN)/pytest -m hypervisor --numprocesses 2 --dist loadfile --no-loadscope-reorder

bench: setup
	@$(BIN)/yui bench failover --hosts 100 --servers 2000 --json

# Measures also how fast the machine is at the moment: let nothing else run.
bench-api: setup
	@$(PY) -m benchmarks.api

bench-openstack-api: setup
	@$(PY) -m benchmarks.openstack_api

# Beside restic and borg, on the same disk image; takes some 20 GB for a while.
bench-backup: setup
	@$(PY) -m benchmarks.backup

# The description of the API as a file; a test compares the two.
openapi: setup
	@$(PY) -m control_plane.openapi_file

# What is drawn at random, forty times as much of it: for a night, or before a release.
test-thorough: setup
	YUI_THOROUGHNESS=40 YUI_FUZZ_CASES=10000 $(BIN)/pytest -m 'not hypervisor' --timeout 7200 --numprocesses 2

# Ten thousand requests drawn from that description.
fuzz-api: setup
	YUI_FUZZ_CASES=10000 $(BIN)/pytest tests/api/test_every_request_imaginable.py

locks: setup
	@deploy/setup/lock.sh

clean: down
	rm -rf var build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
