package config

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

var anywhere = netip.IPv4Unspecified()

func mustNew(t testing.TB, ports, maps, mode string) *Policy {
	t.Helper()
	p, err := ParsePolicy(ports, maps, mode)
	require.NoError(t, err)
	return &p
}

func TestTheZeroPolicyDenies(t *testing.T) {
	require.Equal(t, Decision{Reason: NewReason("there is no policy")}, new(Policy).Decide(Request{Bind, TCP, anywhere, 5000}))
	denied := DenyAll("no annotation")
	require.Equal(t, Decision{Reason: NewReason("no annotation")}, denied.Decide(Request{Listen, TCP, anywhere, 0}))
}

func TestAReasonNamesThePortAndTheLimit(t *testing.T) {
	p := mustNew(t, "5000", "80:5000", "")
	require.Equal(t, "port 5001/tcp at 0.0.0.0 is not in -p 5000", p.Decide(Request{Bind, TCP, anywhere, 5001}).Reason.String())
	require.Equal(t, "a port of the kernel's choice (0/udp) is not in -p 5000", p.Decide(Request{Bind, UDP, anywhere, 0}).Reason.String())
}

func TestAMappedBindIsRewritten(t *testing.T) {
	p := mustNew(t, "5000,127.0.0.1:6000/tcp", "80:5000/tcp,81:6000", "")
	require.Equal(t, Decision{Verdict: Rewrite, Port: 5000}, p.Decide(Request{Bind, TCP, anywhere, 80}))
	require.Equal(t, Deny, p.Decide(Request{Bind, UDP, anywhere, 80}).Verdict, "a map for another protocol")
	require.Equal(t, Deny, p.Decide(Request{Bind, TCP, anywhere, 81}).Verdict, "the port it is bound to is not allowed there")
	require.Equal(t, Rewrite, p.Decide(Request{Bind, TCP, netip.MustParseAddr("127.0.0.1"), 81}).Verdict)
	require.Equal(t, Deny, p.Decide(Request{Listen, TCP, anywhere, 80}).Verdict, "listen is never rewritten")
	require.Equal(t, Allow, p.Decide(Request{Listen, TCP, anywhere, 5000}).Verdict)
}

func TestAMapWinsOverTheListedPort(t *testing.T) {
	p := mustNew(t, "80,5000", "80:5000", "")
	require.Equal(t, Decision{Verdict: Rewrite, Port: 5000}, p.Decide(Request{Bind, TCP, anywhere, 80}))
}

func TestBadMapsAndModesAreNamed(t *testing.T) {
	for _, c := range []struct{ maps, mode, says string }{
		{"80", "", `"80" rewrites nothing: write the port asked for and the port to bind, as in 80:5000`},
		{"80:5001", "", "--map 80:5001 binds 5001, which -p 5000 does not list: add 5001 there"},
		{"80:5000,80:5000", "", "both rewrite port 80"},
		{"80:5000/tcp,80:5000", "", "both rewrite port 80"},
		{"0:5000", "", "port 0 can't be rewritten"},
		{"80:5000/icmp", "", "is not a protocol"},
		{"80:66000", "", "is not a port"},
		{"", "loud", `--mode: "loud" is not a mode: write enforce or audit`},
	} {
		_, err := ParsePolicy("5000", c.maps, c.mode)
		require.ErrorContains(t, err, c.says)
	}
}

func TestAuditLetsAllThroughAndSaysWhatEnforceWouldHave(t *testing.T) {
	p := mustNew(t, "5000", "80:5000", "audit")
	require.Equal(t, Decision{Verdict: Allow, Port: 5001, Audited: true, Reason: Reason{request: Request{Bind, TCP, anywhere, 5001}, port: 5001, source: "-p 5000"}},
		p.Decide(Request{Bind, TCP, anywhere, 5001}))
	require.Equal(t, Decision{Verdict: Allow, Port: 5000}, p.Decide(Request{Bind, TCP, anywhere, 5000}))
	require.Equal(t, Decision{Verdict: Rewrite, Port: 5000}, p.Decide(Request{Bind, TCP, anywhere, 80}))
}

// A port that the kernel picked can be anything; one of the socket's own choice
// was decided at its bind.
func TestListenOnAPickedPortNeedsPortZero(t *testing.T) {
	for _, c := range []struct {
		ports   string
		port    uint16
		allowed bool
	}{
		{"5000", 0, false}, {"5000", 41234, false}, {"5000", 5000, true},
		{"0", 0, true}, {"0", 41234, true}, {"0/udp", 41234, false},
	} {
		d := mustNew(t, c.ports, "", "").Decide(Request{Listen, TCP, anywhere, c.port})
		require.Equal(t, c.allowed, d.Verdict == Allow, "%+v", c)
	}
}

func TestAllowingAllocatesNothing(t *testing.T) {
	p := mustNew(t, "80,8000-8010,127.0.0.1:5000/tcp", "81:80", "")
	r := Request{Bind, TCP, netip.MustParseAddr("127.0.0.1"), 5000}
	require.Zero(t, testing.AllocsPerRun(100, func() { p.Decide(r) }))
}

func BenchmarkDecide(b *testing.B) {
	p := mustNew(b, "80,8000-8010,127.0.0.1:5000/tcp", "81:80", "")
	r := Request{Bind, TCP, netip.MustParseAddr("127.0.0.1"), 5000}
	b.ReportAllocs()
	for b.Loop() {
		p.Decide(r)
	}
}
