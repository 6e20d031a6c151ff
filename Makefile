# make run    build all and serve on http://localhost:8080
# make build  bin/starling
# make test   every test, real browsers and BitTorrent programs included (apt installs them where it may)
# make lint   linters and format
# make dev    live reload
# make bench  the measured table
# make scale  the simulation of docs/scale.md
# make clean  away with all that was built or installed here
.PHONY: run test build binary dev bench scale lint clean web programs vet gofmt tsc eslint unit packages
.DEFAULT_GOAL := build

# libutp without asserts, at which a stranger's packet could end the program: peer/utp_cgo.go.
export CGO_CPPFLAGS := -DNDEBUG -Wno-unused-variable
# The engine's default store, which is not used, brings all of SQLite, in C: minutes of compiling.
# One -trimpath for all: what the binary is made of is not compiled again to be tested.
export GOFLAGS += -tags=nosqlite -trimpath

web_sources := $(shell find web -path web/built -prune -o -type f -print)
go_sources := $(shell find . -path ./node_modules -prune -o -name '*.go' -print) go.mod go.sum
# each one's report in one piece, where this make can
in_pieces := $(and $(filter output-sync,$(.FEATURES)),-O)

run: build
	bin/starling serve

build: bin/starling

bin/starling: $(go_sources) web/built/index.html
	@$(MAKE) --no-print-directory binary

# with web/built as it is
binary:
	go build -o bin/starling ./cmd/starling

web/built/index.html: $(web_sources) node_modules/.installed
	node web/build.mjs

node_modules/.installed: package.json package-lock.json
	npm ci --no-audit --no-fund
	touch $@

programs:
	e2e/install-programs

# Two at a time: of what Go's tests take, half is waiting. What fails soonest comes first.
test: build programs
	@$(MAKE) --no-print-directory -j2 $(in_pieces) gofmt tsc vet eslint unit packages
	npx vitest run --project e2e --project alone

vet:
	go vet ./...

# names what is not as gofmt has it
gofmt:
	@! gofmt -l $(filter %.go,$(go_sources)) | grep .

tsc eslint unit: node_modules/.installed
tsc:
	npx tsc --noEmit

eslint:
	npx eslint .

unit:
	npx vitest run --project unit

packages:
	go test -vet=off -ldflags='-s -w' ./...

dev: build
	bin/starling serve & npx vite --config web/vite.config.ts; kill %1

bench: build
	e2e/install-programs bench
	node bench/run.mjs

scale:
	go run ./bench/scale

lint: gofmt eslint
	GOOS=darwin go vet ./...
	GOOS=windows go vet ./...

clean:
	rm -rf bin node_modules web/built/*
