# Everyday commands. "make help" lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
GOBUILD := CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)'
PLATFORMS := linux/amd64 linux/arm64 windows/amd64 windows/arm64
ARGS ?=

.PHONY: help
help: ## list the targets
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.PHONY: run
run: build ## build and start the demonstration (ARGS="--listen 127.0.0.1:9080" for options); Ctrl-C ends it
	@exec bin/metermanager demo $(ARGS)

.PHONY: build
build: ## build bin/metermanager for this machine
	$(GOBUILD) -o bin/metermanager ./service

.PHONY: desktop
desktop: ## build bin/metermanager-viewer, the log viewer with a window (needs a C compiler and X11/OpenGL headers; installs them as root on Debian)
	@tools/desktoptools.sh build
	CGO_ENABLED=1 go build -trimpath -buildvcs=false -tags migrated_fynedo -ldflags '$(LDFLAGS)' -o bin/metermanager-viewer ./viewer

.PHONY: desktop-windows
desktop-windows: ## cross-build the log viewer for Windows (needs gcc-mingw-w64-x86-64)
	CGO_ENABLED=1 GOOS=windows GOARCH=amd64 CC=x86_64-w64-mingw32-gcc go build -trimpath -buildvcs=false -tags migrated_fynedo \
		-ldflags '$(LDFLAGS) -H windowsgui' -o bin/windows-amd64/metermanager-viewer.exe ./viewer

# A collection of files of others that are not shipped. Tests that need it are skipped without it, and say so.
MM_SHARED_DATA ?= $(abspath $(wildcard ../shared/data))
test race: export MM_SHARED_DATA := $(MM_SHARED_DATA)

.PHONY: test
test: testtools ## vet and all tests; the last line counts them
	CGO_ENABLED=0 go vet -tags ci ./...
	go -C tools vet ./testsum ./mutants
	CGO_ENABLED=0 go build -C tools -buildvcs=false -o ../.tools/testsum ./testsum
	{ CGO_ENABLED=0 tools/postgres.sh run go test -json -timeout 40m -tags ci ./... || true; CGO_ENABLED=0 go -C tools test -json ./testsum ./mutants || true; } | .tools/testsum

# Versions of what only tests use.
MODBUS_SERIAL := 8.0.25
HYPARQUET := 1.33.0/1.1.2

.PHONY: testtools
testtools: ## install what tests compare us with (mbpoll, curl, pymodbus, libmodbus, modbus-serial, pyftpdlib, hyparquet, PostgreSQL, xmllint, rsyslog), when absent and run as root
	@tools/testtools.sh $(MODBUS_SERIAL) $(HYPARQUET)
	@tools/desktoptools.sh test || echo "tests that open a window are skipped"

.PHONY: race
race: ## all tests under the race detector (needs a C compiler)
	CGO_ENABLED=1 tools/postgres.sh run go test -race -timeout 60m -tags ci ./...

.PHONY: lint
lint: ## gofmt, vet for Linux and Windows, staticcheck
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); \
	if [ -n "$$unformatted" ]; then echo "not formatted:"; echo "$$unformatted"; exit 1; fi
	CGO_ENABLED=0 go vet -tags ci ./...
	CGO_ENABLED=0 GOOS=windows go vet -tags ci ./...
	go build -C tools -buildvcs=false -o ../.tools/staticcheck honnef.co/go/tools/cmd/staticcheck
	CGO_ENABLED=0 .tools/staticcheck -tags ci ./...

.PHONY: generate
generate: ## rewrite the generated parts of the documents (the table in ARCHITECTURE.md)
	CGO_ENABLED=0 go test -tags ci -count=1 -run '^TestArchitecture' . -update

.PHONY: mutants
mutants: ## break the program on purpose, line by line: the tests must notice (ARGS="-only Clear" for some)
	CGO_ENABLED=0 go build -C tools -buildvcs=false -o ../.tools/mutants ./mutants
	.tools/mutants $(ARGS)

.PHONY: e2e
e2e: testtools ## whole-system tests only, with their output
	CGO_ENABLED=0 tools/postgres.sh run go test -tags ci -count=1 -v ./service/e2e/...

N ?= 1000
PROCS ?= $(shell echo $$(( ($(N) + 49) / 50 )))
SEED ?= 1

.PHONY: torture
torture: ## the fault harness from SEED on: N runs in virtual time, PROCS (N/50) with real processes; goes on after a failing seed, and says how to repeat it
	@failed=; export CGO_ENABLED=0; \
	[ $(N) = 0 ] || tools/torture.sh $(SEED) $(N) || failed=1; \
	[ $(PROCS) = 0 ] || go test -tags ci -count=1 -timeout 0 -v ./service/e2e/process -run '^TestProcesses$$' \
		-first $(SEED) -runs $(PROCS) | awk '/^=== |^ *--- PASS: .*\// {next} {print; fflush()}' || failed=1; \
	[ -z "$$failed" ]

.PHONY: lines
lines: ## meters behind lines that delay, drop, double, reorder, cut and spoil, from SEED on: N runs in virtual time
	CGO_ENABLED=0 go test -tags ci -count=1 -timeout 0 -v ./service/e2e/line -run '^TestSpoiledLines$$' -line.seed $(SEED) -line.n $(N) \
		| awk '/^=== |^ *--- PASS: .*\// {next} {print; fflush()}'

.PHONY: load
load: ## 1,000 sites against one cloud on loopback (LOAD_SITES, LOAD_PAGES, LOAD_SECONDS); 50 meters at one site (LOAD_METERS, LOAD_METER_HOURS, LOAD_METER_SECONDS)
	LOAD_SITES=$${LOAD_SITES:-1000} LOAD_PAGES=$${LOAD_PAGES:-5} LOAD_SECONDS=$${LOAD_SECONDS:-900} \
		LOAD_METERS=$${LOAD_METERS:-50} LOAD_METER_HOURS=$${LOAD_METER_HOURS:-48} LOAD_METER_SECONDS=$${LOAD_METER_SECONDS:-120} \
		CGO_ENABLED=0 go test -count=1 -v -timeout 30m ./service/e2e/load

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME each (10s)
	tools/fuzz.sh

.PHONY: bench
bench: ## the benchmarks, one after the other; then how they grow (GROWTH_METERS, GROWTH_MONTHS), and beside other databases, where installed (PEERS_METERS, PEERS_DAYS)
	METERMANAGER_TEST_POSTGRES_FSYNC=on CGO_ENABLED=0 tools/postgres.sh run go test -tags ci -run '^$$' -bench . -benchmem -p 1 ./...
	GROWTH_METERS=$${GROWTH_METERS:-1,10,100} GROWTH_MONTHS=$${GROWTH_MONTHS:-1,6,24} CGO_ENABLED=0 go test -count=1 -v -timeout 60m -run '^TestGrowth$$' ./service/e2e/peers
	PEERS_METERS=$${PEERS_METERS:-4} PEERS_DAYS=$${PEERS_DAYS:-180} CGO_ENABLED=0 go test -count=1 -v -timeout 60m -run '^TestPeers$$' ./service/e2e/peers

.PHONY: cross
cross: ## build for Linux and Windows, amd64 and arm64, without cgo
	@for p in $(PLATFORMS); do \
		out=bin/$${p/\//-}/metermanager; [ "$${p%/*}" = windows ] && out=$$out.exe; \
		echo "build $$p"; GOOS=$${p%/*} GOARCH=$${p#*/} $(GOBUILD) -o $$out ./service; done

.PHONY: check
check: lint generate cross test ## what must pass before a change is merged
	git diff --exit-code -- ARCHITECTURE.md
