package sandbox

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhatIsMissingIsNamed(t *testing.T) {
	require.NoError(t, Check())
	all := requirements()
	for i, r := range all {
		outcomes := make([]outcome, len(all))
		outcomes[i] = refused
		if r.optional {
			require.NoError(t, judge(outcomes, false), r.name)
			require.NoError(t, judge(outcomes, true), r.name)
		} else {
			require.ErrorContains(t, judge(outcomes, false),
				"no "+r.name+"(2) that port-restricter can use: it needs "+r.since)
			require.ErrorContains(t, judge(outcomes, true), "SystemCallFilter="+r.name+";")
		}
		outcomes[i] = killed
		require.ErrorContains(t, judge(outcomes, true), "SystemCallFilter="+r.name+";")
	}
	everything := make([]outcome, len(all))
	for i := range everything {
		everything[i] = killed
	}
	require.ErrorContains(t, judge(everything, true), all[len(all)-1].name+"; in a container")
}
