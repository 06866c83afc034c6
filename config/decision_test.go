package config

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAReasonNamesThePortAndTheLimit(t *testing.T) {
	p := mustParse(t, "5000", "80:5000", "")
	require.Equal(t, "port 5001/tcp at 0.0.0.0 is not in -p 5000",
		p.Decide(Request{Bind, TCP, anywhere, 5001, false}).Reason.String())
	require.Equal(t, "a port of the kernel's choice (0/tcp) is not in -p 5000: "+
		"add the element 0 to allow it",
		p.Decide(Request{Listen, TCP, anywhere, 0, false}).Reason.String())
}

func TestAReasonSaysHowToAllowADualStackSocket(t *testing.T) {
	p := mustParse(t, "[::]:5000", "", "")
	r := Request{Bind, TCP, netip.IPv6Unspecified(), 5000, true}
	require.Equal(t, "port 5000/tcp at [::] without IPV6_V6ONLY serves IPv4, too, which "+
		"-p [::]:5000 does not allow: write *:5000 there, or set IPV6_V6ONLY",
		p.Decide(r).Reason.String())
	r.Port = 5001
	require.Equal(t, "port 5001/tcp at :: is not in -p [::]:5000", p.Decide(r).Reason.String())
}
