# The same for every go command, so that all share what is compiled. runc's libcontainer/seccomp is
# built by the first tag; it needs libseccomp's headers. The others are for static programs.
export TAGS := seccomp,netgo,osusergo
GO_FLAGS := -trimpath -buildvcs=false -tags=$(TAGS)
export GOFLAGS := $(filter-out $(GO_FLAGS),$(GOFLAGS)) $(GO_FLAGS)
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
BIN := bin

BUILD_NEEDS := gcc libc6-dev libseccomp-dev pkg-config
DEMO_NEEDS := runc busybox-static jq
# What test/programs runs.
PROGRAMS := nginx-light haproxy php-cli default-jdk-headless nodejs redis-server memcached \
	postgresql mariadb-server-core mariadb-client-core mosquitto mosquitto-clients openssh-server \
	openssh-client dbus rabbitmq-server unbound dnsmasq-base bind9-dnsutils vsftpd tmux chromium \
	bubblewrap strace gdb valgrind curl musl-tools iproute2
PACKAGE_NEEDS := jq
PACKAGE_TEST_NEEDS := debootstrap lintian rpm rpmlint zstd man-db zsh fish
TEST_NEEDS := systemd podman catatonit containerd conmon skopeo containernetworking-plugins crun \
	uidmap libcap2-bin gcc-multilib perl python3 qemu-system-x86 kmod prometheus $(PROGRAMS) \
	$(PACKAGE_NEEDS) $(PACKAGE_TEST_NEEDS)
KERNEL_NEEDS := qemu-system-arm

.PHONY: help build packages image chart reproducible demo picture unit test test-kernels tools lint race fuzz bench bench-scale bench-restart clean
.DEFAULT_GOAL := build

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: $(BIN)/port-restricter $(addprefix $(BIN)/port-restricter-,admin nri events) ## build the programs into bin

# Static: a static program starts sooner, and runs on a node with any libc. Nothing in it depends
# on where and when it was built.
$(BIN)/%: needs-build FORCE
	go build -ldflags '-s -w -X main.version=$(VERSION) -linkmode external -extldflags -static' -o $@ ./cmd/$*

ARCHES ?= amd64 arm64
# The time of the commit is that of every file in the packages.
packages: export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
packages: needs-packages ## build deb and rpm for amd64 and arm64 into bin/packages, always the same bytes
	test/tools/build.sh packages
	deploy/packages/build.sh '$(VERSION)' $(ARCHES)

IMAGE ?= ghcr.io/port-restricter/node:latest
image: export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
image: needs-image packages ## build the image of deploy/kubernetes into bin/image, an OCI archive with the name IMAGE
	deploy/kubernetes/image/build.sh '$(VERSION)' '$(IMAGE)' $(ARCHES)

chart: needs-build ## make the Helm chart of the manifests in deploy/kubernetes, into bin/chart
	test/tools/build.sh deploy
	deploy/kubernetes/chart/make.sh '$(VERSION)' '$(IMAGE)' bin/chart

reproducible: needs-test packages ## build the packages again, elsewhere, with nothing compiled before: the same bytes
	go test -count=1 -timeout 2h -run TestThePackagesAreReproducible ./test/packages -args -anew

# Ends itself where a test says so. What it shows holds for the other programs.
bin/port-restricter-faults: needs-build FORCE
	go build -tags $(TAGS),faults -ldflags '-linkmode external -extldflags -static' -o $@ ./cmd/port-restricter-admin

demo: needs-demo build ## hold a real runc container to its port, then a command
	test/demo/demo.sh

picture: needs-demo build ## draw docs/demo.svg, the picture in README.md, from a real run
	test/demo/picture.sh docs/demo.svg

# The tests of these packages that change owners or namespaces, or inspect other users' processes.
NEED_ROOT := TestModeAndOwnerAreKept|TestReplaceKeepsModeAndOwner|TestNoInternetSocketBinds|\
TestALoadedFilterNotifies|TestFlagsAreAskedAgain|TestNothingIsKeptInADirectoryOfOthers|\
TestTheSocketOfAReusedThreadID|TestASocketsLock|TestAHelperHasNoFile|TestAProc|TestSharersAreFound|\
TestAStoreOfAnotherUser|TestALockFileOfOthersIsRefused/file_of_another_user

