package engines

import (
	"path/filepath"
	"strings"
)

// runtimeFile is what an engine runs in the place of its OCI runtime. An engine
// passes no arguments of ours on, nor an environment, so a script brings them;
// and each engine has one of its own, since their runtimes differ and one can be
// taken out without another. behind is the runtime that the engine used so far,
// "" where its configuration doesn't say.
func runtimeFile(o Options, engine, behind string) ownFile {
	settings := [][2]string{
		{"PORT_RESTRICTER_LISTENER", o.Listener},
		{"PORT_RESTRICTER_METADATA", o.Metadata},
		{"PORT_RESTRICTER_RUNTIME", behind},
	}
	script := "#!/bin/sh\n" + mark(engine)
	for _, setting := range settings {
		if setting[1] != "" {
			script += "export " + setting[0] + "=" + quote(setting[1]) + "\n"
		}
	}
	script += "exec " + quote(o.Binary) + " runtime \"$@\"\n"
	return ownFile{path: runtimePath(o, engine), text: []byte(script), mode: 0o755, ours: marked}
}

func runtimePath(o Options, engine string) string {
	return filepath.Join(ourHome(o), engine, "port-restricter-runtime")
}

func ourHome(o Options) string {
	if o.ConfigHome != "" {
		return filepath.Join(o.ConfigHome, "port-restricter")
	}
	return home
}

// quote quotes for sh(1).
func quote(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// behindShim keeps us from running ourselves for ever, where the administrator
// made our handler the default.
func behindShim(o Options, engine, path string) string {
	if path == runtimePath(o, engine) {
		return ""
	}
	return path
}
