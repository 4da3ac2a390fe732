# make demo            a check fails and recovers on this machine; stays up until Ctrl-C (ONCE=1: ends by itself)
# make test            everything that must hold: formatting, lints, unit, property and end-to-end tests, rules, templates, chaos
# make lint | deny | unit | e2e | rules | templates | pages | transparency | checks | pushgateway | migration | kubernetes | packages | docs | chaos    the parts of it
# make book            the documentation as a book, target/book/index.html. make docs checks its links, and that its reference is the code's
# make deb             Debian packages of everything, static, in target/deb (PROFILE=dev: quick to build)
# make bench           figures beside those of other programs; fifty minutes on a machine that does nothing else
# make bench-compare   what became worse in them since BASELINE (bench/baseline/published.json), worst first; fails if anything did
# make fleet           a cluster of NODES (20000) nodes with CHECKS (50) checks each on this machine, by SHARDS (1) Prometheus servers; 45 minutes and 24 GiB.
#                      WHOLE=1: Prometheus keeps every series, for 5000 nodes. Fails if a target is missed
# make profile         flame graphs of the programs while benches load them, in target/profiles
# make fuzz            each fuzz target for FUZZ_SECONDS (60), by the nightly toolchain where there is one. make test replays what it found
# make deny            the dependencies: licences, duplicates, sources (cargo-deny)
# make advisories      the same, and known vulnerabilities (the list is fetched from GitHub, so this is no part of make test)
# make screenshots     web-ui's pages as pictures, in target/screenshots
# make chaos           parts are killed, networks cut, disks filled, clocks set, by plans from SEEDS (10) seeds from SEED (1) on, while checks fail:
#                      whatever must be told has to be told, once, with its output or why there is none; JOBS (4) at a time, each of ROUNDS
#                      (1; 2 in each fifth seed). make test does ten
# make soak            ten minutes of 500 checks a second, ten of 20,000 alerts that are sent again and again; fails if anything grows
#
# Debian's Prometheus, Alertmanager, Pushgateway and Redis are unpacked into target/tools where they are not on the path; no service is installed.

CARGO ?= cargo
# nextest runs each test in a process of its own; plain `cargo test` does as well where it is missing. Each end-to-end test runs
# a Prometheus and an Alertmanager and waits for them, so several go at a time (which: .config/nextest.toml); with `cargo test`, which
# cannot be told that some need more of the machine, one.
ifneq ($(shell $(CARGO) nextest --version 2>/dev/null),)
RUN_TESTS := nextest run --no-fail-fast
AT_A_TIME := --test-threads=4
else
RUN_TESTS := test --no-fail-fast
AT_A_TIME := -- --test-threads=1
endif

.PHONY: advisories chaos demo deny test lint unit e2e rules templates pages transparency checks pushgateway migration kubernetes packages deb docs book tools browser build bench bench-build bench-compare fleet profile soak fuzz screenshots
.DEFAULT_GOAL := test

demo: tools build
	@target/debug/demo $(if $(ONCE),--once)

test: lint deny rules templates pages checks unit docs transparency pushgateway migration kubernetes packages e2e chaos

lint: tools
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --all-features --locked -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --workspace --exclude fuzz --no-deps --document-private-items --all-features --locked --quiet

unit: tools
	$(CARGO) $(RUN_TESTS) --workspace --all-features --locked --exclude e2e --exclude fuzz

e2e: browser build
	$(CARGO) $(RUN_TESTS) --package e2e --locked $(AT_A_TIME)

rules: tools
	scripts/test-rules.sh

pages:
	scripts/test-pages.py

templates: tools
	scripts/test-alertmanager.sh

transparency: tools build
	scripts/test-transparency.sh

checks: tools
	scripts/test-checks.sh

pushgateway: tools build
	scripts/test-pushgateway.sh

migration: tools build
	scripts/test-migration.sh

kubernetes: tools build
	scripts/test-kubernetes.sh

docs:
	@scripts/book-tools.sh
	scripts/test-docs.sh

book:
	@scripts/book-tools.sh mdbook
	@scripts/book.sh
	@echo target/book/index.html

packages: tools
	scripts/test-packages.sh

deb:
	scripts/deb.sh $(PROFILE)

tools:
	@scripts/tools.sh

browser:
	@scripts/tools.sh browser

build:
	$(CARGO) build --workspace --bins --locked --exclude fuzz

bench: tools bench-build
	@scripts/bench-tools.sh
	@target/release/bench

fleet: tools bench-build
	@target/release/bench fleet --nodes $(or $(NODES),20000) --checks $(or $(CHECKS),50) --shards $(or $(SHARDS),1) $(if $(WHOLE),--whole)

profile: tools bench-build
	@scripts/bench-tools.sh
	@scripts/profile.sh

bench-compare:
	@$(CARGO) run --quiet --release --locked -p bench --bin bench -- compare $(BASELINE)

chaos: tools build
	@target/debug/chaos --seed $(or $(SEED),1) --seeds $(or $(SEEDS),10) $(if $(ROUNDS),--rounds $(ROUNDS)) --jobs $(or $(JOBS),4)

screenshots: browser build
	@target/debug/screenshots

soak: tools bench-build
	@target/release/bench soak resends

fuzz:
	@scripts/fuzz.sh

deny:
	@scripts/deny.sh

advisories:
	@scripts/deny.sh --advisories

# Which sources were measured: each report says it.
bench-build bench-compare: export OGI_REVISION = $(shell git describe --always --dirty --exclude='*' --abbrev=12 2>/dev/null)

bench-build:
	$(CARGO) build --release --locked -p checkscript-runner -p checkscript-agent -p alertmanager-proxy -p pushgateway-ex -p web-ui -p bench --bins
	$(CARGO) build --release --locked -p bench --examples
