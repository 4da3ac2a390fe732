# make demo            a check fails and recovers on this machine; stays up until Ctrl-C (ONCE=1: ends by itself)
# make test            everything that must hold: formatting, lints, unit, property and end-to-end tests, rules, templates
# make lint | unit | e2e | rules | templates | checks    the parts of it
#
# Debian's Prometheus and Alertmanager are unpacked into target/tools where they are not on the path; nothing is installed.

CARGO ?= cargo
# nextest runs each test in a process of its own and several at a time; plain `cargo test` does as well where it is missing.
RUN_TESTS := $(shell $(CARGO) nextest --version >/dev/null 2>&1 && echo nextest run --no-fail-fast || echo test)

.PHONY: demo test lint unit e2e rules templates checks tools build
.DEFAULT_GOAL := test

demo: tools build
	@target/debug/demo $(if $(ONCE),--once)

test: lint rules templates checks unit e2e

lint: tools
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --all-features --locked -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --workspace --no-deps --document-private-items --all-features --locked --quiet

unit:
	$(CARGO) $(RUN_TESTS) --workspace --all-features --locked --exclude e2e

e2e: tools build
	$(CARGO) $(RUN_TESTS) --package e2e --locked

rules: tools
	scripts/test-rules.sh

templates: tools
	scripts/test-alertmanager.sh

checks:
	scripts/test-checks.sh

tools:
	@scripts/tools.sh

build:
	$(CARGO) build --workspace --bins --locked
