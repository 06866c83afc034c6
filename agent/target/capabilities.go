package target

import "golang.org/x/sys/unix"

// capabilities are those of a thread of this process.
type capabilities struct{ effective, permitted, inheritable uint64 }

// readCapabilities returns the capabilities of the calling thread.
func readCapabilities() (c capabilities, err error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return c, err
	}
	wide := func(low, high uint32) uint64 { return uint64(high)<<32 | uint64(low) }
	c.effective = wide(data[0].Effective, data[1].Effective)
	c.permitted = wide(data[0].Permitted, data[1].Permitted)
	c.inheritable = wide(data[0].Inheritable, data[1].Inheritable)
	return c, nil
}

// set gives the capabilities to the calling thread.
func (c capabilities) set() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := [2]unix.CapUserData{
		{Effective: uint32(c.effective), Permitted: uint32(c.permitted),
			Inheritable: uint32(c.inheritable)},
		{Effective: uint32(c.effective >> 32), Permitted: uint32(c.permitted >> 32),
			Inheritable: uint32(c.inheritable >> 32)},
	}
	return unix.Capset(&header, &data[0])
}

// raisePermitted makes every permitted capability of the calling thread effective, until
// lower is called. The links in /proc/PID can be followed only by a thread whose
// effective capabilities include all that the process is permitted, or CAP_SYS_PTRACE
// (PTRACE_MODE_READ_FSCREDS, ptrace(2)). Nothing but such a look may be done meanwhile:
// in particular no call on a socket.
func raisePermitted() (lower func()) {
	before, err := readCapabilities()
	if err != nil || before.effective == before.permitted ||
		before.effective&(1<<unix.CAP_SYS_PTRACE) != 0 {
		return func() {}
	}
	raised := before
	raised.effective = raised.permitted
	if raised.set() != nil {
		return func() {}
	}
	return func() { surely(before.set) }
}
