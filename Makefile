# runc's libcontainer/seccomp is built by this tag; it needs libseccomp's headers.
GOFLAGS_ALL := -tags seccomp
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

BUILD_NEEDS := gcc libc6-dev libseccomp-dev pkg-config
DEMO_NEEDS := runc busybox-static jq
TEST_NEEDS := systemd podman containerd conmon skopeo crun uidmap gcc-multilib perl python3 nginx-light redis-server postgresql openssh-server openssh-client

.PHONY: build demo test tools lint race fuzz bench bench-scale clean
.DEFAULT_GOAL := build

build: bin/port-restricter bin/port-restricter-nri ## both programs, into bin

# Static: it starts sooner, and runs on any node whatever libc that has.
bin/%: needs-build FORCE
	go build -tags seccomp,netgo,osusergo -ldflags '-X main.version=$(VERSION) -linkmode external -extldflags -static' -o $@ ./cmd/$*

demo: needs-demo build ## a real runc container held to its port, then the CLI
	test/demo/demo.sh

# One package at a time: a probe looks for a moment in which nobody forks.
test: needs-demo needs-test build tools ## every test, none skipped; as root
	go test $(GOFLAGS_ALL) -count=1 -p 1 ./...

tools: needs-build ## engines and runtimes that Debian has not, or too old, into .cache/tools
	test/tools/build.sh runc
	test/tools/build.sh containerd
	test/tools/build.sh crio

lint: needs-build ## gofmt, vet, staticcheck
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "run gofmt -w on: $$unformatted"; exit 1; }
	go vet $(GOFLAGS_ALL) ./...
	go run $(STATICCHECK) $(GOFLAGS_ALL) ./...

race: needs-build ## the engine's and the policy's tests under the race detector
	go test $(GOFLAGS_ALL) -count=1 -race ./agent ./config

FUZZTIME ?= 5s
fuzz: needs-demo needs-test build tools ## every fuzz target for a short time, or FUZZTIME=10m
	@grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n 1 dirname | sort -u | while read -r package; do \
		grep -h '^func Fuzz' "$$package"/*_test.go | sed 's/func \(Fuzz[A-Za-z0-9]*\).*/\1/' | while read -r target; do \
			go test $(GOFLAGS_ALL) -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$package" || exit 1; \
		done || exit 1; \
	done

# In a network of its own, since somebody else may have the port; so what Go has to download it does before.
BENCH = go test $(GOFLAGS_ALL) -c -o bin/bench.test ./test/bench && cd test/bench && \
	unshare --net sh -c 'busybox ip link set lo up && exec "$$@"' sh ../../bin/bench.test -test.run '^$$' -test.benchtime 1x -test.timeout 1h

bench: needs-demo needs-test build ## what a bind costs, beside the kernel alone and what else there is; PLOT=FILE.svg draws it
	export PLOT=$(abspath $(PLOT)) && $(BENCH) -test.bench 'Latency|Merged|Start|Stall'

bench-scale: needs-demo needs-test build ## what 10,000 containers on one agent cost, and 100,000 that come and go
	$(BENCH) -test.bench 'Scale|Churn'

clean:
	rm -rf bin

needs-build: NEEDS = $(BUILD_NEEDS)
needs-demo: NEEDS = $(BUILD_NEEDS) $(DEMO_NEEDS)
needs-test: NEEDS = $(BUILD_NEEDS) $(DEMO_NEEDS) $(TEST_NEEDS)
needs-%: FORCE
	@test/install.sh $(NEEDS)

FORCE:
