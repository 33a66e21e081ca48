# Everything that is built or fetched lands in .cache; `make clean` forgets it.
export PATH := $(CURDIR)/.cache/venv/bin:$(PATH)
# Nothing is read from or written to the collections of whoever runs this.
export ANSIBLE_HOME := $(CURDIR)/.cache/ansible
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/.cache/collections

.PHONY: venv
venv: .cache/venv/.done
.cache/venv/.done: .config/requirements.txt .config/constraints.txt
	tools/venv .cache/venv .config/requirements.txt .config/constraints.txt
	touch $@

.PHONY: collection
collection: venv
	tools/collection .cache/collections

.PHONY: unit
unit: collection
	pytest tests/unit

.PHONY: clean
clean:
	rm -rf .cache
