package shim

import (
	"io"
	"os"
	"strings"

	"github.com/sirupsen/logrus"
)

// Report writes an error where the engine looks for a runtime's: into the file
// of --log, in the format of --log-format, as runc does. containerd shows the
// last error of that file, and podman and CRI-O what stands on stderr. A log
// that can't be written is not told: the error itself matters more.
func (i Invocation) Report(err error) {
	path := strings.TrimPrefix(i.Log, "file:") // crun's form
	for _, elsewhere := range []string{"journald:", "syslog:"} {
		if strings.HasPrefix(path, elsewhere) {
			return
		}
	}
	if path == "" {
		return
	}
	file, openErr := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if openErr != nil {
		return
	}
	defer file.Close()
	i.write(file, err)
}

func (i Invocation) write(w io.Writer, err error) {
	log := logrus.New()
	log.SetOutput(w)
	log.SetFormatter(&logrus.TextFormatter{DisableColors: true})
	if i.LogFormat == "json" {
		log.SetFormatter(&logrus.JSONFormatter{})
	}
	log.Error(err)
}
