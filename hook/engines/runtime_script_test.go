package engines

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The options and the engine's arguments reach the shim unchanged, whatever
// characters they contain: the script quotes them for the shell.
func TestTheRuntimeScriptPassesEverythingOn(t *testing.T) {
	dir := t.TempDir()
	o := optionsIn(dir)
	o.Binary = filepath.Join(dir, "it's; a $binary")
	o.Listener = "/run/a \"b\".sock"
	o.Metadata = "port-restricter.port=5000\nport-restricter.mode='`x` \\n"
	show := "#!/bin/sh\nprintf '%s|' \"$PORT_RESTRICTER_LISTENER\" " +
		"\"$PORT_RESTRICTER_METADATA\" \"$PORT_RESTRICTER_RUNTIME\" \"$@\"\n"
	require.NoError(t, os.WriteFile(o.Binary, []byte(show), 0o755))
	script := filepath.Join(dir, "script")
	text := runtimeScript(o, "docker", "/opt/run c").text
	require.NoError(t, os.WriteFile(script, text, 0o755))
	shown, err := exec.Command(script, "--root", "", "a b\n", "create").Output()
	require.NoError(t, err)
	want := o.Listener + "|" + o.Metadata + "|/opt/run c|runtime|--root||a b\n|create|"
	require.Equal(t, want, string(shown))
}
