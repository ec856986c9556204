# boot, test and dist need Go alone. race needs a C compiler; test-outside needs tshark, xmlsec1, xmllint, jsonschema, openssl,
# curl and promtool; test-web needs Chromium; test-peers needs root, network namespaces and the servers that .ci/run installs, soak
# some of them.
export GOFLAGS += -buildvcs=false

TOOL  := go tool -modfile=.ci/tools/go.mod
TAGS  := outside,peers,web,bench,soak
CROSS := windows/amd64 darwin/arm64 linux/arm64

# Of make dist. The same source, version and Go give the same bytes, wherever they are built.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo development)
DIST    ?= linux/amd64 linux/arm64 windows/amd64 darwin/arm64

.PHONY: boot test race test-outside test-web test-peers soak bench lint docs dist

boot:
	go run ./emulator/cmd/lpe boot --lab

test:
	go test ./...

# One processor for each test program, for the sake of those in virtual time: see emulator/rig/length_race_test.go.
race:
	CGO_ENABLED=1 GOMAXPROCS=1 go test -race -p $$(getconf _NPROCESSORS_ONLN) -parallel 6 ./...

test-outside:
	go test -count=1 -tags outside ./emulator/outside/...

test-web:
	go test -count=1 -tags web ./emulator/outside/...

test-peers:
	go test -count=1 -parallel 32 -tags peers ./emulator/outside/...

# Prints name: value lines. Takes two hours; with SOAK= it does a little of the same.
SOAK := -soak.handsets 500 -soak.sipe 200 -soak.parallel 20 -soak.noise 1h -soak.fuzz 60s
soak:
	go test -count=1 -timeout 4h -tags peers,soak -run '^TestSoak' -v ./emulator/outside $(SOAK)

# Prints name: value lines.
bench:
	go test -count=1 -tags bench -run '^TestBench' -v ./emulator/outside/...

lint:
	@files=$$($(TOOL) gofumpt -l .) && if [ -n "$$files" ]; then echo "gofumpt:"; echo "$$files"; exit 1; fi
	go vet ./...
	go vet -tags $(TAGS) ./...
	$(TOOL) staticcheck ./...
	$(TOOL) staticcheck -tags $(TAGS) ./...
	go mod tidy -diff
	go test -count=1 -run '^TestHouse' ./emulator
	@for target in $(CROSS); do echo "go build $$target"; GOOS=$${target%/*} GOARCH=$${target#*/} CGO_ENABLED=0 go build -trimpath ./... || exit 1; done

# Writes the generated pages and the golden files anew.
docs:
	go test -count=1 ./configs ./devicestate ./emulator/dhcpconfig ./emulator/report ./emulator/labpool ./scenarios/format -update

# Programs without version control's mark, C library and paths, and their checksums.
dist:
	rm -rf dist
	mkdir dist
	@for target in $(DIST); do \
		os=$${target%/*} arch=$${target#*/}; name=lpe-$$os-$$arch; \
		if [ $$os = windows ]; then name=$$name.exe; fi; \
		echo "dist/$$name"; \
		CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch GOAMD64=v1 GOARM64=v8.0 go build -trimpath -ldflags '-s -w -X main.release=$(VERSION)' -o dist/$$name ./emulator/cmd/lpe || exit 1; \
	done
	@cd dist && if command -v sha256sum >/dev/null; then sha256sum lpe-* >SHA256SUMS; else shasum -a 256 lpe-* >SHA256SUMS; fi
