//go:build faults

package fault

import (
	"fmt"
	"math/rand/v2"
	"os"

	"golang.org/x/sys/unix"
)

// What ends the process: one call of At in so many, and each one for a port at the step "decided".
var chance, port = number("PORT_RESTRICTER_FAULT_CHANCE"), number("PORT_RESTRICTER_FAULT_PORT")

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
func At(step string, of uint16) {
	if chance > 0 && rand.IntN(chance) == 0 || port > 0 && int(of) == port && step == "decided" {
		fmt.Fprintf(os.Stderr, "fault: ended when %s\n", step)
		_ = unix.Kill(os.Getpid(), unix.SIGKILL)
		select {}
	}
}
