# Targets for people. The steps themselves are in .ci/run, so that a machine and
# a person check the same things.

FUZZTIME ?= 10s
FUZZBUDGET ?= 3600
BENCH ?= .

.DEFAULT_GOAL := help
.PHONY: help demo test race lint vuln fuzz bench cover build examples autobahn autobahn-full soak soak-group ring-stress wait external netns bench-peers bench-here bench-jitter bench-capture ci

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Show it at work: a reactor, three endpoints, a simulated exchange
	go run ./cmd/boomctl demo

test: ## Run the tests (no C compiler needed)
	go test ./...

race: ## Run the tests of all modules under the race detector
	.ci/run race

lint: ## gofmt, go vet and staticcheck over all modules
	.ci/run lint

vuln: ## Look for known vulnerabilities in what is called
	.ci/run vuln

fuzz: ## Fuzz every target for FUZZTIME (10s) each
	FUZZTIME=$(FUZZTIME) FUZZBUDGET=$(FUZZBUDGET) .ci/run fuzz

bench: ## Run the benchmarks that match BENCH (all), shortly
	go test -run '^$$' -bench '$(BENCH)' -benchtime 200ms ./...

cover: ## Say how much of each package the tests reach; writes cover.out
	go test -coverprofile cover.out ./...
	go tool cover -func cover.out | tail -n 1

bench-capture: ## What recording a feed of 200 MB/s costs the reactor (needs two CPUs)
	cd bench && go run ./cmd/capture

build: ## Build all modules, and for arm64 and macOS
	.ci/run build

examples: ## Build the examples
	go build ./examples/...

autobahn: ## Autobahn's cases: 385 over TCP, 301 over TLS (needs a Python 2.7, installs the rest)
	proto/ws/autobahn/run.sh quick

autobahn-full: ## All 517 of Autobahn's cases over both, half an hour (needs a Python 2.7)
	proto/ws/autobahn/run.sh full

soak: ## A thousand endpoints under random faults, for a minute each over TCP and TLS
	BOOMNET_SOAK_ENDPOINTS=1000 BOOMNET_SOAK_TIME=1m go test -count=1 -timeout 10m -run RandomFaults -v ./internal/system

soak-group: ## A thousand endpoints on two reactors, links between them, under faults: ten minutes
	BOOMNET_SOAK_ENDPOINTS=1000 BOOMNET_SOAK_TIME=4m go test -count=1 -timeout 20m -run GroupOfReactors -v ./internal/system

ring-stress: ## 10^8 messages through each ring under each condition, many minutes
	BOOMNET_RING_STRESS=100000000 go test -count=1 -timeout 3h -run 'Stress|NoWake' -v ./reactor/ring

wait: ## The tests of the strategies that wait in system-call state (linux/amd64)
	.ci/run wait

external: ## Tests against name servers, proxies, OpenSSL, shells, linters (root on Debian installs them)
	.ci/run external

netns: ## Cut the cable, and choose the way out, between network namespaces (needs root; installs iproute2)
	.ci/run netns

bench-peers: ## Our clients beside the C floor and other Go libraries (needs two CPUs; a C compiler for the floor)
	cd bench && go run ./cmd/compare -clients boomnet,boomnet-reactor,gws,gobwas,coder,gorilla

bench-here: ## What the parts of a turn cost on this machine, on each CPU
	go run ./cmd/boomctl bench

bench-jitter: ## What keeps loops from running, beside a loop in C (needs two CPUs; a C compiler for that)
	cd bench && go run ./cmd/jitter -stops 100ms

ci: ## Everything that must hold before a change is merged
	.ci/run
