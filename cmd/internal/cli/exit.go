package cli

import (
	"errors"
	"fmt"
	"os"
)

// StatusFailure is the exit status if port-restricter itself fails, as for env(1) and
// container engines. It leaves the smaller numbers to the command that
// port-restricter runs.
const StatusFailure = 125

// A StatusError ends a program with a status other than StatusFailure. If Err is nil, no
// message is printed.
type StatusError struct {
	Status int
	Err    error
}

func (e StatusError) Error() string { return fmt.Sprint(e.Err) }

// Unwrap returns Err.
func (e StatusError) Unwrap() error { return e.Err }

// ExitStatus returns the exit status for the error of a command, and the error to print.
func ExitStatus(err error) (int, error) {
	if s := (StatusError{}); errors.As(err, &s) {
		return s.Status, s.Err
	} else if err == nil {
		return 0, nil
	}
	return StatusFailure, err
}

// Exit ends the program, after it has printed the error if there is one.
func Exit(status int, err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "port-restricter:", err)
	}
	os.Exit(status)
}
