package shim

import (
	"io"
	"os"
	"strings"

	"github.com/sirupsen/logrus"
)

// Report writes an error to the place where the engine looks for an error of the
// runtime: to the file of --log, in the format of --log-format, as runc does.
// containerd shows the last error in that file. Podman and CRI-O show stderr, to
// which the caller writes. If the file can't be written, Report returns all the same:
// err matters more than that.
func (i Invocation) Report(err error) {
	// The prefixes are crun's.
	path := strings.TrimPrefix(i.Log, "file:")
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
