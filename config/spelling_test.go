package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAMisspeltKeyIsAnError shows that a slip of the pen does not leave a container
// without its limit, in annotations and in metadata, and that the error has both
// spellings.
func TestAMisspeltKeyIsAnError(t *testing.T) {
	for key, right := range map[string]string{
		"port-restrictor.port":       "port-restricter.port",
		"port-restricer.port":        "port-restricter.port",
		"port-resticer.port":         "port-restricter.port",
		"prot-restricter.port":       "port-restricter.port",
		"ports-restricter.port":      "port-restricter.port",
		"port-restrict.port":         "port-restricter.port",
		"portrestricter.port":        "port-restricter.port",
		"port_restricter.port":       "port-restricter.port",
		"port.restricter.port":       "port-restricter.port",
		"Port-Restricter.Port":       "port-restricter.port",
		"PORT-RESTRICTER.MAP":        "port-restricter.map",
		"PORT_RESTRICTER_MODE":       "port-restricter.mode",
		"portRestricter.mode":        "port-restricter.mode",
		"port-restricter/port":       "port-restricter.port",
		"port-restricter:port":       "port-restricter.port",
		"port-restricter-port":       "port-restricter.port",
		"port-restricter_port":       "port-restricter.port",
		"port-restricterport":        "port-restricter.port",
		"port-restrictor.port/Web":   "port-restricter.port/web",
		"port-restricter/port/web":   "port-restricter.port/web",
		"port\u2010restricter.port":  "port-restricter.port", // another hyphen
		"p\u043ert-restricter.port":  "port-restricter.port", // a Cyrillic o
		"port-restricter\u200b.port": "port-restricter.port", // a space of no width
		" port-restricter.port":      "port-restricter.port",
		"port-restrictor.ports":      "one of port-restricter.port, port-restricter.map",
		"port-restricter":            "one of port-restricter.port, port-restricter.map",
		"port-restrictor":            "one of port-restricter.port, port-restricter.map",
	} {
		annotations := map[string]string{"port-restricter.port": "80", key: "5000"}
		_, err := FromState(of(annotations), "", Rules{})
		require.ErrorContains(t, err, "annotation ", key)
		require.ErrorContains(t, err, " is misspelt: write "+right)

		if key != " port-restricter.port" { // white space around a line is ignored
			_, err = FromState(of(nil), "a note\nport-restricter.port=80\n"+key+"=5000", Rules{})
			require.ErrorContains(t, err, "listenerMetadata: ", key)
			require.ErrorContains(t, err, " is misspelt: write "+right)
		}
	}
	_, err := FromState(of(nil), "port-restrictor.port 5000", Rules{})
	require.ErrorContains(t, err, "listenerMetadata: ")
}

// TestKeysOfOtherProgramsAreLeftAlone shows that names which resemble port-restricter
// less are not taken for it.
func TestKeysOfOtherProgramsAreLeftAlone(t *testing.T) {
	for _, key := range []string{
		"", "port", "port.", "port-restrictions.port", "port-registry.example",
		"port-forwarder.port", "support-restricter.port", "x.port-restricter.port",
		"example.com/port-restricter.port", "port-restrain.port",
		"io.kubernetes.container.name", "io.kubernetes.cri-o.ContainerID",
		"org.opencontainers.image.stopSignal", "io.podman.annotations.autoremove",
	} {
		_, misspelt := respell(key)
		require.False(t, misspelt, key)
	}
	for _, line := range []string{
		"# port-restricter.port=8000", "#port-restricter.port=8000",
		"Port-Restricter: limits of team a",
		"Port-restricter limits this node.", "other=port-restrictor.port", "",
	} {
		_, err := FromState(of(nil), line, Rules{})
		require.ErrorIs(t, err, ErrNoPolicy, line)
	}
}
