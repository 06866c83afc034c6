// Package check finds out whether a node can do what port-restricter is asked for. It does the
// work of `port-restricter check`.
//
// Each file looks at one thing and returns Results: one line each, with the mend. Nothing is
// changed, and what was started for a look has ended when the look returns. Where something can be
// tried it is tried, and not guessed from versions: a process of its own loads the filter, is
// attached to the agent, and binds (wholeway.go), or runs under the command line (commandline.go).
package check
