# Everything that is built or fetched lands in .cache and in Docker's own folders; `make clean` forgets the former.
# SCENARIO=name picks one scenario for `make molecule`; PYHOST_BASE_IMAGE, PYHOST_DEMO_NAME and PYHOST_DEMO_PORT: see tools/.
engine := tools/docker-engine
with_env := . tools/env.sh;
suite := $(with_env) tools/suite

.PHONY: help
help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## make venv         the tools, at their pinned versions
.PHONY: venv
venv: .cache/venv/.done
.cache/venv/.done: .config/requirements.txt .config/constraints.txt
	tools/venv $(@D) $^
	touch $@

.cache/importer-venv/.done: .config/requirements-importer.txt
	tools/venv $(@D) $^
	touch $@

# Tools that would break those of .cache/venv, or be broken by them, each in a place of its own.
scanners := $(patsubst %,.cache/scanners/%/.done,gixy sslyze wapiti)
.cache/scanners/%/.done: .config/requirements-%.txt
	mkdir -p $(dir $(@D))
	tools/venv $(@D) $^
	touch $@

## make collection   the artifact, built and installed below .cache
.PHONY: collection
collection: venv
	$(with_env) tools/collection .cache/collections

## make docker       a Docker engine, where none answers; `make docker-stop` stops only that one
.PHONY: docker docker-stop
docker:
	$(engine) start
docker-stop:
	$(engine) stop

## make images       the Debian releases to test on
.PHONY: images
images:
	$(engine) run tools/base-images

## make dev SCENARIO=app [TESTS='-k name'] [BOTH=1]   the checkout, on a host that is kept; `make dev-down SCENARIO=app`
.PHONY: dev dev-down
dev: venv
	$(engine) start
	tools/base-images
	PYTEST_ADDOPTS="$(TESTS)" PYHOST_BOTH=$(BOTH) tools/dev $(SCENARIO)
dev-down:
	tools/molecule destroy -s $(SCENARIO)

## make affected [BASE=main]   the parts of the suite that your changes can break, and the command that runs them
.PHONY: affected
affected: venv
	@$(with_env) python -m tools.affected $(BASE)

## make generate | format   write what follows from the definitions; format the Python code
.PHONY: generate format
generate: venv
	$(with_env) python -m tools.generate
format: venv
	$(with_env) ruff format .

## make lint | unit | sanity | importer | molecule [SCENARIO=app]
.PHONY: lint unit sanity importer molecule
lint unit sanity: collection
	$(suite) $@
importer: collection .cache/importer-venv/.done
	$(suite) $@
molecule: collection $(scanners)
	$(with_env) $(engine) run sh -c 'tools/base-images && tools/suite $@$(SCENARIO:%=:%)'

## make test         all of them
.PHONY: test
test:
	$(engine) run sh -c 'make --jobs 4 --output-sync ready && . tools/env.sh && tools/suite'

# Side by side: each of them waits for a mirror or an index most of the time. Not by $(MAKE), whose lines run even with -n.
.PHONY: ready
ready: collection .cache/importer-venv/.done $(scanners) images

## make golden       what the golden cases expect, anew from the checkout, and what the servers say of it
.PHONY: golden
golden: venv
	$(with_env) env -u ANSIBLE_COLLECTIONS_PATH python -m tests.golden --write
	$(with_env) $(engine) run sh -c 'tools/base-images && tools/suite $@'

## make pairs        the scenario matrix, and docs/pairs.md with what it saw
.PHONY: pairs
pairs: collection
	-$(with_env) $(engine) run sh -c 'tools/base-images && tools/suite molecule:matrix'
	$(with_env) python -m tools.pairs

## make benchmark    how long runs take, with few and with many applications and sites
.PHONY: benchmark
benchmark: collection
	$(with_env) $(engine) run sh -c 'tools/base-images && python -m benchmarks.runs'

## make upgrade      a host with all back ends, upgraded from Debian 12 to 13; not a part of `make test`
.PHONY: upgrade
upgrade: collection
	$(with_env) $(engine) run sh -c 'tools/base-images && python -m tools.upgrade'

## make demo         a container with three applications that your browser can open; `make demo-down` removes it
.PHONY: demo demo-down
demo: collection docker
	tools/base-images
	$(with_env) tools/demo
demo-down:
	docker rm --force "$${PYHOST_DEMO_NAME:-pyhost-demo}"
	test -n "$$(docker ps --quiet)" || $(engine) stop

## make clean
.PHONY: clean
clean: docker-stop
	rm -rf .cache
