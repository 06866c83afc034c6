// Package logging is how those of our programs log that stay.
package logging

import (
	"os"

	"github.com/sirupsen/logrus"
	"golang.org/x/term"
)

// New writes to stderr: text on a terminal and JSON for everything else.
func New(verbose bool) *logrus.Logger {
	log := logrus.New()
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		log.SetFormatter(&logrus.JSONFormatter{})
	}
	if verbose {
		log.SetLevel(logrus.DebugLevel)
	}
	return log
}
