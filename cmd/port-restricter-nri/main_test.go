package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTheHelpIsThatOfACommandOfPortRestricter shows that a user does not notice the other program.
func TestTheHelpIsThatOfACommandOfPortRestricter(t *testing.T) {
	var out bytes.Buffer
	root := newNRI()
	root.SetArgs([]string{"--help"})
	root.SetOut(&out)
	require.NoError(t, root.Execute())
	for _, line := range []string{
		"must be restricted, as an NRI plugin (containerd 2.2 and newer, CRI-O newer than 1.34)\n",
		"\n  port-restricter nri [flags]\n",
		"help for port-restricter nri\n",
	} {
		require.Contains(t, out.String(), line)
	}
}
