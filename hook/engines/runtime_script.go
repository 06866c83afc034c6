package engines

import (
	"path/filepath"
	"strings"
)

// runtimeScript returns the script that an engine runs in place of its OCI
// runtime. The script runs the shim, `port-restricter runtime`, with its settings
// in the environment: an engine passes on neither extra arguments nor environment
// variables. Each engine has a script of its own, because their OCI runtimes
// differ and one engine can be unconfigured without the others.
//
// ociRuntime is the path or name of the OCI runtime that the engine has used so
// far, or "" where its configuration does not say.
func runtimeScript(o Options, engine, ociRuntime string) ownFile {
	settings := [][2]string{
		{"PORT_RESTRICTER_LISTENER", o.Listener},
		{"PORT_RESTRICTER_METADATA", o.Metadata},
		{"PORT_RESTRICTER_RUNTIME", ociRuntime},
	}
	script := "#!/bin/sh\n" + markerLine(engine)
	for _, setting := range settings {
		if setting[1] != "" {
			script += "export " + setting[0] + "=" + shellQuote(setting[1]) + "\n"
		}
	}
	script += "exec " + shellQuote(o.Binary) + " runtime \"$@\"\n"
	return ownFile{
		path: runtimeScriptPath(o, engine), text: []byte(script), mode: 0o755, isOwn: hasMarker,
	}
}

func runtimeScriptPath(o Options, engine string) string {
	return filepath.Join(o.ownDir(), engine, "port-restricter-runtime")
}

// shellQuote returns text as one word of sh(1).
func shellQuote(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// unlessOwnScript returns the path of an OCI runtime, or "" for the engine's
// runtime script. Where the administrator made Handler the default, the script
// would otherwise run itself without end.
func unlessOwnScript(o Options, engine, path string) string {
	if path == runtimeScriptPath(o, engine) {
		return ""
	}
	return path
}
