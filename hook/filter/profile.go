package filter

import (
	"fmt"
	"runtime"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Options is what differs between two uses of the filter.
type Options struct {
	// ListenerPath and ListenerMetadata tell the OCI runtime where the
	// supervisor listens; empty where no OCI runtime loads the filter.
	ListenerPath, ListenerMetadata string
	// Flags are added to the profile's own. With none the field stays as it
	// was: runc takes a missing one for its default, and 1.1 refuses any flag.
	Flags []specs.LinuxSeccompFlag
}

// shortestAddress is sizeof(struct sockaddr_in): no internet protocol binds
// less, so netlink's (12) and short AF_UNIX names need no supervisor.
const shortestAddress = 16

// cInt is the part of an argument that the kernel sees of a C int. A plain
// comparison looks at all 64 bits: garbage above would get past it.
const cInt = 0xffffffff

// A socketOption binds a port with setsockopt(2), by no bind.
type socketOption struct{ level, name uint64 }

// bindingOptions: SCTP_SOCKOPT_BINDX_ADD of IPPROTO_SCTP, and
// IP_LOCAL_PORT_RANGE of IPPROTO_IP (Linux 6.3), which lets a socket say which
// port the kernel shall "pick" in sendto(2) or listen(2).
var bindingOptions = []socketOption{{unix.IPPROTO_SCTP, 100}, {unix.IPPROTO_IP, 51}}

var ioUring = []string{"io_uring_setup", "io_uring_enter", "io_uring_register"}

// architectures lists what a kernel of each GOARCH can run. What a profile
// doesn't list is killed, so each entry but the first is for programs, not for
// safety; a call by a door that is listed is filtered like any other.
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

// Profile is the filter by itself, for this machine: all is allowed but what
// binds a port. Every way in uses it.
func Profile(o Options) *specs.LinuxSeccomp {
	profile, err := ProfileFor(runtime.GOARCH, o)
	if err != nil {
		panic(err) // a GOARCH that libseccomp doesn't have either
	}
	return profile
}

// ProfileFor is Profile for the machines that Go calls goarch. It fails for one
// whose system calls it doesn't know.
func ProfileFor(goarch string, o Options) (*specs.LinuxSeccomp, error) {
	known, ok := architectures[goarch]
	if !ok {
		return nil, fmt.Errorf("make a seccomp profile for architecture %q: not one that this program knows", goarch)
	}
	return Merge(&specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Architectures: known}, o)
}

func (o socketOption) args() []specs.LinuxSeccompArg {
	return []specs.LinuxSeccompArg{intArg(1, cInt, o.level), intArg(2, cInt, o.name)}
}
