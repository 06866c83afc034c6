package cli

import (
	"os"

	"github.com/sirupsen/logrus"
	"golang.org/x/term"
)

// NewLogger configures logging for long-running commands: to stderr, as text on a
// terminal and as JSON otherwise.
func NewLogger(verbose bool) *logrus.Logger {
	log := logrus.New()
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		log.SetFormatter(&logrus.JSONFormatter{})
	}
	if verbose {
		log.SetLevel(logrus.DebugLevel)
	}
	return log
}
