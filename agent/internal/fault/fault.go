//go:build faults

package fault

import (
	"fmt"
	"math/rand/v2"
	"os"

	"golang.org/x/sys/unix"
)

// What ends the process: one call of At in so many, each one at a step, and each one for a port
// at the step "decided".
var (
	chance, port = number("PORT_RESTRICTER_FAULT_CHANCE"), number("PORT_RESTRICTER_FAULT_PORT")
	step         = os.Getenv("PORT_RESTRICTER_FAULT_STEP")
)

func number(variable string) (n int) {
	_, _ = fmt.Sscan(os.Getenv(variable), &n)
	return n
}

// Layout returns PORT_RESTRICTER_FAULT_LAYOUT, which makes the program one of another version.
func Layout(own uint32) uint32 {
	if other := number("PORT_RESTRICTER_FAULT_LAYOUT"); other > 0 {
		return uint32(other)
	}
	return own
}

// At ends the process at a step, or returns.
func At(now string, of uint16) {
	if chance > 0 && rand.IntN(chance) == 0 || now == step ||
		port > 0 && int(of) == port && now == "decided" {
		fmt.Fprintf(os.Stderr, "fault: ended when %s\n", now)
		_ = unix.Kill(os.Getpid(), unix.SIGKILL)
		select {}
	}
}
