package filter

import (
	"fmt"
	"runtime"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Options is what differs between two uses of the filter.
type Options struct {
	// ListenerPath is the socket of the agent, and ListenerMetadata is a text that the
	// agent receives with each notify fd: listenerPath and listenerMetadata of the OCI
	// runtime spec. They are empty where no OCI runtime loads the filter.
	ListenerPath, ListenerMetadata string

	// Flags are added to the flags of the profile. If there are none, the field of the
	// profile stays as it was: runc has a default for a missing field, and runc 1.1
	// refuses every flag.
	Flags []specs.LinuxSeccompFlag
}

// shortestAddress is sizeof(struct sockaddr_in), in bytes. No internet protocol binds
// a shorter address, so those of netlink (12 bytes) and short AF_UNIX names need no
// supervisor.
const shortestAddress = 16

// cInt is a mask of the bits of an argument that the kernel reads as a C int. A plain
// comparison would look at all 64 bits, so a value in the upper half would get past it.
const cInt = 0xffffffff

// A socketOption is an option of setsockopt(2).
type socketOption struct{ level, name uint64 }

// bindingOptions are the options that choose a port without bind(2):
// SCTP_SOCKOPT_BINDX_ADD of IPPROTO_SCTP, and IP_LOCAL_PORT_RANGE of IPPROTO_IP
// (Linux 6.3), which determines the port that the kernel "picks" in sendto(2) or
// listen(2).
var bindingOptions = []socketOption{{unix.IPPROTO_SCTP, 100}, {unix.IPPROTO_IP, 51}}

var ioUring = []string{"io_uring_setup", "io_uring_enter", "io_uring_register"}

// architectures lists the system call conventions that a kernel of each GOARCH can
// serve, its own first. A filter kills the thread that makes a call by a convention
// that the profile does not list. So the others are listed for the programs that need
// them, not for safety. The calls of all listed conventions are filtered alike.
var architectures = map[string][]specs.Arch{
	"386":      {specs.ArchX86, specs.ArchX86_64, specs.ArchX32},
	"amd64":    {specs.ArchX86_64, specs.ArchX86, specs.ArchX32},
	"arm":      {specs.ArchARM, specs.ArchAARCH64},
	"arm64":    {specs.ArchAARCH64, specs.ArchARM},
	"loong64":  {specs.ArchLOONGARCH64},
	"mips":     {specs.ArchMIPS, specs.ArchMIPS64, specs.ArchMIPS64N32},
	"mips64":   {specs.ArchMIPS64, specs.ArchMIPS, specs.ArchMIPS64N32},
	"mips64le": {specs.ArchMIPSEL64, specs.ArchMIPSEL, specs.ArchMIPSEL64N32},
	"mipsle":   {specs.ArchMIPSEL, specs.ArchMIPSEL64, specs.ArchMIPSEL64N32},
	"ppc64":    {specs.ArchPPC64, specs.ArchPPC},
	"ppc64le":  {specs.ArchPPC64LE},
	"riscv64":  {specs.ArchRISCV64},
	"s390x":    {specs.ArchS390X, specs.ArchS390},
}

// Profile returns the filter as a profile of its own, for the architecture of this
// machine. It allows every call except those that bind a port. It panics on an
// architecture that this package does not know.
func Profile(o Options) *specs.LinuxSeccomp {
	profile, err := ProfileFor(runtime.GOARCH, o)
	if err != nil {
		panic(err)
	}
	return profile
}

// ProfileFor returns the Profile for another architecture, which is a value of GOARCH.
// It fails for an architecture that this package does not know.
func ProfileFor(goarch string, o Options) (*specs.LinuxSeccomp, error) {
	known, ok := architectures[goarch]
	if !ok {
		return nil, fmt.Errorf("make a seccomp profile for %q: unknown architecture", goarch)
	}
	base := &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Architectures: known}
	return Merge(base, o)
}

// args returns the conditions under which setsockopt sets the option.
func (o socketOption) args() []specs.LinuxSeccompArg {
	return []specs.LinuxSeccompArg{intArg(1, cInt, o.level), intArg(2, cInt, o.name)}
}
