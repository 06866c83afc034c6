package systemd

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// recipe installs a unit as docs/systemd.md has it. more is added to its section of the
// service.
func recipe(t *testing.T, name string, more ...string) unit {
	t.Helper()
	text, err := os.ReadFile("../../docs/systemd.md")
	require.NoError(t, err)
	block := regexp.MustCompile("(?s)```ini\n# /etc/systemd/system/" + name + "\n(.*?)```\n")
	found := block.FindSubmatch(text)
	require.NotNil(t, found, "docs/systemd.md has no %s", name)
	return install(t, name, string(found[1]), more...)
}
