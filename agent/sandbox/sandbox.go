// Package sandbox finds out which system calls this process can make: which ones the kernel
// has, and which ones a seccomp filter around the process refuses. Such a filter is that of
// a unit with SystemCallFilter= (systemd.exec(5)), or of a container.
//
// A program that imports the package ends at its start, and says why, where libseccomp would
// be killed.
package sandbox

// #include "sandbox.h"
import "C"

import "errors"

// Check fails if the kernel, or a seccomp filter around this process, lacks a system call
// that a supervisor can't do without. The error names all of these, and how to allow them.
func Check() error { return complaint(&C.outcomes[0], C.in_sandbox) }

func complaint(outcomes *C.enum_outcome, inSandbox C.int) error {
	var text [512]C.char
	C.complain(outcomes, inSandbox, &text[0], C.size_t(len(text)))
	if text[0] == 0 {
		return nil
	}
	return errors.New(C.GoString(&text[0]))
}

// An outcome is what became of a system call that was tried.
type outcome = C.enum_outcome

const (
	reached outcome = C.REACHED
	refused outcome = C.REFUSED
	killed  outcome = C.KILLED
)

// A requirement is a system call that a supervisor makes.
type requirement struct {
	name, since string
	optional    bool
}

func requirements() (all []requirement) {
	for i := range C.outcomes {
		r := C.requirements[i]
		all = append(all, requirement{C.GoString(r.name), C.GoString(r.since), r.optional != 0})
	}
	return all
}

// judge returns the error that Check returns for other outcomes.
func judge(outcomes []outcome, inSandbox bool) error {
	var sandboxed C.int
	if inSandbox {
		sandboxed = 1
	}
	return complaint(&outcomes[0], sandboxed)
}
