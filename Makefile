# Each target calls one program per line. `make` alone prints the targets.

CARGO ?= cargo
ENGINE ?= docker
IMAGE ?= ghcr.io/doce-dev/doce-operator:dev
HOST := $(shell rustc --print host-tuple)
CACHE := $(or $(DOCE_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/doce-operator)
DENY_VERSION := 0.20.2
DENY := $(CACHE)/tools/cargo-deny-$(DENY_VERSION)/bin/cargo-deny
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
CLUSTER := $(CARGO) run --quiet --locked --package doce-cluster --

.DEFAULT_GOAL := help
.PHONY: help build binary plugin image check check-fast test test-offline test-control-plane test-chaos test-node test-suite chaos bench bench-builds bench-rollback generate \
	lean-operator verify cluster cluster-down demo demo-down clean

help: ## Print this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 26

demo: ## Start a cluster, install the operator, deploy a sample, print its URL (as root, on Debian 12)
	$(CLUSTER) demo

demo-down: ## Take the demo down
	$(CLUSTER) demo --down

test: test-offline test-control-plane test-chaos test-node ## Run all tests: unit, model, control plane, a sample of chaos, node (as root, on Debian 12)

test-offline: ## Run unit, model, packaging and architecture tests; no cluster, no network
	$(CARGO) test --workspace --locked

test-control-plane: export KUBECONFIG := $(KUBECONFIG)
test-control-plane: ## Run tests on a real control plane with simulated pods (KUBECONFIG=…: on another one), and cleanup tests on a real registry
	$(CARGO) test --locked --test control_plane --no-run
ifeq ($(origin KUBECONFIG),command line)
	@echo "skipping at_rest and several_operators, because they read the audit log"
	$(CARGO) test --locked --test control_plane -- --include-ignored --test-threads=4 --skip at_rest --skip several_operators
else
	$(CLUSTER) with control-plane -- $(CARGO) test --locked --test control_plane -- --include-ignored --test-threads=4
endif
	$(CARGO) test --locked --lib -- --ignored

test-chaos: export CHAOS_SAMPLE := $(or $(CHAOS_SAMPLE),40)
test-chaos: export CHAOS_MINUTES := $(or $(CHAOS_MINUTES),8)
test-chaos: ## Run a sample of make chaos, the same one every time (CHAOS_SAMPLE=40, CHAOS_SEED=…)
	$(CARGO) test --locked --test chaos --no-run
	$(CLUSTER) with control-plane -- $(CARGO) test --locked --test chaos -- --ignored --nocapture

chaos: ## Run every fault at every request of every life; CHAOS_PLAN='…' runs one (CHAOS_ONLY=…, CHAOS_LANES=8)
	$(CARGO) test --locked --test chaos --no-run
	$(CLUSTER) with control-plane -- $(CARGO) test --locked --test chaos -- --ignored --nocapture

test-node: export SAMPLES := $(SAMPLES)
test-node: ## Run tests on a real node with real builds and requests; SAMPLES=all builds more samples
	$(CARGO) test --locked --test node --no-run
	$(CLUSTER) with node -- $(CARGO) test --locked --test node -- --include-ignored --test-threads=3

test-suite: export SUITE := $(SUITE)
test-suite: export ONLY := $(ONLY)
test-suite: export RUN := $(RUN)
test-suite: export TABLE := $(TABLE)
test-suite: export LOGS := $(LOGS)
test-suite: ## Plan every example of a suite (SUITE=DIR); RUN=1 builds and runs them on a real node (ONLY=…, TABLE=FILE.md, LOGS=DIR)
	$(CARGO) test --locked --test suite --no-run
	$(if $(RUN),$(CLUSTER) with node --) $(CARGO) test --locked --test suite -- --ignored --nocapture

bench: export LEAN_OPERATOR_BINARY := $(TARGET)/lean-operator
bench: export DOCE_OPERATOR_BINARY ?= $(TARGET)/release/doce-operator
bench: export BENCH_ROUNDS := $(BENCH_ROUNDS)
bench: export BENCH_SCALE := $(BENCH_SCALE)
bench: export DOCE_NODE_PORT_RANGE := $(shell test 0$(BENCH_SCALE) -le 2500 || echo 20000-45000)
bench: export BENCH_ONLY := $(BENCH_ONLY)
bench: export BENCH_SUBJECTS := $(BENCH_SUBJECTS)
bench: lean-operator ## Measure the operator next to a plain client and a minimal operator; print tables (BENCH_ROUNDS=3, BENCH_SCALE=1000, BENCH_ONLY=…)
ifndef DOCE_OPERATOR_BINARY
	$(CARGO) build --release --locked --package doce-operator --bin doce-operator
endif
	$(CARGO) bench --profile quick --locked --bench operators --no-run
	$(CLUSTER) with control-plane -- $(CARGO) bench --profile quick --locked --bench operators

lean-operator: export CGO_ENABLED = 0
lean-operator:
	go -C tests/bench/lean-operator build -trimpath -o $(TARGET)/lean-operator .

bench-rollback: ## Measure a rollback and kubectl rollout undo on a real node; print the times
	$(CARGO) bench --profile dev --locked --bench rollback --no-run
	$(CLUSTER) with node -- $(CARGO) bench --profile dev --locked --bench rollback

bench-builds: ## Measure where the seconds of small builds go, next to a plain buildctl on a real node; print the times
	$(CARGO) bench --profile dev --locked --bench builds --no-run
	$(CLUSTER) with node -- $(CARGO) bench --profile dev --locked --bench builds

check-fast: ## Check formatting and lints; warnings are errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- --deny warnings

check: export RUSTDOCFLAGS = --deny warnings
check: check-fast verify $(DENY) ## Run check-fast; check documentation, generated files, licences and sources of dependencies
	$(CARGO) doc --workspace --no-deps --locked --quiet
	$(DENY) --workspace --locked check bans licenses sources

$(DENY):
	$(CARGO) install --quiet --locked --version $(DENY_VERSION) --root $(@D)/.. cargo-deny

build: ## Build the operator and the cluster launcher for this machine
	$(CARGO) build --workspace --locked

binary: export RUSTFLAGS = -C target-feature=+crt-static
binary: ## Build the operator as a static release binary
	$(CARGO) build --release --locked --package doce-operator --bin doce-operator --target $(HOST)

plugin: export RUSTFLAGS = -C target-feature=+crt-static
plugin: ## Build kubectl doce as a static release binary, and print its path
	$(CARGO) build --profile plugin --locked --package doce-operator --bin kubectl-doce --target $(HOST)
	@test "$$(wc -c < $(TARGET)/$(HOST)/plugin/kubectl-doce)" -lt 15000000 || { echo "the plugin has more than 15 MB" >&2; exit 1; }
	@ls $(TARGET)/$(HOST)/plugin/kubectl-doce

image: ## Build the operator's image with a container engine (ENGINE=podman, IMAGE=…)
	$(ENGINE) build --tag $(IMAGE) .

generate: export BLESS = 1
generate: ## Regenerate the CRD, its copy in the chart, docs/openapi.json, and manifests/install.yaml
	$(CARGO) test --quiet --locked --test offline as_the_code_says
	$(CLUSTER) render --output manifests/install.yaml

verify: ## Check that generated files are up to date
	$(CARGO) test --quiet --locked --test offline
	$(CLUSTER) render --output manifests/install.yaml --check

cluster: ## Start a real node for manual work (as root, on Debian 12); print the KUBECONFIG line
	$(CLUSTER) up --mode node

cluster-down: ## Take that cluster down
	$(CLUSTER) down

clean: ## Remove compiled files; tools and images stay in the cache
	$(CARGO) clean
