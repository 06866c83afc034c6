// Package cli has what several commands share: the flags of those that inject the
// filter, logging, and the exit status. What only one command needs stays with it.
package cli
