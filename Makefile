# Every target sets up what it needs first: an environment in .venv, the generated code, a sandbox.
PYTHON ?= python3
SEED ?= 1
OUT ?= runs/demo-$(SEED)
INPUTS ?= 10000000
FAULTS ?= 50
STORE ?= file
BIN := .venv/bin

.PHONY: help demo docs test test-unit fuzz chaos test-images image-tools test-vllm peers lint setup setup-dev sandbox browser protos protos-released seed-model clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

demo: setup sandbox ## run the whole loop here, in minutes: make demo [SEED=2] [OUT=folder]
	$(BIN)/ucoder run --preset demo --seed $(SEED) --out $(OUT) $(if $(wildcard $(OUT)/config.yaml),--resume)

test: setup-dev sandbox browser lint ## run every test
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

test-unit: setup-dev ## run the tests that do no I/O, in seconds
	$(BIN)/python -m pytest tests/unit

fuzz: setup-dev ## ten million nearly right inputs for everything that reads what others wrote: make fuzz [INPUTS=10000000]
	$(BIN)/python -m tests.fuzz $(INPUTS)

chaos: setup-dev sandbox ## fifty faults in one run, then a count of what was lost or doubled: make chaos [FAULTS=50] [STORE=file|s3]
	$(BIN)/python -m tests.chaos $(FAULTS) $(SEED) $(STORE)

image-tools:
	@for tool in debootstrap buildah podman runc; do command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
	  echo "images are built by root with$$missing. Run: sudo apt-get install$$missing" >&2; exit 2; \
	fi; \
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $$missing >/dev/null

test-images: setup-dev sandbox image-tools ## build the images without a registry, start every service from its own, train
	$(BIN)/python -m pytest tests/images

test-vllm: setup-dev .venv-vllm/.installed ## go through every call of a real vLLM, on this machine's CPU
	$(BIN)/python -m pytest tests/vllm

.venv-vllm/.installed: deploy/vllm.sh
	deploy/vllm.sh "$(PYTHON)" .venv-vllm
	@touch $@

peers: .venv-peers/.installed ## install the executors that `ucoder bench sandbox` measures itself against

.venv-peers/.installed: deploy/peers.sh
	deploy/peers.sh "$(PYTHON)" .venv-peers
	@touch $@

lint: setup-dev ## check style, types, words and protos
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/python tests/plain_english.py && \
	cd protos && ../$(BIN)/buf lint && ../$(BIN)/buf format -d --exit-code && ../$(BIN)/buf breaking --against released.binpb

docs: setup-dev ## generate docs/reference from the code
	$(BIN)/python -m ucoder_development.reference_docs

setup: .venv/.installed
setup-dev: .venv/.installed-dev

.venv/.installed .venv/.installed-dev: pyproject.toml $(wildcard protos/ucoder/v1/*.proto) protos/build.py deploy/venv.sh
.venv/.installed:
	deploy/venv.sh "$(PYTHON)" .venv '.[local]'
	@touch $@

.venv/.installed-dev:
	deploy/venv.sh "$(PYTHON)" .venv '.[local,dev]'
	@touch .venv/.installed $@

sandbox: ## install gVisor, through apt where that is allowed
	@deploy/install-sandbox.sh

browser: ## install the headless Chromium that the dashboard is tested in, through apt where that is allowed
	@deploy/install-browser.sh

protos: setup-dev ## generate services/ucoder/v1 from protos/
	$(BIN)/python protos/build.py

protos-released: setup-dev ## with a release: remember its protos, which later ones must stay compatible with (checked by lint)
	cd protos && ../$(BIN)/buf build --exclude-source-info --as-file-descriptor-set -o released.binpb

seed-model: setup ## make the shipped model again, from its corpus: under an hour on one core
	$(BIN)/python -m ucoder_development.seed_training

clean: ## remove the environment and generated code
	rm -rf .venv services/ucoder/v1
