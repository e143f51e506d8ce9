# Targets for people. The steps themselves are in .ci/run, so that a machine and
# a person check the same things.

FUZZTIME ?= 10s
FUZZBUDGET ?= 3600
BENCH ?= .

.DEFAULT_GOAL := help
.PHONY: help demo test race lint vuln fuzz bench cover build examples ci

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

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

build: ## Build all modules, for arm64 too
	.ci/run build

examples: ## Build the examples
	go build ./examples/...

ci: ## Everything that must hold before a change is merged
	.ci/run