unit: needs-build ## run the tests that need no root and install nothing, in under a minute
	go test -count=1 -skip '$(subst $() ,,$(NEED_ROOT))' ./config/... ./hook/... \
		./agent ./agent/confine ./agent/target ./test/model

# The packages of the other architecture are for `make packages`.
test: ARCHES = $(shell dpkg --print-architecture)
test: needs-demo needs-test build image bin/port-restricter-node bin/port-restricter-faults tools ## run every test; none is skipped; as root
	test/all.sh

# A guest is emulated, so it takes most of an hour for all probes on a busy machine.
KERNELS ?= bullseye/amd64,bookworm/amd64,bookworm/arm64,trixie/amd64,sid/amd64
test-kernels: needs-kernels ## run the probes on Debian's kernels, from 5.10 on; KERNELS=bullseye/amd64,... chooses
	go test -count=1 -timeout 6h -v ./test/kernels -args -kernels $(KERNELS)

tools: needs-build ## build the engines and runtimes that Debian lacks into .cache/tools
	test/tools/build.sh runc
	test/tools/build.sh containerd
	test/tools/build.sh crio
	test/tools/build.sh kubernetes
	test/tools/build.sh packages
	test/tools/build.sh deploy
	test/tools/build.sh quadlet

# With -trimpath, what Go has cached of a package with C names files of the clone that was built
# first.
lint: needs-build ## run golangci-lint: layers, line width, spelling, real faults
	test/tools/build.sh golangci-lint
	GOFLAGS=-tags=$(TAGS) .cache/tools/golangci-lint run ./...

race: needs-build ## run the tests of the supervisor and the policy under the race detector
	go test -count=1 -race ./agent/... ./config/...

FUZZTIME ?= 5s
fuzz: needs-demo needs-test build tools ## run every fuzz target for FUZZTIME, 5 seconds by default
	test/fuzz.sh $(FUZZTIME)

# In a network namespace of its own, since another process may have the port. Go downloads what it
# needs before it enters the namespace.
BENCH = go test -c -o bin/bench.test ./test/bench && cd test/bench && \
	unshare --net sh -c 'busybox ip link set lo up && exec "$$@"' sh ../../bin/bench.test -test.run '^$$' -test.benchtime 1x -test.timeout 1h

bench: needs-demo needs-test build ## measure a bind, beside the bare kernel and other ways; PLOT=FILE.svg draws it
	export PLOT=$(abspath $(PLOT)) && $(BENCH) -test.bench 'Latency|Merged|Start|Stall'

bench-scale: needs-demo needs-test build ## measure 10,000 containers on one agent, and 100,000 that come and go
	$(BENCH) -test.bench 'Scale|Churn'

KILLS ?= 1000
bench-restart: needs-demo needs-test build bin/port-restricter-faults ## kill the agent KILLS times while 100 and 1,000 containers bind, and measure the fd store
	go test -c -o bin/survive.test ./test/survive && cd test/survive && \
		KILLS=$(KILLS) ../../bin/survive.test -test.run '^$$' -test.bench . -test.benchtime 1x -test.timeout 3h

clean: ## remove what build made
	rm -rf bin

needs-build: NEEDS = $(BUILD_NEEDS)
needs-packages: NEEDS = $(BUILD_NEEDS) $(PACKAGE_NEEDS)
needs-image: NEEDS = $(BUILD_NEEDS) $(PACKAGE_NEEDS) podman
needs-demo: NEEDS = $(BUILD_NEEDS) $(DEMO_NEEDS)
needs-test: NEEDS = $(BUILD_NEEDS) $(DEMO_NEEDS) $(TEST_NEEDS)
needs-kernels: NEEDS = $(BUILD_NEEDS) $(DEMO_NEEDS) $(TEST_NEEDS) $(KERNEL_NEEDS)
needs-%: FORCE
	@test/install.sh $(NEEDS)

FORCE:
