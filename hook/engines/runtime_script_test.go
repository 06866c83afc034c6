package engines

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever stands in the options reaches the runtime as it is, as does what the
// engine says.
func TestTheRuntimeScriptPassesEverythingOn(t *testing.T) {
	dir := t.TempDir()
	o := optionsIn(dir)
	o.Binary = filepath.Join(dir, "it's; a $binary")
	o.Listener, o.Metadata = "/run/a \"b\".sock", "port-restricter.port=5000\nport-restricter.mode='`x` \\n"
	show := "#!/bin/sh\nprintf '%s|' \"$PORT_RESTRICTER_LISTENER\" \"$PORT_RESTRICTER_METADATA\" \"$PORT_RESTRICTER_RUNTIME\" \"$@\"\n"
	require.NoError(t, os.WriteFile(o.Binary, []byte(show), 0o755))
	script := filepath.Join(dir, "script")
	require.NoError(t, os.WriteFile(script, runtimeFile(o, "docker", "/opt/run c").text, 0o755))
	said, err := exec.Command(script, "--root", "", "a b\n", "create").Output()
	require.NoError(t, err)
	require.Equal(t, o.Listener+"|"+o.Metadata+"|/opt/run c|runtime|--root||a b\n|create|", string(said))
}
