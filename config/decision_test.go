package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAReasonNamesThePortAndTheLimit(t *testing.T) {
	p := mustParse(t, "5000", "80:5000", "")
	require.Equal(t, "port 5001/tcp at 0.0.0.0 is not in -p 5000",
		p.Decide(Request{Bind, TCP, anywhere, 5001}).Reason.String())
	require.Equal(t, "a port of the kernel's choice (0/udp) is not in -p 5000",
		p.Decide(Request{Bind, UDP, anywhere, 0}).Reason.String())
}
