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
		"*:80":         "a request is for one address: write 0.0.0.0:80 or [::]:80",
		"::1:80":       "write [::1]:80",
		"localhost:80": `"localhost" is not an IP address: write 80/tcp`,
		"127.0.0.1:x":  `"x" is not a port`, "127.0.0.1:": `"" is not a port`,
		"[::1]": `"[::1]" names no port: write [::1]:80`, "tcp/80": "comes last: write 80/tcp",
		"127.0.0.1": "names no port: write 127.0.0.1:80", "*": "names no port: write 80/tcp",
		"80/none": `write tcp, udp or sctp, or leave "/none" out, for tcp`,
	} {
		_, err := ParseRequest(Bind, text)
		require.ErrorContains(t, err, problem, text)
	}
	_, err := ParseRequest("connect", "80")
	require.ErrorContains(t, err, "write bind or listen")
}
