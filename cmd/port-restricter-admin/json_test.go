package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEscapedJSONMeansTheSame(t *testing.T) {
	value := map[string]string{"a\u202eb": "c\x7f\u009b \U000e0001\u00e9\n"}
	text, err := json.MarshalIndent(value, "", " ")
	require.NoError(t, err)
	escaped := escapeJSON(string(text))
	require.Contains(t, escaped, `a\u202eb`)
	for _, raw := range []string{"\u202e", "\x7f", "\u009b", "\U000e0001"} {
		require.NotContains(t, escaped, raw)
	}
	var again map[string]string
	require.NoError(t, json.Unmarshal([]byte(escaped), &again))
	require.Equal(t, value, again)
}
