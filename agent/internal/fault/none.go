//go:build !faults

// Package fault ends the agent at a named step, for tests that show what a successor makes of
// it. Only a program that was built with the tag faults can do that.
package fault

// At does nothing.
func At(string, uint16) {}

// Layout returns own.
func Layout(own uint32) uint32 { return own }
