# Two lines to begin with: `make run`, then `make test`. `make help` has the rest.

FUZZTIME ?= 30s
GOTEST   ?= go test -race -p 2 -timeout 25m
STATIC   := honnef.co/go/tools/cmd/staticcheck@v0.8.2
# The lab runs by itself: it says why when it is skipped, which go test shows only under -v.
# The longest first: the others run beside it, two packages at a time.
PACKAGES  = ./test/e2e $$(go list ./... | grep -v -e /test/lab -e /test/packages -e /test/e2e)
SCRIPTS   = packaging/reload-instances packaging/uninstall test/install test/fuzz .ci/run bench/install bench/run bench/compare $(wildcard test/*.sh)

# At a terminal it gets a process group of its own: Ctrl-C would end make as well,
# and make says that with status 130 whatever became of the server.
HELLO     = bin/indrik --chdir examples/hello -w 2 -b 127.0.0.1:8000 app:app

.PHONY: help build run test test-go test-python test-packages lab lab-long lint check fuzz chaos bench bench-go docs deb rpm wheel container install uninstall clean
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

build: ## build bin/indrik
	CGO_ENABLED=0 go build -trimpath -o bin/indrik ./cmd/indrik

run: build ## serve examples/hello on http://127.0.0.1:8000 with two workers; Ctrl-C drains and ends
	@bash -c '[ -t 0 ] || exec $(HELLO); set -m; $(HELLO); exit $$?'

test: build ## install what the tests need (test/install says what), then run all of them
	test/install
	go vet ./...
	$(MAKE) --no-print-directory test-go test-python lab

test-go: ## Go tests with the race detector, without the lab
	$(GOTEST) $(PACKAGES)

test-python: ## tests of the Python side, and of bench/
	.venv/bin/python -m pytest -q python/tests
	.venv/bin/python -m pytest -q bench/tests

lab: build ## tests of units and activation in a real systemd (root, systemd-container)
	go test -v -timeout 10m ./test/lab

lab-long: build ## fifty reloads of all kinds under load, in the lab
	go test ./test/lab -v -run '^TestReloadsUnderLoad$$' -timeout 20m -reloads 50

deb: ## build/deb/: the Debian packages, of source and binary (packaging/tools installs what that needs)
	packaging/deb/build

rpm: ## build/rpm/: the RPM
	packaging/rpm/build

wheel: ## build/wheel/: wheels for amd64 and arm64
	@set -e; for arch in amd64 arm64; do \
	  GOARCH=$$arch packaging/build build/$$arch; \
	  VERSION=$${VERSION:-$$(sed -n 's/^\tversion = "\(.*\)"/\1/p' cmd/indrik/version.go)} packaging/wheel/build build/$$arch/indrik build/wheel; \
	done

container: ## the image indrik, with podman or docker
	$$(command -v podman || command -v docker || echo podman) build --tag indrik --file packaging/container/Containerfile .

install: ## install below DESTDIR what packages hold, as root
	packaging/build
	packaging/install "$(DESTDIR)/"

uninstall: ## take it away again, but for what is in /etc/indrik
	packaging/uninstall "$(DESTDIR)/"

test-packages: ## build all packages twice and test them: lintian, rpmlint, in a real systemd, as PID 1
	packaging/tools
	rm -rf build
	$(MAKE) --no-print-directory deb rpm wheel
	KIND=binary OUT=build/deb-again packaging/deb/build
	KIND=binary OUT=build/deb-newer packaging/deb/build 0.1.0+newer
	OUT=build/rpm-again packaging/rpm/build
	OUT=build/rpm-newer packaging/rpm/build 0.1.1
	go test -v -timeout 15m ./test/packages

lint: ## gofmt, vet, staticcheck, ruff, mypy, shellcheck
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "gofmt -w these:"; echo "$$unformatted"; exit 1; }
	go vet ./...
	go run $(STATIC) ./...
	.venv/bin/ruff check python bench
	cd python && ../.venv/bin/mypy
	cd bench && ../.venv/bin/mypy
	@if command -v shellcheck >/dev/null; then echo shellcheck $(SCRIPTS); shellcheck $(SCRIPTS); \
	else echo "shellcheck is not installed: the scripts are not checked"; fi

check: test lint ## what continuous integration runs

fuzz: ## every fuzz target for FUZZTIME (30s) each, and how many executions that were
	test/fuzz $(FUZZTIME)

chaos: ## MINUTES (5) of random faults against a service under load; prints a tally, and the seeds to repeat a round
	go run ./test/chaos -for $(or $(MINUTES),5)m

bench: build ## compare with the peers on this machine, some 25 minutes (bench/run --list)
	bench/run

bench-go: ## the Go benchmarks of this tree against those of another commit: make bench-go OLD=main PACKAGES="./http1 ./dispatch"
	bench/compare "$(or $(OLD),HEAD)" $(if $(filter command line,$(origin PACKAGES)),$(PACKAGES))

docs: ## make the documents that come from the registry: settings, help, manual pages, JSON schema
	go test ./settings -run 'TestDocumentIsCurrent' -update
	go test ./cmd/indrik -run 'TestHelp|TestDocumentsAreCurrent' -update

clean: ## remove what make made
	rm -rf bin build .venv bench/.venv
	find . -name __pycache__ -prune -exec rm -rf {} +
