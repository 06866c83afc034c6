package config

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

// The error quotes the flag and the element, and says what to write instead.
func TestAnErrorAboutPortsSaysWhatToWrite(t *testing.T) {
	for text, says := range map[string]string{
		"":                  `"" names no port`,
		"5000,,80":          `"" names no port`,
		"65536":             `"65536" is not a port: write a number from 1 to 65535`,
		"-1":                `is not a port`,
		"+5000":             `is not a port`,
		"05000":             `is not a port`,
		"５０００":              `is not a port`,
		"5000-4000":         `the range ends before it begins: write 4000-5000`,
		"5000-":             `is not a port`,
		"0-10":              `list it by itself, as in 0,1-10`,
		"tcp":               `"tcp" is not a port`,
		"5000/foo":          `"foo" is not a protocol: write tcp, udp or sctp`,
		"5000/":             `is not a protocol`,
		"5000/other":        `is not a protocol`,
		"none,5000":         `none allows nothing, so it stands alone`,
		"none/tcp":          `none stands alone, without an address, a protocol or a range`,
		"::1:5000":          `write [::1]:5000`,
		"[::1:5000":         `bracket`,
		"[127.0.0.1]:5000":  `write 127.0.0.1:5000`,
		"[fe80::1%eth0]:53": `can't name a zone: write [fe80::1]:5000`,
		"80:8080":           `80 is not an IP address: to bind one port in place of another`,
		"localhost:5000":    `"localhost" is not an IP address`,
		"127.0.0.1:":        `is not a port`,
		":5000":             `is not an IP address`,
		"[::1]":             `"[::1]" names no port: write [::1]:5000`,
		"[127.0.0.1]":       `names no port: write 127.0.0.1:5000`,
		"127.0.0.1":         `"127.0.0.1" names no port: write 127.0.0.1:5000`,
		"*":                 `"*" names no port: write *:5000, or 1-65535 for every port`,
		"5000/none":         `write tcp, udp or sctp, or leave "/none" out, for all of them`,
		"127.0.0.1/8:5000":  `one address, and no network, as in 127.0.0.1:5000`,
		"tcp/80":            `the protocol comes last: write 80/tcp`,
		"127.0.0.1/tcp:80":  `the protocol comes last: write 127.0.0.1:80/tcp`,
		"*:none":            `none stands alone`,
		"none/udp":          `none stands alone`,
		"0.0.0.0:8080:80":   `0.0.0.0:8080 is not an IP address: to bind one port in place`,
		"*:8080:80":         `*:8080 is not an IP address: to bind one port in place`,
		"[::]:8080:80":      `[::]:8080 is not an IP address: to bind one port in place`,
		"localhost:8080:80": `localhost:8080 is not an IP address: to bind one port in place`,
		"80-90:8080-8090":   `80-90 is not an IP address: to bind one port in place`,
	} {
		_, err := ParsePolicy(Texts{Ports: text})
		require.ErrorContains(t, err, says, "%q", text)
		require.ErrorContains(t, err, "-p", "%q", text)
	}
}

func TestARuleAllowsWhatItSays(t *testing.T) {
	for _, c := range []struct {
		rules, addr string
		port        uint16
		protocol    Protocol
		allowed     bool
	}{
		{"5000", "0.0.0.0", 5000, TCP, true},
		{"5000", "::", 5000, UDP, true},
		{"5000", "::1", 5000, Other, true},
		{"5000", "0.0.0.0", 5001, TCP, false},
		{" 80 , 8000-8010", "1.2.3.4", 8010, TCP, true},
		{"8000-8010", "1.2.3.4", 8011, TCP, false},
		{"5000/tcp", "0.0.0.0", 5000, TCP, true},
		{"5000/tcp", "0.0.0.0", 5000, UDP, false},
		{"5000/tcp", "0.0.0.0", 5000, Other, false},
		{"9/sctp", "::", 9, SCTP, true},
		{"127.0.0.1:5000", "127.0.0.1", 5000, TCP, true},
		{"127.0.0.1:5000", "::ffff:127.0.0.1", 5000, TCP, true},
		{"[::ffff:127.0.0.1]:5000", "127.0.0.1", 5000, TCP, true},
		{"127.0.0.1:5000", "0.0.0.0", 5000, TCP, false},
		{"127.0.0.1:5000", "127.0.0.2", 5000, TCP, false},
		{"0.0.0.0:5000", "127.0.0.2", 5000, TCP, true},
		{"0.0.0.0:5000", "::ffff:0.0.0.0", 5000, TCP, true},
		{"0.0.0.0:5000", "::", 5000, TCP, false},
		{"[::]:5000", "::1", 5000, TCP, true},
		{"[::]:5000", "127.0.0.1", 5000, TCP, false},
		{"*:5000", "::1", 5000, TCP, true},
		{"0", "0.0.0.0", 0, TCP, true},
		{"0/udp", "0.0.0.0", 0, TCP, false},
		{"127.0.0.1:0", "127.0.0.1", 0, TCP, true},
		{"1-65534", "0.0.0.0", 0, TCP, false},
		{"1-65535", "0.0.0.0", 0, TCP, true},
		{"1-65535/udp", "0.0.0.0", 0, TCP, false},
		{"none", "0.0.0.0", 0, TCP, false},
		{"none", "0.0.0.0", 5000, TCP, false},
		{"0", "0.0.0.0", 5000, TCP, false},
	} {
		p, err := ParsePolicy(Texts{Ports: c.rules, Ephemeral: "deny"})
		require.NoError(t, err, c.rules)
		d := p.Decide(Request{Bind, c.protocol, netip.MustParseAddr(c.addr), c.port, false})
		require.Equal(t, c.allowed, d.Verdict == Allow,
			"%s: %s %d/%s: %s", c.rules, c.addr, c.port, c.protocol, d.Reason)
		require.Equal(t, c.allowed, d.Reason == Reason{})
	}
}

// A list of ports, written out and parsed again, decides as before, and no request is
// bound to a port that the list does not have.
func FuzzPorts(f *testing.F) {
	for _, seed := range []string{
		"5000", "5000,8080/tcp", "8000-8010", "127.0.0.1:5000", "[::1]:5000/udp", "*:1", "0",
		"none", "[::ffff:1.2.3.4]:9/sctp", "0-1", "1-0", "[", "]:", "/",
	} {
		f.Add(seed, uint16(5000), []byte{127, 0, 0, 1}, true)
	}
	f.Fuzz(func(t *testing.T, text string, port uint16, address []byte, tcp bool) {
		p, err := ParsePolicy(Texts{Ports: text})
		if err != nil {
			return
		}
		again, err := ParsePolicy(Texts{Ports: p.limits[0].ports.String()})
		require.NoError(t, err)
		require.Equal(t, p.String(), again.String())
		addr, _ := netip.AddrFromSlice(address)
		r := Request{Bind, UDP, addr, port, false}
		if tcp {
			r.Protocol = TCP
		}
		d := p.Decide(r)
		require.Equal(t, d.Verdict, again.Decide(r).Verdict)
		if d.Verdict != Deny && d.Port != 0 {
			require.True(t, p.limits[0].ports.contain(d.Port), "bound to %d by %s", d.Port, text)
		}
	})
}
