# The one door: everything that a person or CI does with this project is a target here.
#
#   make run     build the binaries and show Tidegate at work (about two minutes, then it stays up)
#   make test    everything a change must pass
#   make help    the rest

SHELL := /bin/sh
CARGO ?= cargo
CLIENTS := integration-tests/clients
DENY_VERSION := 0.20.2
BUF_VERSION := 1.75.0

.DEFAULT_GOAL := help
.PHONY: help run demo build test check-tools check clients unit system lint bench bench-quick fuzz docs clean

help: ## what there is to do
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1|/' | column -t -s '|'

check-tools:
	@command -v $(CARGO) >/dev/null 2>&1 || { \
	  echo "Rust is needed and was not found: install it with rustup (https://rustup.rs), then run make again." >&2; exit 1; }
	@command -v cc >/dev/null 2>&1 || { \
	  echo "A C linker is needed and was not found: on Debian, sudo apt-get install build-essential." >&2; exit 1; }

build: check-tools ## the release binaries, in target/release
	$(CARGO) build --release --bins -p control-plane -p agent -p console -p demo

run: build ## build, then the demo: a good rollout, a harmful one, then it stays up (DEMO="--help" for its options)
	@target/release/tidegate-demo $(DEMO)

demo: run ## the same as run

test: check clients unit system ## everything a change must pass

check: check-tools ## formatting, clippy and documentation without warnings
	$(CARGO) fmt --all -- --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked --quiet

clients: ## the pinned OpenFeature clients of Python and Node that the system tests drive
	$(CLIENTS)/setup.sh

# All that is run below and nothing else, in one unit graph: other graphs would choose other features of dependencies and
# compile them again. Benches are compiled by clippy.
BUILD_TESTS := $(CARGO) build --workspace --bins --tests --examples --locked

unit: check-tools ## unit and property tests of every crate
	$(BUILD_TESTS)
	$(CARGO) test --workspace --exclude integration-tests --locked

system: check-tools clients ## the real binaries, over real sockets, with real clients and real faults
	$(BUILD_TESTS)
	$(CARGO) test --workspace --locked --test system -- --test-threads=2

lint: check ## check, then licences, bans and sources of dependencies, and the protocol's own lint
	@$(CARGO) deny --version 2>/dev/null | grep -q $(DENY_VERSION) || $(CARGO) install cargo-deny --version $(DENY_VERSION) --locked
	$(CARGO) deny check bans licenses sources
	cd proto && npx --yes @bufbuild/buf@$(BUF_VERSION) lint

bench: check-tools ## all benches; their tables go into docs/performance.md and docs/guard-calibration.md
	$(CARGO) bench -p evaluation --bench evaluate
	$(CARGO) bench -p tidegate-client --bench layer
	$(CARGO) build --release --bins
	$(CARGO) bench -p integration-tests --bench system
	$(CARGO) bench -p rollout --bench calibration

bench-quick: check-tools ## the same benches, in a minute or two
	$(CARGO) bench -p evaluation --bench evaluate -- --quick
	$(CARGO) bench -p tidegate-client --bench layer -- --quick
	$(CARGO) build --release --bins
	$(CARGO) bench -p integration-tests --bench system -- --quick
	$(CARGO) bench -p rollout --bench calibration -- --quick

fuzz: check-tools ## arbitrary bytes and values against every door, many times over
	PROPTEST_CASES=20000 $(CARGO) test --release -p proto -p evaluation -p rollout --locked
	PROPTEST_CASES=20000 $(CARGO) test --release -p agent -p control-plane --locked any_
	PROPTEST_CASES=20000 $(CARGO) test --release -p console --bin tidegate --locked -- document import rule

docs: check-tools ## the API documentation, in target/doc
	$(CARGO) doc --workspace --no-deps

clean: ## what was built and what the demo stored
	$(CARGO) clean
	rm -rf tidegate-data
