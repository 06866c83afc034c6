package config

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseRequest(t *testing.T) {
	for text, want := range map[string]Request{
		"80":             {Bind, TCP, netip.IPv4Unspecified(), 80, false},
		"0/udp":          {Bind, UDP, netip.IPv4Unspecified(), 0, false},
		"127.0.0.1:80":   {Bind, TCP, netip.MustParseAddr("127.0.0.1"), 80, false},
		"[::]:53/udp":    {Bind, UDP, netip.IPv6Unspecified(), 53, true},
		"[::1]:9/sctp":   {Bind, SCTP, netip.MustParseAddr("::1"), 9, false},
		"0.0.0.0:80/tcp": {Bind, TCP, netip.IPv4Unspecified(), 80, false},
	} {
		got, err := ParseRequest(Bind, text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for text, problem := range map[string]string{
		"": "not a port", "http": "not a port", "65536": "not a port", "-1": "not a port",
		"80/": "not a protocol", "80/icmp": "not a protocol", "80/TCP": "not a protocol",
		"host:80": "write 80/tcp", "::80": "write 80/tcp", "[fe80::1%eth0]:80": "zone",
	} {
		_, err := ParseRequest(Bind, text)
		require.ErrorContains(t, err, problem, text)
	}
	_, err := ParseRequest("connect", "80")
	require.ErrorContains(t, err, "write bind or listen")
}
